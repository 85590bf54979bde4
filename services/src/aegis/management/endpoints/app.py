"""The HTTP application: routes, errors in one shape, and the document that clients are generated from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from aegis.contracts.order_reasons import FIGURES
from aegis.contracts.reasons import REFUSALS
from aegis.management.access.guard import Guard, caller_of, check_guards, guard_of, routes_of
from aegis.management.console import Console
from aegis.management.endpoints import (
    audit,
    auth,
    instances,
    leases,
    live,
    logs,
    market,
    metrics,
    nats,
    probes,
    services,
    tokens,
    trading,
    users,
)
from aegis.management.examples import add_examples
from aegis.management.live.messages import REF, live_schemas
from aegis.management.parts import Parts
from aegis.management.perimeter import Perimeter
from aegis.management.problems import MEDIA_TYPE, REASONS, Problem, ProblemBody, Trouble, of_status, problem_of, written
from aegis_sdk.errors import AegisError
from aegis_sdk.lease_view import NotDoneCode

__all__ = ["create_app"]

_ROUTERS: Final = (
    auth.router,
    users.router,
    tokens.router,
    audit.router,
    services.router,
    instances.router,
    leases.router,
    live.router,
    logs.router,
    metrics.router,
    market.router,
    trading.router,
    nats.router,
    probes.router,
)
_MOST_TROUBLES: Final = 20


def create_app(parts: Parts, service: Any, origins: Sequence[str]) -> tuple[FastAPI, ASGIApp]:
    """The routes, and what a server runs: the perimeter around them."""
    app = FastAPI(
        title="Aegis management",
        version=service.version,
        description="See the desk, and steer it. Errors are RFC 9457; `x-role` is the least role of an operation.",
        openapi_url=None,  # served by a route of ours, which has a role
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        responses={},
        strict_content_type=True,
    )
    app.state.parts, app.state.service = parts, service
    for router in _ROUTERS:
        app.include_router(router)
    _handle_errors(app)
    document = _document(app)
    app.openapi = lambda: document  # pyright: ignore[reportAttributeAccessIssue]
    if parts.settings.console is not None:
        app.mount("/", Console(parts.settings.console))
    check_guards(app)

    async def refused(scope: Scope, problem: Problem) -> None:
        connection = HTTPConnection(scope)
        scope["app"] = app
        what = f"{scope.get('method', 'WS')} {scope['path']}"
        await parts.trail.refused(await caller_of(parts, connection), "request", what, problem.code)

    return app, Perimeter(app, origins, cookie=parts.cookie, is_secure=parts.settings.is_secure, refused=refused)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    @app.exception_handler(AegisError)
    async def problem(connection: HTTPConnection, error: Problem | AegisError) -> Response:
        answer = written(problem_of(error) if isinstance(error, AegisError) else error)
        if isinstance(connection, WebSocket):  # before it is accepted: afterwards the route itself deals with them
            await connection.send_denial_response(answer)
        return answer

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        return written(of_status(error.status_code, str(error.detail), dict(error.headers or {})))

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return written(Problem("internal", "log_says"))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        troubles = [
            Trouble(where=".".join(str(part) for part in item["loc"]), problem=item["msg"], code=item["type"])
            for item in error.errors()[:_MOST_TROUBLES]
        ]
        return written(Problem("invalid", errors=troubles))


def _document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI, with the role of each operation, and our shape of errors in place of the framework's."""
    document = app.openapi()
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    body = ProblemBody.model_json_schema(ref_template=REF)
    codes = {"ProblemReason": [*REASONS, *REFUSALS, *get_args(NotDoneCode)], "OrderReason": [*FIGURES]}
    schemas |= body.pop("$defs", {}) | {"ProblemBody": body}
    schemas |= {name: {"enum": sorted(set(said)), "type": "string"} for name, said in codes.items()}
    for name, schema in live_schemas().items():
        schemas.setdefault(name, schema)
    said = {"asked": "Asked", "message": "LiveMessage", "rows": "LiveRows"}
    document["x-live"] = {"path": "/api/live"} | {what: {"$ref": REF.format(model=name)} for what, name in said.items()}
    add_examples(document)
    document["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": app.state.parts.cookie},
        "token": {"type": "http", "scheme": "bearer"},
    }
    guards = {
        (route.path, method.lower()): guard_of(route)
        for route in routes_of(app)
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _tell_role(operation, guards.get((path, method)))
            _tell_errors(operation)
    return document


def _tell_role(operation: dict[str, Any], guard: Guard | None) -> None:
    if guard is not None and guard.role is not None:
        operation["x-role"] = guard.role.value
        operation["security"] = [{"session": []}, {"token": []}]
    else:
        operation["security"] = []


def _tell_errors(operation: dict[str, Any]) -> None:
    """The framework writes a 422 of its own shape wherever there is a parameter."""
    invalid = operation["responses"].get("422")
    if invalid is not None:
        schema = {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
        operation["responses"]["422"] = {"description": "The request is not valid", "content": {MEDIA_TYPE: schema}}
