"""Signing in and out, one's own password and sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.guard import SignedIn, address_of, anybody, needs
from aegis.management.access.passwords import NewPassword
from aegis.management.access.roles import Role
from aegis.management.access.sessions import short
from aegis.management.access.users import User
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis_sdk.kv import RevisionMismatch

__all__ = ["router"]

router = APIRouter(prefix="/api/auth", tags=["auth"])
With = Annotated[Parts, Depends(parts_of)]
_WHOLE_SITE: Final = "/"


class SignIn(BaseModel):
    """User and password. Ten tries for a user and fifty from an address, in five minutes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user": "anna", "password": "correct horse battery"}]}
    )

    user: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=128)]


class Me(BaseModel):
    """Who is signed in. With `must_change` nothing else is allowed before a new password is set."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "anna", "role": "operator", "must_change": False, "way": "session 3fd2a0c14b7e9a10"}]
        }
    )

    name: str
    role: Role
    must_change: bool
    way: str  # session or token, and its short name


class PasswordChange(BaseModel):
    """The password as it is, and as it is to be: 12 characters at least."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"old": "old password 12", "new": "new password 34"}]}
    )

    old: Annotated[str, Field(min_length=1, max_length=128)]
    new: NewPassword


class SessionView(BaseModel):
    """A session of one's own. `seen_at` lags up to a minute behind."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "3fd2a0c14b7e9a10",
                    "created_at": "2026-11-28T09:00:00Z",
                    "seen_at": "2026-11-28T09:30:00Z",
                    "address": "127.0.0.1",
                    "agent": "Mozilla/5.0",
                    "current": True,
                }
            ]
        }
    )

    id: str
    created_at: datetime
    seen_at: datetime
    address: str
    agent: str
    current: bool


@router.post("/sign-in", responses=responses(401, 403, 422, 429, 503))
async def sign_in(asked: SignIn, request: Request, response: Response, _: Annotated[Caller, anybody()], at: With) -> Me:
    """Sign in: the answer sets the session's cookie."""
    stored = await at.users.get(asked.user) if _is_name(asked.user) else None
    user = None if stored is None else stored.user
    caller = Caller(user.name if user else "_", None, "", address_of(request))
    try:
        await at.attempts.count(asked.user, caller.address, at.now())
        is_right = await at.passwords.is_right(asked.password, user.password_hash if user else None)
        if user is None or not is_right or not user.enabled:
            raise Problem("wrong_credentials")
    except Problem as problem:
        await at.trail.refused(caller, "sign_in", "", problem.code)
        raise
    async with at.trail.action(caller._replace(role=user.role), "sign_in"):
        await at.attempts.forget(user.name)
        return await _begin(at, user, request, response)


@router.post("/sign-out", status_code=204, responses=responses(401, 403, 503))
async def sign_out(
    request: Request, response: Response, caller: Annotated[Caller, needs(Role.VIEWER, before_change=True)], at: With
) -> None:
    """End the session that asks."""
    async with at.trail.action(caller, "sign_out"):
        await at.sessions.end(_session_key(request))
    response.delete_cookie(at.cookie, path=_WHOLE_SITE, secure=at.settings.is_secure, httponly=True, samesite="strict")


@router.get("/me", responses=responses(401, 403, 503))
async def me(request: Request, caller: Annotated[Caller, needs(Role.VIEWER, before_change=True)]) -> Me:
    """Who is signed in."""
    return _me(_signed_in(request).stored.user, caller)


@router.post("/password", responses=responses(401, 403, 409, 422, 429, 503))
async def change_password(
    asked: PasswordChange,
    request: Request,
    response: Response,
    caller: Annotated[Caller, needs(Role.VIEWER, before_change=True)],
    at: With,
) -> Me:
    """Set one's own password. All other sessions of the user end; the answer sets the cookie of a new one."""
    user, revision = _signed_in(request).stored
    async with at.trail.action(caller, "change_password", user.name):
        _session_key(request)
        await at.attempts.count(user.name, caller.address, at.now())
        if not await at.passwords.is_right(asked.old, user.password_hash):
            raise Problem("wrong_credentials", status=403)
        if asked.new == asked.old or asked.new.lower() == user.name:
            raise Problem("invalid", "password_not_new")
        changed = user.model_copy(
            update={
                "password_hash": await at.passwords.hashed(asked.new),
                "must_change": False,
                "generation": user.generation + 1,
                "changed_at": at.now(),
            }
        )
        try:
            await at.users.replace(changed, revision)
        except RevisionMismatch:
            raise Problem("conflict", "user_changed") from None
        await at.attempts.forget(user.name)
        return await _begin(at, changed, request, response)


@router.get("/sessions", responses=responses(401, 403, 503))
async def list_sessions(request: Request, caller: Annotated[Caller, needs(Role.VIEWER)], at: With) -> list[SessionView]:
    """One's own sessions, the latest first."""
    signed_in = _signed_in(request)
    user, current = signed_in.stored.user, signed_in.session.key if signed_in.session else ""
    return [
        SessionView(
            id=short(key),
            created_at=session.created_at,
            seen_at=session.seen_at,
            address=session.address,
            agent=session.agent,
            current=key == current,
        )
        for key, session, _ in await at.sessions.of(caller.name, at.now())
        if (session.user_id, session.generation) == (user.id, user.generation)
    ]


@router.delete("/sessions/{session}", status_code=204, responses=responses(401, 403, 404, 422, 503))
async def end_session(
    session: Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["3fd2a0c14b7e9a10"])],
    caller: Annotated[Caller, needs(Role.VIEWER)],
    at: With,
) -> None:
    """End one of one's own sessions."""
    async with at.trail.action(caller, "end_session", session):
        found = [one for one in await at.sessions.of(caller.name, at.now()) if short(one.key) == session]
        if not found:
            raise Problem("not_found", "no_session")
        await at.sessions.end(found[0].key)


async def _begin(at: Parts, user: User, request: Request, response: Response) -> Me:
    address, agent = address_of(request), request.headers.get("user-agent", "")
    token = await at.sessions.begin(user, at.now(), address=address, agent=agent)
    response.set_cookie(
        at.cookie, token, path=_WHOLE_SITE, secure=at.settings.is_secure, httponly=True, samesite="strict"
    )
    return _me(user, Caller(user.name, user.role, "session", address))


def _me(user: User, caller: Caller) -> Me:
    assert caller.role is not None
    return Me(name=user.name, role=caller.role, must_change=user.must_change, way=caller.way)


def _signed_in(request: Request) -> SignedIn:
    return request.state.signed_in


def _session_key(request: Request) -> str:
    """Of who came by a session. Raises Problem for who came by a token: that is not signed in, and has no password."""
    session = _signed_in(request).session
    if session is None:
        raise Problem("role_needed", "people_only")
    return session.key


def _is_name(text: str) -> bool:
    return text.isascii() and len(text) <= 32 and text.replace("-", "").replace("_", "").isalnum()
