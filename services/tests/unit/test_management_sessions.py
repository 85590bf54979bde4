"""Sessions and attempts of one user, on a broker in memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aegis.management.access.attempts import TOKENS_OF_A_USER, Attempts
from aegis.management.access.roles import Role
from aegis.management.access.sessions import MOST_SESSIONS, Sessions
from aegis.management.access.users import User
from aegis.management.problems import Problem
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def user(name: str) -> User:
    return User(name=name, role=Role.VIEWER, password_hash="", created_at=NOW, changed_at=NOW)


async def test_of_a_user_so_many_sessions_go_on_and_the_oldest_ends_for_another_one() -> None:
    transport = MemoryTransport(MemoryBroker())
    sessions = Sessions(transport, idle=timedelta(minutes=30), longest=timedelta(hours=12))
    await sessions.ensure()
    others = await sessions.begin(user("bert"), NOW, address="", agent="")
    begun = [
        await sessions.begin(user("anna"), NOW + timedelta(seconds=number), address="", agent="")
        for number in range(MOST_SESSIONS + 2)
    ]
    later = NOW + timedelta(minutes=1)
    go_on = [await sessions.find(token, later) is not None for token in begun]
    assert go_on == [False] * 2 + [True] * MOST_SESSIONS
    assert await sessions.find(others, later) is not None
    await transport.close()


async def test_a_session_of_twelve_hours_is_not_among_those_that_go_on() -> None:
    transport = MemoryTransport(MemoryBroker())
    sessions = Sessions(transport, idle=timedelta(minutes=30), longest=timedelta(hours=12))
    await sessions.ensure()
    token = await sessions.begin(user("anna"), NOW, address="", agent="")
    end = NOW + timedelta(hours=12)
    now = NOW
    while now < end:
        assert await sessions.find(token, now) is not None
        assert len(await sessions.of("anna", now)) == 1
        now += timedelta(minutes=29)
    assert end - now > -timedelta(minutes=30), "somebody was there a moment ago"
    assert await sessions.of("anna", end) == []
    await transport.close()


async def test_a_session_that_is_only_looked_at_ends_as_if_nobody_had() -> None:
    transport = MemoryTransport(MemoryBroker())
    sessions = Sessions(transport, idle=timedelta(minutes=30), longest=timedelta(hours=12))
    await sessions.ensure()
    token = await sessions.begin(user("anna"), NOW, address="", agent="")
    for minutes in (10, 20, 29):
        assert await sessions.find(token, NOW + timedelta(minutes=minutes), is_seen=False) is not None
    assert await sessions.find(token, NOW + timedelta(minutes=30), is_seen=False) is None
    await transport.close()


async def test_of_a_user_so_many_tokens_are_made_in_five_minutes() -> None:
    transport = MemoryTransport(MemoryBroker())
    attempts = Attempts(transport)
    await attempts.ensure()
    for _ in range(TOKENS_OF_A_USER):
        await attempts.count_token("anna", NOW)
    with pytest.raises(Problem) as refused:
        await attempts.count_token("anna", NOW)
    assert refused.value.code == "too_many_attempts"
    await attempts.count_token("bert", NOW)
    await attempts.count_token("anna", NOW + timedelta(minutes=5))
    await transport.close()
