"""Which quotes of our feed were published by another one already."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import InstrumentId, Level, Quote, Tick
from aegis.marketdata.domain.alignment import Alignment
from aegis.marketdata.domain.sequencer import Origin, Sequencer

ORIGIN = Origin(env="sim", feed="main", source="primary", session="s1", epoch=1, market="m")


def quote(number: int, symbol: str = "a", *, at: int | None = None, day: str = "20250102", bid: float = 1.0) -> Quote:
    """The quote of that volume; `at` is its second, that number where it is not given."""
    return replace(
        QUOTE,
        symbol=symbol,
        trading_day=day,
        volume=number,
        turnover=float(number),
        ts_exchange_ns=(number if at is None else at) * 1_000_000_000,
        bids=(Level(bid, 1),),
        asks=(),
    )


def tick(one: Quote) -> Tick:
    """As the other one publishes it: received at another time, by another session."""
    return Sequencer(ORIGIN).stamp(replace(one, ts_received_ns=7))[1]


def seen(*published: Quote, size: int = 1_000) -> Alignment:
    alignment = Alignment(size)
    for one in published:
        alignment.published(tick(one))
    return alignment


def test_what_was_published_is_not_released() -> None:
    alignment = seen()
    for number in (1, 2, 3):
        alignment.hold(quote(number))
    alignment.published(tick(quote(2)))
    assert alignment.release(99) == [quote(3)]
    assert len(alignment) == 0


def test_what_our_feed_has_not_brought_for_a_minute_is_not_waited_for() -> None:
    """A login that is down brings nothing, all day."""
    alignment = seen(quote(1), quote(2), quote(62))
    alignment.hold(quote(1))
    assert len(alignment) == 1
    alignment.hold(quote(2))
    assert len(alignment) == 0
    assert alignment.release(99) == []


def test_our_feed_may_be_the_slower_one() -> None:
    alignment = seen(quote(1), quote(2), quote(3))
    alignment.hold(quote(1))
    assert alignment.release(99) == []
    assert alignment.lagging() == {InstrumentId(QUOTE.exchange, "a")}
    assert [alignment.admits(quote(number)) for number in (2, 3, 4, 5)] == [False, False, True, True]
    assert not alignment.lagging()


def test_a_slower_feed_that_leaves_out_the_last_published_one_goes_on_behind_it() -> None:
    alignment = seen(quote(1), quote(2), quote(3))
    alignment.release(99)
    assert [alignment.admits(quote(number)) for number in (2, 4, 5)] == [False, True, True]


def test_quotes_of_one_second_are_told_apart_by_their_order() -> None:
    """CZCE stamps no milliseconds: volume and time may be those of the quote before."""
    first, second, third = (quote(5, at=9, bid=bid) for bid in (1.0, 2.0, 3.0))
    alignment = seen()
    for one in (first, second, third):
        alignment.hold(one)
    alignment.published(tick(second))
    assert alignment.release(99) == [third]


def test_equal_quotes_are_counted() -> None:
    alignment = seen()
    for _ in range(3):
        alignment.hold(quote(1))
    alignment.published(tick(quote(1)))
    assert alignment.release(99) == [quote(1), quote(1)]


def test_what_one_feed_left_out_stays_left_out() -> None:
    alignment = seen()
    alignment.hold(quote(1))
    alignment.hold(quote(2))
    alignment.published(tick(quote(2)))
    alignment.published(tick(quote(3)))
    alignment.hold(quote(4))
    assert alignment.release(99) == [quote(4)]


def test_a_quote_without_a_like_is_new_only_if_it_is_later() -> None:
    alignment = seen(quote(5, at=5))
    for one in (
        quote(4, at=4),
        quote(5, at=5, bid=9.0),
        quote(6, at=5),
        quote(1, at=6),
        quote(2, at=1, day="20250103"),
    ):
        alignment.hold(one)
    assert alignment.release(99) == [quote(6, at=5), quote(1, at=6), quote(2, at=1, day="20250103")]


def test_what_was_never_published_is_released_in_the_order_of_its_arrival() -> None:
    alignment = seen()
    quotes = [quote(1, "a"), quote(1, "b"), quote(2, "a"), quote(2, "b")]
    for one in quotes:
        alignment.hold(one)
    assert alignment.release(3) + alignment.release(3) == quotes
    assert not alignment.release(3)


def test_the_ring_forgets_the_oldest() -> None:
    alignment = seen(size=3)
    for number in (1, 2):
        alignment.hold(quote(number, "a"))
    for number in (1, 2):
        alignment.hold(quote(number, "b"))
    assert (len(alignment), alignment.forgotten) == (3, 1)
    assert alignment.release(99) == [replace(quote(2, "a"), skipped=1), quote(1, "b"), quote(2, "b")]


def test_what_was_forgotten_of_an_instrument_of_which_nothing_is_held_is_told_by_its_next_quote() -> None:
    alignment = seen(size=2)
    for one in (quote(1, "a"), replace(quote(2, "a"), skipped=3), quote(1, "b"), quote(2, "b")):
        alignment.hold(one)
    assert alignment.release(99) == [quote(1, "b"), quote(2, "b")]
    assert alignment.untold() == {InstrumentId(QUOTE.exchange, "a"): 5}
    assert not alignment.untold(), "it is told once"


def test_what_is_published_of_what_was_forgotten_is_no_hole_and_our_feed_is_not_behind_it() -> None:
    """CZCE stamps no milliseconds: what comes next may differ by its book alone, and would pass for an older one."""
    first, second, third = (quote(5, at=9, bid=bid) for bid in (1.0, 2.0, 3.0))
    alignment = seen(size=1)
    for one in (first, second, third):
        alignment.hold(one)
    alignment.published(tick(first))
    assert not alignment.lagging()
    assert alignment.release(99) == [replace(third, skipped=1)]


def test_what_is_published_behind_what_was_forgotten_our_feed_has_yet_to_bring() -> None:
    alignment = seen(size=1)
    for one in (quote(1, "a"), quote(1, "b")):
        alignment.hold(one)
    alignment.published(tick(quote(2, "a")))
    alignment.hold(quote(2, "a"))
    assert alignment.release(99) == [quote(1, "b")]
    assert not alignment.untold()


@given(st.integers(0, 2**32), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_one_goes_on_exactly_where_the_other_stops(seed: int, count: int, stops: float, ahead: float) -> None:
    """Two feeds bring the same quotes at their own pace. One stops publishing, the other one takes over."""
    random = Random(seed)
    symbols, second = "abc", 0
    market: list[Quote] = []
    volumes = dict.fromkeys(symbols, 0)
    for _ in range(count):
        symbol = random.choice(symbols)
        second += random.random() < 0.4
        volumes[symbol] += random.choice((0, 1, 2))
        market.append(quote(volumes[symbol], symbol, at=second, bid=random.choice((1.0, 2.0))))
    published, arrived = int(count * stops), int(count * ahead)
    alignment = Alignment(1_000)
    theirs, ours = iter(market[:published]), iter(market[:arrived])
    left = [*["theirs"] * published, *["ours"] * arrived]
    random.shuffle(left)
    for who in left:
        if who == "theirs":
            alignment.published(tick(next(theirs)))
        else:
            alignment.hold(next(ours))
    went_on = alignment.release(99) + [one for one in market[arrived:] if alignment.admits(one)]
    for symbol in symbols:
        whole = [one for one in market[:published] + went_on if one.symbol == symbol]
        assert whole == [one for one in market if one.symbol == symbol]


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 6), st.floats(0, 1))
def test_what_a_ring_that_is_too_small_forgets_is_told(seed: int, count: int, size: int, stops: float) -> None:
    """Our feed is the faster one. What was forgotten is published by the other one, or a hole tells of it."""
    random = Random(seed)
    symbols, second = "abc", 0
    market: list[Quote] = []
    volumes = dict.fromkeys(symbols, 0)
    for _ in range(count):
        symbol = random.choice(symbols)
        second += random.random() < 0.3
        volumes[symbol] += random.choice((0, 1))
        market.append(quote(volumes[symbol], symbol, at=second, bid=float(len(market))))
    published, arrived = int(count * stops), 0
    alignment = Alignment(size)
    for place in range(published):
        ahead = random.choice((0, 0, 1, 9))
        while arrived < min(count, place + 1 + ahead):
            alignment.hold(market[arrived])
            arrived += 1
        alignment.published(tick(market[place]))
    for one in market[arrived:]:
        alignment.hold(one)
    released, untold = alignment.release(99), alignment.untold()
    for symbol in symbols:
        missing = [one for one in market[published:] if one.symbol == symbol]
        for one in released:
            if one.symbol == symbol:
                del missing[: one.skipped]
                assert missing.pop(0) == replace(one, skipped=0)
        assert len(missing) == untold.get(InstrumentId(QUOTE.exchange, symbol), 0)
