"""API tokens: one's own, and for administrators those of all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.access.sessions import short
from aegis.management.access.tokens import MOST_TOKENS, ApiToken, StoredToken, TokenName
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses

__all__ = ["router"]

router = APIRouter(prefix="/api/tokens", tags=["tokens"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]


class NewToken(BaseModel):
    """A token may do what its role may, at most one's own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "prometheus", "role": "viewer", "days": 90}]}
    )

    name: TokenName
    role: Role
    days: Annotated[int, Field(ge=1, le=365)] = 90


class TokenView(BaseModel):
    """A token, without its secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "9b0c5f7d11e2a388",
                    "name": "prometheus",
                    "user": "anna",
                    "role": "viewer",
                    "created_at": "2026-11-28T09:00:00Z",
                    "ends_at": "2027-02-26T09:00:00Z",
                }
            ]
        }
    )

    id: str
    name: str
    user: str
    role: Role
    created_at: datetime
    ends_at: datetime


class MadeToken(BaseModel):
    """`secret` goes into `Authorization: Bearer ...`; it is shown this once and kept nowhere."""

    token: TokenView
    secret: str


@router.get("", responses=responses(401, 403, 503))
async def list_tokens(caller: Viewer, at: With) -> list[TokenView]:
    """One's own tokens; an administrator sees those of all."""
    return [_view(one) for one in await _visible(at, caller)]


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 429, 503))
async def create_token(asked: NewToken, request: Request, caller: Viewer, at: With) -> MadeToken:
    """Make a token; only people who have signed in make one: 20 that live, and 20 in five minutes."""
    async with at.trail.action(caller, "create_token", asked.name, {"role": asked.role, "days": asked.days}):
        if request.state.signed_in.session is None:
            raise Problem("role_needed", "tokens_by_people")
        if caller.role is None or not caller.role.includes(asked.role):
            raise Problem("role_needed", "needs_role", needed=asked.role, yours=caller.role or "")
        now = at.now()
        await at.attempts.count_token(caller.name, now)
        if sum(one.token.user == caller.name for one in await at.tokens.all(now)) >= MOST_TOKENS:
            raise Problem("conflict", "many_tokens", most=MOST_TOKENS)
        token = ApiToken(
            name=asked.name,
            user=caller.name,
            user_id=request.state.signed_in.stored.user.id,
            role=asked.role,
            created_at=now,
            ends_at=now + timedelta(days=asked.days),
        )
        secret, stored = await at.tokens.create(token)
    return MadeToken(token=_view(stored), secret=secret)


@router.delete("/{token}", status_code=204, responses=responses(401, 403, 404, 422, 503))
async def delete_token(
    token: Annotated[str, Path(pattern="^[0-9a-f]{16}$", examples=["9b0c5f7d11e2a388"])], caller: Viewer, at: With
) -> None:
    """End a token at once."""
    async with at.trail.action(caller, "delete_token", token) as said:
        found = [one for one in await _visible(at, caller) if short(one.key) == token]
        if not found:
            raise Problem("not_found", "no_token")
        said.update(name=found[0].token.name, user=found[0].token.user)
        await at.tokens.delete(found[0].key)


async def _visible(at: Parts, caller: Caller) -> list[StoredToken]:
    stored = await at.tokens.all(at.now())
    return [one for one in stored if caller.role is Role.ADMIN or one.token.user == caller.name]


def _view(stored: StoredToken) -> TokenView:
    token = stored.token
    return TokenView(
        id=short(stored.key),
        name=token.name,
        user=token.user,
        role=token.role,
        created_at=token.created_at,
        ends_at=token.ends_at,
    )
