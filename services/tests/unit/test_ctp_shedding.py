"""What a CTP session leaves out when it is slower than its market."""

from __future__ import annotations

from collections import Counter
from sys import getsizeof

from hypothesis import given
from hypothesis import strategies as st

from aegis.marketdata.adapters.ctp.shedding import Backlog, Held, Shed, allocated_bytes

MB = 1 << 20
PAUSE = 100


def numbered(number: int) -> dict[str, int]:
    return {"number": number}


def test_an_instrument_passes_once_in_a_pause_and_its_newest_after_it() -> None:
    shed = Shed(PAUSE)
    assert shed.take("a", numbered(1), 1_000, shedding=True) == Held(numbered(1), 1_000, 0)
    assert shed.take("a", numbered(2), 1_010, shedding=True) is None
    assert shed.take("b", numbered(1), 1_020, shedding=True) == Held(numbered(1), 1_020, 0)
    assert shed.take("a", numbered(3), 1_090, shedding=True) is None
    assert shed.due(1_099) == []
    assert shed.due(1_100) == [Held(numbered(3), 1_090, 1)]
    assert shed.take("a", numbered(4), 1_150, shedding=True) is None, "the pause begins anew"
    assert shed.take("a", numbered(5), 1_200, shedding=True) == Held(numbered(5), 1_200, 1)
    assert not shed


def test_without_shedding_all_pass_and_the_first_stands_for_what_was_held() -> None:
    shed = Shed(PAUSE)
    shed.take("a", numbered(1), 1_000, shedding=True)
    shed.take("a", numbered(2), 1_001, shedding=True)
    assert shed.take("a", numbered(3), 1_002, shedding=False) == Held(numbered(3), 1_002, 1)
    assert shed.take("a", numbered(4), 1_003, shedding=False) == Held(numbered(4), 1_003, 0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.booleans(), st.booleans())))
def test_every_record_passes_or_is_counted_by_a_later_one(steps: list[tuple[str, int, bool, bool]]) -> None:
    shed, now = Shed(PAUSE), 1_000
    came: Counter[str] = Counter()
    accounted: Counter[str] = Counter()

    def account(held: Held | None) -> None:
        if held is not None:
            symbol, number = held.data["symbol"], held.data["number"]
            accounted[symbol] += 1 + held.skipped
            assert accounted[symbol] == number

    for symbol, wait, shedding, look in steps:
        now += wait
        came[symbol] += 1
        account(shed.take(symbol, {"symbol": symbol, "number": came[symbol]}, now, shedding=shedding))
        for held in shed.due(now) if look else ():
            account(held)
    for held in shed.all(now):
        account(held)
    assert accounted == came


def test_the_tables_of_what_is_held_back_are_known() -> None:
    shed = Shed(PAUSE)
    record = {f"field{number}": 0.0 for number in range(46)}
    for number in range(1_000):
        for _ in range(2):
            shed.take(str(number), dict(record), 1_000, shedding=True)
    assert shed.held_bytes() == 1_000 * getsizeof(dict(record)) > MB


def test_a_backlog_is_large_from_its_high_water_to_its_low_water() -> None:
    backlog = Backlog()
    levels = [10, 11, 13.9, 14.1, 14, 12, 10.5, 11]
    assert [backlog.look(number / 40, int(level * MB)) for number, level in enumerate(levels)] == [
        *(False, False, False),
        *(True, True, True),
        *(False, False),
    ]


def looked_at(*sizes_mb: float) -> list[bool]:
    """What is said of a backlog of these sizes, one after the other, forty times a second."""
    backlog = Backlog()
    return [backlog.look(number / 40, int((10 + size) * MB)) for number, size in enumerate(sizes_mb)]


def test_a_backlog_that_rises_without_a_pause_is_large_before_it_is_high() -> None:
    steadily = [number * 0.2 for number in range(20)]
    assert looked_at(*steadily).index(True) == 8, "1.6 MB"
    assert not any(looked_at(0, 0, 0, 1.6, 1.8, 1.9)), "for less than a tenth of a second"
    assert not any(looked_at(0, 3.9, *[3.8 - size for size in steadily[:19]])), "a pause of the machine, made up"
    assert not any(looked_at(*steadily[:8], *[1.5 + number / 100 for number in range(40) for _ in "ab"]))


def test_what_grows_slowly_is_no_backlog() -> None:
    backlog = Backlog()
    assert not any(backlog.look(second, second * MB // 20) for second in range(10_000))


def test_a_backlog_is_known_while_it_lasts() -> None:
    backlog = Backlog()
    backlog.look(0.0, 10 * MB)
    assert all(backlog.look(1 + number / 40, 30 * MB) for number in range(40 * 50))


def test_the_c_library_tells_what_is_allocated() -> None:
    allocated = allocated_bytes()
    assert allocated is not None
    before = allocated()
    kept = [bytes(100_000) for _ in range(100)]
    assert 5 * MB < allocated() - before < 20 * MB
    del kept
