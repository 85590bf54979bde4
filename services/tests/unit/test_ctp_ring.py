"""The ring of a CTP session's process."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import Quote
from aegis.marketdata.adapters.ctp.ring import Ring

MS = 1_000_000


def quote(symbol: str, number: int, at_ms: int = 0) -> Quote:
    return replace(QUOTE, symbol=symbol, volume=number, ts_received_ns=at_ms * MS)


def taken(ring: Ring, limit: int = 1000) -> list[tuple[str, int, int]]:
    return [(each.symbol, each.volume, each.skipped) for each in ring.take(limit)]


def test_quotes_come_out_in_their_order() -> None:
    ring = Ring(size=10, backlog=5, backlog_ms=100)
    for number, symbol in enumerate("aba"):
        ring.append(quote(symbol, number))
    assert taken(ring, 2) == [("a", 0, 0), ("b", 1, 0)]
    assert taken(ring) == [("a", 2, 0)]
    assert taken(ring) == []


def test_a_long_queue_that_is_quick_is_left_alone() -> None:
    ring = Ring(size=1_000, backlog=5, backlog_ms=100)
    for number in range(500):
        ring.append(quote("a", number, at_ms=100))
    assert len(ring) == 500


def test_a_slow_queue_that_is_short_is_left_alone() -> None:
    ring = Ring(size=10, backlog=5, backlog_ms=100)
    for number in range(5):
        ring.append(quote("a", number, at_ms=1_000 * number))
    assert len(ring) == 5


def test_behind_a_backlog_each_instrument_keeps_its_newest_in_the_place_of_its_oldest() -> None:
    ring = Ring(size=1_000, backlog=5, backlog_ms=100)
    for number, symbol in enumerate("abcaba"):
        ring.append(quote(symbol, number, at_ms=21 * number))
    assert taken(ring) == [("a", 5, 2), ("b", 4, 1), ("c", 2, 0)]


def test_a_full_ring_conflates_however_quick_it_is() -> None:
    ring = Ring(size=3, backlog=1, backlog_ms=100)
    for number in range(4):
        ring.append(quote("a", number))
    assert taken(ring) == [("a", 3, 3)]


def test_it_conflates_until_it_is_empty_and_then_no_more() -> None:
    ring = Ring(size=3, backlog=1, backlog_ms=100)
    for number, symbol in enumerate("abab"):
        ring.append(quote(symbol, number))
    assert taken(ring, 1) == [("a", 2, 1)]
    ring.append(quote("b", 4))
    assert taken(ring) == [("b", 4, 2)]
    for number in range(2):
        ring.append(quote("c", number))
    assert taken(ring) == [("c", 0, 0), ("c", 1, 0)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 40), st.integers(0, 3))))
def test_every_quote_comes_out_or_is_counted_by_one_that_came_after_it(
    steps: list[tuple[str, int, int]],
) -> None:
    ring = Ring(size=8, backlog=3, backlog_ms=50)
    offered: Counter[str] = Counter()
    accounted: Counter[str] = Counter()
    at_ms = 0

    def account(quotes: list[Quote]) -> None:
        for each in quotes:
            accounted[each.symbol] += 1 + each.skipped
            assert each.volume == accounted[each.symbol], "the newest of those that it stands for"

    for symbol, wait_ms, count in steps:
        at_ms += wait_ms
        offered[symbol] += 1
        ring.append(quote(symbol, offered[symbol], at_ms))
        assert len(ring) <= 9
        account(ring.take(count))
    account(ring.take(1_000))
    assert accounted == offered
