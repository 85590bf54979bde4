"""`aegis reset-password` where the audit trail cannot be written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from aegis.cli import reset_password
from aegis.management import audit
from aegis.management.access.roles import Role
from aegis.management.access.users import User, Users
from aegis.management.audit import Trail
from aegis_sdk.errors import Unavailable
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


async def test_a_password_is_not_told_before_the_audit_trail_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_STORED_S", 0.02)
    monkeypatch.setattr(audit, "_AGAIN_S", 0.005)
    transport = MemoryTransport(MemoryBroker())
    users, now = Users(transport), datetime(2026, 11, 29, tzinfo=UTC)
    await users.ensure()
    await users.create(User(name="anna", role=Role.VIEWER, password_hash="", created_at=now, changed_at=now))

    @asynccontextmanager
    async def connect() -> AsyncIterator[MemoryTransport]:
        yield transport

    monkeypatch.setattr(reset_password, "connect", connect)
    with pytest.raises(Unavailable, match="the audit trail cannot be written"):
        await reset_password._reset("anna")
    await Trail(transport, "aegis").ensure()
    assert await reset_password._reset("anna")
    assert await transport.last_sequence(audit.STREAM) == 1
    await transport.close()
