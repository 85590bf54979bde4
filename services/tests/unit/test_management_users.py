"""One administrator stays, whatever administrators do to each other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Response

from aegis.management.access.roles import Role
from aegis.management.access.users import User, Users
from aegis.management.audit import Caller, Trail
from aegis.management.endpoints import users as routes
from aegis.management.problems import Problem
from aegis_sdk.kv import RevisionMismatch
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

NOW = datetime(2026, 11, 28, tzinfo=UTC)


class Desk:
    """Users anna and bert, both administrators, and carl, who is none."""

    async def begin(self) -> None:
        self.transport = MemoryTransport(MemoryBroker())
        self.users = Users(self.transport)
        await self.users.ensure()
        trail = Trail(self.transport, "management-1")
        await trail.ensure()
        self.at: Any = SimpleNamespace(users=self.users, trail=trail, now=lambda: NOW)
        for name, role in (("anna", Role.ADMIN), ("bert", Role.ADMIN), ("carl", Role.TRADER)):
            await self.users.create(User(name=name, role=role, password_hash="", created_at=NOW, changed_at=NOW))

    async def revision(self, name: str) -> int:
        stored = await self.users.get(name)
        assert stored is not None
        return stored.revision

    async def delete(self, caller: str, name: str) -> None:
        match = f'"{await self.revision(name)}"'
        await routes.delete_user(name, Caller(caller, Role.ADMIN, "", "::1"), self.at, match)

    async def change(self, caller: str, name: str, **wanted: Any) -> None:
        asked, match = routes.UserChange(**wanted), f'"{await self.revision(name)}"'
        await routes.change_user(name, asked, Response(), Caller(caller, Role.ADMIN, "", "::1"), self.at, match)

    async def administrators(self) -> list[str]:
        return [one.user.name for one in await self.users.all() if one.user.role is Role.ADMIN and one.user.enabled]


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.begin()
    return made


async def test_of_two_administrators_who_delete_each_other_one_stays(desk: Desk) -> None:
    done = await asyncio.gather(desk.delete("anna", "bert"), desk.delete("bert", "anna"), return_exceptions=True)
    assert len(await desk.administrators()) == 1
    (refused,) = [one for one in done if one is not None]
    assert isinstance(refused, Problem)
    assert (refused.code, refused.body.reason) == ("conflict", "last_administrator")


async def test_of_two_administrators_who_take_the_role_from_each_other_one_keeps_it(desk: Desk) -> None:
    done = await asyncio.gather(
        desk.change("anna", "bert", enabled=False),
        desk.change("bert", "anna", role=Role.VIEWER),
        desk.change("bert", "carl", role=Role.VIEWER),  # goes on beside them
        return_exceptions=True,
    )
    assert [isinstance(one, Problem) for one in done].count(True) == 1
    assert len(await desk.administrators()) == 1
    carl = await desk.users.get("carl")
    assert carl is not None
    assert carl.user.role is Role.VIEWER


async def test_what_somebody_else_has_changed_is_neither_changed_nor_deleted(desk: Desk) -> None:
    old = await desk.revision("carl")
    await desk.change("anna", "carl", role=Role.OPERATOR)
    with pytest.raises(RevisionMismatch):
        await desk.users.delete("carl", old)
    await desk.delete("anna", "carl")
    assert await desk.users.get("carl") is None
    assert [one.user.name for one in await desk.users.all()] == ["anna", "bert"]
