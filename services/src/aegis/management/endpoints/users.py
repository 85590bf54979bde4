"""Users, for administrators. Nobody changes or deletes himself, and one administrator stays."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict

from aegis.management.access.guard import needs
from aegis.management.access.passwords import NewPassword, made_up
from aegis.management.access.roles import Role
from aegis.management.access.users import StoredUser, User, UserName
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis.management.revisions import IfMatch, changed, revision_of, tag
from aegis_sdk.kv import RevisionMismatch

__all__ = ["router"]

router = APIRouter(prefix="/api/users", tags=["users"])
With = Annotated[Parts, Depends(parts_of)]
Admin = Annotated[Caller, needs(Role.ADMIN)]
Name = Annotated[UserName, Path(examples=["anna"])]
T = TypeVar("T")


class UserView(BaseModel):
    """A user, without anything of the password. `revision` is the ETag of writes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "anna",
                    "role": "operator",
                    "enabled": True,
                    "must_change": False,
                    "created_at": "2026-11-28T09:00:00Z",
                    "changed_at": "2026-11-28T09:00:00Z",
                    "revision": 3,
                }
            ]
        }
    )

    name: str
    role: Role
    enabled: bool
    must_change: bool
    created_at: datetime
    changed_at: datetime
    revision: int


class NewUser(BaseModel):
    """Without a password one is made up. Either must be changed at the first sign-in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "anna", "role": "operator"}]})

    name: UserName
    role: Role
    password: NewPassword | None = None


class UserChange(BaseModel):
    """What is left out stays. The user's sessions end."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "trader", "enabled": True}]})

    role: Role | None = None
    enabled: bool | None = None


class FirstPassword(BaseModel):
    """A user with the password that was made up, which is shown this once; empty where one was given."""

    user: UserView
    password: str


@router.get("", responses=responses(401, 403, 503))
async def list_users(_: Admin, at: With) -> list[UserView]:
    """All users, by name."""
    return [_view(one) for one in await at.users.all()]


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 503))
async def create_user(asked: NewUser, caller: Admin, at: With) -> FirstPassword:
    """Make a user, who must change the password at the first sign-in."""
    async with at.trail.action(caller, "create_user", asked.name, {"role": asked.role}):
        password = asked.password or made_up()
        user = User(
            name=asked.name,
            role=asked.role,
            password_hash=await at.passwords.hashed(password),
            created_at=at.now(),
            changed_at=at.now(),
        )
        try:
            stored = await at.users.create(user)
        except RevisionMismatch:
            raise Problem("conflict", "user_exists", user=asked.name) from None
    return FirstPassword(user=_view(stored), password="" if asked.password else password)


@router.get("/{name}", responses=responses(401, 403, 404, 422, 503))
async def get_user(name: Name, response: Response, _: Admin, at: With) -> UserView:
    """One user; the ETag is his revision."""
    stored = await _found(at, name)
    tag(response, stored.revision)
    return _view(stored)


@router.patch("/{name}", responses=responses(401, 403, 404, 409, 412, 422, 428, 503))
async def change_user(
    name: Name, asked: UserChange, response: Response, caller: Admin, at: With, if_match: IfMatch = None
) -> UserView:
    """Change the role, or whether the user may sign in."""
    wanted = asked.model_dump(exclude_none=True)
    async with at.trail.action(caller, "change_user", name, wanted):
        _not_himself(caller, name)
        stored = await _expected(at, name, if_match, wanted)
        user = stored.user.model_copy(
            update={**wanted, "generation": stored.user.generation + 1, "changed_at": at.now()}
        )
        stored = await _written(at, name, wanted, at.users.change(user, stored.revision))
    tag(response, stored.revision)
    return _view(stored)


@router.post("/{name}/password", responses=responses(401, 403, 404, 409, 412, 422, 428, 503))
async def reset_password(name: Name, caller: Admin, at: With, if_match: IfMatch = None) -> FirstPassword:
    """Make a new password up; the user's sessions end, and the password must be changed at the next sign-in.

    412 where the user has changed since: another administrator may have handed a password out just now.
    """
    async with at.trail.action(caller, "reset_password", name):
        _not_himself(caller, name)
        stored = await _expected(at, name, if_match, {})
        password = made_up()
        user = stored.user.given(await at.passwords.hashed(password), at.now())
        stored = await _written(at, name, {}, at.users.replace(user, stored.revision))
        await at.attempts.forget(name)
    return FirstPassword(user=_view(stored), password=password)


@router.delete("/{name}", status_code=204, responses=responses(401, 403, 404, 409, 412, 422, 428, 503))
async def delete_user(name: Name, caller: Admin, at: With, if_match: IfMatch = None) -> None:
    """Delete a user; sessions and tokens end with him."""
    async with at.trail.action(caller, "delete_user", name):
        _not_himself(caller, name)
        stored = await _expected(at, name, if_match, {})
        await _written(at, name, {}, at.users.delete(name, stored.revision))


async def _found(at: Parts, name: str) -> StoredUser:
    stored = await at.users.get(name)
    if stored is None:
        raise Problem("not_found", "no_user", user=name)
    return stored


async def _expected(at: Parts, name: str, if_match: str | None, wanted: dict[str, object]) -> StoredUser:
    revision = revision_of(if_match)
    stored = await _found(at, name)
    if stored.revision != revision:
        raise changed(_view(stored), stored.revision, wanted)
    return stored


async def _written(at: Parts, name: str, wanted: dict[str, object], writing: Awaitable[T]) -> T:
    try:
        return await writing
    except RevisionMismatch:
        now = await at.users.get(name)
        raise changed(None if now is None else _view(now), now.revision if now else 0, wanted) from None


def _not_himself(caller: Caller, name: str) -> None:
    if caller.name == name:
        raise Problem("conflict", "not_oneself")


def _view(stored: StoredUser) -> UserView:
    user = stored.user
    return UserView(
        name=user.name,
        role=user.role,
        enabled=user.enabled,
        must_change=user.must_change,
        created_at=user.created_at,
        changed_at=user.changed_at,
        revision=stored.revision,
    )
