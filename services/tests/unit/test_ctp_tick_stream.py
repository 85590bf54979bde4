"""Ticks from a session's gate, in whatever parts a socket gives them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis.marketdata.adapters.ctp.gate import TICK_BYTES
from aegis.marketdata.adapters.ctp.tick_stream import TickStream


@given(st.binary(max_size=4).map(lambda seed: seed * TICK_BYTES), st.lists(st.integers(1, 3 * TICK_BYTES), max_size=9))
def test_whole_ticks_are_handed_on_in_their_order_and_what_is_begun_waits(written: bytes, sizes: list[int]) -> None:
    came: list[bytes] = []
    stream = TickStream(came.append, lambda: None)
    at = 0
    for size in [*sizes, len(written)]:
        part, at = written[at : at + size], at + size
        if part:
            stream.data_received(part)
            handed_on = sum(map(len, came))
            assert handed_on == min(at, len(written)) // TICK_BYTES * TICK_BYTES
    assert b"".join(came) == written[: len(written) // TICK_BYTES * TICK_BYTES]
    assert all(came)


def test_its_end_is_told() -> None:
    ends: list[bool] = []
    stream = TickStream(lambda _: None, lambda: ends.append(stream.over.is_set()))
    assert not stream.over.is_set()
    stream.connection_lost(None)
    assert ends == [True]
