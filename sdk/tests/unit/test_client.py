"""What a caller is told when time runs out before anything was sent."""

import asyncio

import pytest

from aegis_sdk.client import Client
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, TIMEOUT_MS, Headers, Message
from aegis_sdk.transport import ConnectionState
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Lingering(MemoryTransport):
    """Connected only when its caller has no time left; keeps the deadlines that are sent."""

    deadlines: list[str]
    away = True

    @property
    def state(self) -> ConnectionState:
        return ConnectionState.RECONNECTING if self.away else super().state

    async def wait_connected(self, timeout: float) -> None:
        await asyncio.sleep(timeout)

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        assert timeout > 0
        self.deadlines.append(headers[TIMEOUT_MS])
        return Message(subject, b"{}")


@pytest.fixture
async def transport() -> Lingering:
    made = Lingering(MemoryBroker())
    made.deadlines = []
    return made


async def test_a_connection_that_comes_back_too_late_sends_nothing_and_says_so(transport: Lingering) -> None:
    with pytest.raises(DeadlineExceeded, match="not sent"):
        await Client(transport).call_json("till", "pay", {}, timeout=0.02)
    assert transport.deadlines == []


async def test_the_last_fraction_of_a_millisecond_is_not_told_as_none(
    transport: Lingering, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport.away = False
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 7.0)
    await Client(transport).call_json("till", "pay", {}, timeout=0.0009)
    assert transport.deadlines == ["1"]
