"""Every error of the API in one shape: RFC 9457, `application/problem+json`.

Raise Problem with a code of the table below; what the SDK raises is turned into one by `problem_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from aegis_sdk.errors import AegisError, ConnectionUnavailable, EpochEnded, LedgerUnavailable, RpcError, StreamError
from aegis_sdk.lease_view import NotDone

__all__ = ["TITLES", "Problem", "ProblemBody", "Trouble", "problem_of", "responses", "written"]

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[dict[str, tuple[int, str]]] = {
    "malformed": (400, "The request cannot be read"),
    "not_signed_in": (401, "Sign in first"),
    "wrong_credentials": (401, "User or password is wrong"),
    "role_needed": (403, "This needs another role"),
    "password_change_needed": (403, "Change the password first"),
    "foreign_origin": (403, "The request comes from another site"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "That cannot be done with it"),
    "conflict": (409, "It is not as it would have to be"),
    "changed": (412, "It has changed in the meantime"),
    "too_large": (413, "The request is too large"),
    "misdirected": (421, "We are not known by that name"),
    "invalid": (422, "The request is not valid"),
    "rejected": (422, "The service said no"),
    "precondition_needed": (428, "Say which revision is meant"),
    "too_many_attempts": (429, "Too many attempts"),
    "overloaded": (429, "Too much at once"),
    "internal": (500, "Something went wrong here"),
    "unavailable": (503, "A part of the desk is away"),
    "outcome_unknown": (504, "Whether it was done is not known"),
}
"""Codes, stable, with status and title. A service's own code stands in place of `rejected`."""


class Trouble(BaseModel):
    """One thing that is wrong with a request: where, and what."""

    where: str
    problem: str


class ProblemBody(BaseModel):
    """What went wrong (RFC 9457). `code` is a stable word; `details` depend on it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:aegis:problem:role_needed",
                    "title": "This needs another role",
                    "status": 403,
                    "detail": "handing a key over needs the role operator",
                    "code": "role_needed",
                    "errors": [],
                    "details": {"needed": "operator"},
                }
            ]
        }
    )

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = ""
    code: str
    errors: list[Trouble] = []
    details: dict[str, JsonValue] = {}


class Problem(Exception):
    """An answer that is an error. `details` are JSON, and so is what is named beside them."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        status: int = 0,
        errors: list[Trouble] | None = None,
        headers: dict[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail or code)
        usual, title = TITLES.get(code, (422, TITLES["rejected"][1]))
        self.code = code
        self.headers = headers or {}
        self.body = ProblemBody(
            type=f"urn:aegis:problem:{code}",
            title=title,
            status=status or usual,
            detail=detail,
            code=code,
            errors=errors or [],
            details={**(details or {}), **more},
        )


def written(problem: Problem) -> JSONResponse:
    body = problem.body
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(body.model_dump(mode="json"), body.status, headers, MEDIA_TYPE)


def problem_of(error: AegisError) -> Problem:
    """What an error of the SDK means to who called us."""
    if isinstance(error, RpcError):
        code, status = error.code, error.status
        if code in ("unavailable", "draining", "suspended", "moved", "not_executed"):
            return Problem("unavailable", error.message, retryable=True, cause=code)
        if code in ("outcome_unknown", "deadline_exceeded"):
            return Problem("outcome_unknown", error.message, details=error.details)
        if code == "invalid_request":
            return Problem("invalid", error.message, details=error.details)
        if code == "internal":
            return Problem("internal", error.message, status=502)
        return Problem(code, error.message, status=status if 400 <= status < 600 else 422, details=error.details)
    if isinstance(error, ConnectionUnavailable | StreamError):
        return Problem("unavailable", str(error), retryable=True)
    if isinstance(error, LedgerUnavailable) or (isinstance(error, NotDone) and error.was_asked):
        return Problem("outcome_unknown", str(error))
    if isinstance(error, NotDone | EpochEnded):
        return Problem("conflict", str(error))
    return Problem("internal", str(error))


def of_status(status: int, detail: str, headers: dict[str, str] | None = None) -> Problem:
    """An error that the framework raised by its status alone."""
    code = next((code for code, (usual, _) in TITLES.items() if usual == status), "")
    if not code:
        code = "internal" if status >= 500 else "malformed"
    said = "" if detail == HTTPStatus(status).phrase else detail
    return Problem(code, said, status=status, headers=headers)


_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Error answers of an operation in OpenAPI, and the one for all others."""
    known: dict[int | str, dict[str, Any]] = {
        code: {"description": HTTPStatus(code).phrase, "content": _CONTENT} for code in sorted(codes)
    }
    return {**known, "default": {"description": "Any other error", "content": _CONTENT}}
