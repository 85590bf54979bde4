"""The guard of every route: who asks, and whether the role suffices. A route without one is refused at the start.

@router.get("/things")
async def things(caller: Annotated[Caller, needs(Role.VIEWER)]) -> ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from aegis.management.access.roles import Role
from aegis.management.access.sessions import OpenSession, short
from aegis.management.access.tokens import StoredToken, secret_of
from aegis.management.access.users import StoredUser
from aegis.management.audit import NOBODY, Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem
from aegis_sdk.errors import ConfigurationError

__all__ = [
    "UNATTENDED",
    "Guard",
    "SignedIn",
    "address_of",
    "admit",
    "anybody",
    "caller_of",
    "check_guards",
    "guard_of",
    "identify",
    "needs",
    "routes_of",
]

UNATTENDED: Final = "aegis-unattended"
"""A header of requests that a page makes while nobody touches it."""


class SignedIn(NamedTuple):
    """Whom a request's credentials name."""

    caller: Caller
    stored: StoredUser
    session: OpenSession | None  # None: by an API token


class Guard:
    """A dependency. `role` None lets anybody in; `before_change` also who has yet to change the password."""

    def __init__(self, role: Role | None, *, before_change: bool = False) -> None:
        self.role = role
        self.before_change = before_change

    async def __call__(self, connection: HTTPConnection) -> Caller:
        if self.role is None:
            return nobody(connection)
        found = await admit(connection, self.role, before_change=self.before_change)
        connection.state.signed_in = found
        return found.caller


def needs(role: Role, *, before_change: bool = False) -> Any:
    """The caller, who has at least this role."""
    return Depends(Guard(role, before_change=before_change))


def anybody() -> Any:
    """Who calls, signed in or not; for what must be there before one can sign in."""
    return Depends(Guard(None))


async def admit(connection: HTTPConnection, role: Role, *, before_change: bool = False) -> SignedIn:
    """Who calls, or a Problem that is in the audit trail."""
    parts = parts_of(connection)
    found = await identify(parts, connection, is_attended=_is_attended(connection))
    if found is None:
        problem = Problem("not_signed_in", headers={"WWW-Authenticate": "Bearer"})
        if _acts(connection) or _has_credentials(parts, connection):
            await parts.trail.refused(nobody(connection), "request", _what(connection), problem.code)
        raise problem
    caller, stored, _ = found
    if caller.role is None or not caller.role.includes(role):
        problem = Problem("role_needed", "needs_role", needed=role, yours=caller.role or "")
    elif stored.user.must_change and not before_change:
        problem = Problem("password_change_needed", "change_password")
    else:
        return found
    await parts.trail.refused(caller, "request", _what(connection), problem.code)
    raise problem


async def identify(parts: Parts, connection: HTTPConnection, *, is_attended: bool = False) -> SignedIn | None:
    """Whom the credentials name now, a token before a cookie; None where they name nobody.

    A session that nobody attends goes on towards its end.
    """
    secret = secret_of(connection.headers.get("authorization", ""))
    if secret is not None:
        token = await parts.tokens.find(secret, parts.now())
        return None if token is None else await _by_token(parts, token, address_of(connection))
    session = await parts.sessions.find(connection.cookies.get(parts.cookie, ""), parts.now(), is_seen=is_attended)
    return None if session is None else await _by_session(parts, session, address_of(connection))


async def _by_token(parts: Parts, found: StoredToken, address: str) -> SignedIn | None:
    stored = await parts.users.get(found.token.user)
    if stored is None or not stored.user.enabled or stored.user.id != found.token.user_id:
        return None
    role = found.token.role.at_most(stored.user.role)
    return SignedIn(Caller(stored.user.name, role, f"token {short(found.key)}", address), stored, None)


async def _by_session(parts: Parts, found: OpenSession, address: str) -> SignedIn | None:
    stored = await parts.users.get(found.session.user)
    if stored is None or not stored.user.enabled:
        return None
    if (stored.user.id, stored.user.generation) != (found.session.user_id, found.session.generation):
        return None
    caller = Caller(stored.user.name, stored.user.role, f"session {short(found.key)}", address)
    return SignedIn(caller, stored, found)


def nobody(connection: HTTPConnection) -> Caller:
    return Caller(NOBODY, None, "", address_of(connection))


async def caller_of(parts: Parts, connection: HTTPConnection) -> Caller:
    """Who calls, for the audit trail."""
    found = await identify(parts, connection)
    return nobody(connection) if found is None else found.caller


def address_of(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else "unknown"


def _is_attended(connection: HTTPConnection) -> bool:
    """A page asks by itself, too, and connects again: only what somebody has done shows that he is there."""
    return connection.scope["type"] == "http" and UNATTENDED not in connection.headers


def _acts(connection: HTTPConnection) -> bool:
    return connection.scope["type"] == "websocket" or connection.scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _has_credentials(parts: Parts, connection: HTTPConnection) -> bool:
    is_token = secret_of(connection.headers.get("authorization", "")) is not None
    return is_token or parts.cookie in connection.cookies


def _what(connection: HTTPConnection) -> str:
    return f"{connection.scope.get('method', 'WS')} {connection.scope['path']}"[:256]


# Every route has one


def routes_of(app: FastAPI) -> Iterator[APIRoute | APIWebSocketRoute]:
    """All routes, those of included routers too. Raises ConfigurationError for what is neither route nor files."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute | APIWebSocketRoute):
            yield route
        elif not isinstance(route, Mount) or not isinstance(route.app, StaticFiles):
            raise ConfigurationError(str(route), "is no route that could declare a role")


def guard_of(route: APIRoute | APIWebSocketRoute) -> Guard | None:
    """The guard that a route declares."""
    return next(_guards(route.dependant), None)


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for one in dependant.dependencies:
        if isinstance(one.call, Guard):
            yield one.call
        yield from _guards(one)


def check_guards(app: FastAPI) -> None:
    """Raises ConfigurationError for a route that declares no role."""
    for route in routes_of(app):
        if guard_of(route) is None:
            raise ConfigurationError(route.path, "declares no role")
