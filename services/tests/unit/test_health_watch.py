"""What the watch makes of ticks that it cannot read."""

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
