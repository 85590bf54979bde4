"""What a listener has heard of a desk that was started again."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from samples import TICK

from aegis.cli.bench import restart


async def test_what_a_late_joiner_has_of_before_the_kill_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "_LATE_S", 0.01)
    listener = restart._Listener(began_ns=100)
    listener.take(replace(TICK, symbol="a", ts_received_ns=99))
    listener.take(replace(TICK, symbol="b", ts_received_ns=101))
    assert len(listener.heard) == 2
    assert await listener.share_of({"a", "b"}) == 0.5
    monkeypatch.setattr(restart, "_LATE_S", 5.0)
    asyncio.get_running_loop().call_soon(listener.take, replace(TICK, symbol="a", ts_received_ns=102))
    assert await listener.share_of({"a", "b"}) == 1


def test_a_desk_of_which_too_little_is_heard_is_beyond_its_bar() -> None:
    start = restart.Start(1.0, 2.0, 3.0, 4.0, contracts=856, fresh=1, heard=0.5)
    assert [said.partition(" is")[0] for said in restart._case([start]).beyond()] == ["everything: heard"]
