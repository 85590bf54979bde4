"""Ticks before an event engine that is late: bounded, and the latest of each contract."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from samples import TICK

from aegis.bridge.pacing import WINDOW, Pacer
from aegis.contracts.market import Tick


class Engine:
    """vnpy's, with a queue that a test empties."""

    def __init__(self) -> None:
        self.queue: list[Tick | None] = []
        self.seen: list[Tick] = []
        self.pacer = Pacer(self.queue.append, lambda: self.queue.append(None))

    def run(self, most: int = 1_000_000) -> None:
        while self.queue and most:
            most -= 1
            event = self.queue.pop(0)
            if event is None:
                self.pacer.passed()
            else:
                self.seen.append(event)

    @property
    def ticks(self) -> int:
        return sum(event is not None for event in self.queue)


def tick(symbol: str, sequence: int) -> Tick:
    return replace(TICK, symbol=symbol, sequence=sequence, volume=sequence, volume_delta=1, turnover_delta=10.0)


def test_an_engine_that_keeps_up_gets_every_tick() -> None:
    engine = Engine()
    for sequence in range(5 * WINDOW):
        engine.pacer.offer(tick("a", sequence))
        engine.run()
    assert [one.sequence for one in engine.seen] == list(range(5 * WINDOW))
    assert engine.pacer.conflated == 0


def test_a_late_engine_has_no_more_than_the_window_before_it_and_ends_with_the_latest() -> None:
    engine = Engine()
    for sequence in range(3 * WINDOW):
        for symbol in ("a", "b"):
            engine.pacer.offer(tick(symbol, sequence))
    assert engine.ticks == WINDOW
    assert engine.pacer.waiting == 2
    assert engine.pacer.conflated == 6 * WINDOW - WINDOW - 2
    engine.run()
    assert engine.pacer.waiting == 0
    assert [one.sequence for one in engine.seen[-2:]] == [3 * WINDOW - 1] * 2
    assert sum(one.volume_delta for one in engine.seen) == 6 * WINDOW
    assert sum(one.turnover_delta for one in engine.seen) == 60.0 * WINDOW


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400)), max_size=60), st.integers(1, 400))
def test_whatever_the_pace_lots_add_up_and_none_is_out_of_order(turns: list[tuple[str, int]], run: int) -> None:
    engine = Engine()
    sequences = dict.fromkeys("abc", 0)
    for symbol, count in turns:
        for _ in range(count):
            sequences[symbol] += 1
            engine.pacer.offer(tick(symbol, sequences[symbol]))
        assert engine.ticks <= WINDOW
        engine.run(run)
    engine.run()
    for symbol, last in sequences.items():
        seen = [one for one in engine.seen if one.symbol == symbol]
        assert [one.sequence for one in seen] == sorted({one.sequence for one in seen})
        assert sum(one.volume_delta for one in seen) == last
        assert not last or seen[-1].sequence == last
