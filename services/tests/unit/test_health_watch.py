"""What the watch makes of ticks that it cannot read, and when it asks for what is listed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from samples import TICK

from aegis.contracts.tick_codec import MSGPACK
from aegis.marketdata.health.domain.findings import Level
from aegis.marketdata.health.watch import Watch
from aegis_sdk import clock
from aegis_sdk.messages import Message
from aegis_sdk.transport import ConnectionState


def test_who_cannot_read_the_ticks_knows_nothing() -> None:
    """Market data may write them with pickle, which is read by nobody who was not told to."""
    watch = Watch(cast("Any", SimpleNamespace(state=ConnectionState.CONNECTED)), *cast("Any", (None, None)), TICK.feed)
    watch._known_at = clock.now()  # pyright: ignore[reportPrivateUsage]  # market data has answered
    assert watch.look()[0] is not Level.UNKNOWN
    watch.on_tick(Message("tick.SHFE.a", b"pickled", {"Aegis-Codec": "pickle"}))
    assert (watch.look()[0], watch.malformed) == (Level.UNKNOWN, 1)
    watch.on_tick(Message("tick.SHFE.a", MSGPACK.encode(TICK), MSGPACK.headers))
    assert watch.look()[0] is not Level.UNKNOWN


class Day:
    """Market data whose feed lists other contracts each day, as many as before."""

    def __init__(self) -> None:
        self.number = 1
        self.asked = 0

    @property
    def publisher(self) -> Any:
        states = {"state": "ready", "why": (), "source": "test", "role": "active"}
        counts = {"wanted": 1, "subscribed": 1, "ticking": 1, "refused": 0, "instruments": 2}
        status = SimpleNamespace(epoch=1, session="s1", listings=self.number, **states, **counts)
        return SimpleNamespace(status=status, view=SimpleNamespace(instance="a"))

    async def listed(self, _: str) -> dict[str, str | None]:
        self.asked += 1
        return {"SHFE.rb2505": None, f"SHFE.ag25{self.number:02}": None}

    async def wanted(self, _: str) -> list[Any]:
        return []


async def test_what_is_listed_is_asked_for_with_each_listing_and_not_between() -> None:
    day: Any = Day()
    watch = Watch(*cast("Any", (None, None, None)), "main")
    watch.desk = day
    for number in (1, 1, 2, 2):
        day.number = number
        await watch._ask_all(day.publisher, clock.now())
        assert f"SHFE.ag25{number:02}" in watch.listed
    assert day.asked == 2
