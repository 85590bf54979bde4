"""The engine of the simulated market: no event loop, time as an argument."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import pytest

from aegis.contracts.market import Exchange, InstrumentId, Quote
from aegis.exchanges.products import PRODUCTS, product_of
from aegis.exchanges.sessions import flags_at, to_shanghai, to_utc_ns
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, SessionClock, WallClock
from aegis.marketdata.adapters.simulated.market import Market
from aegis.marketdata.adapters.simulated.prices import base_price, limit_ratio
from aegis.marketdata.domain.universe import kind_of

RB = InstrumentId("SHFE", "rb2502")
IF = InstrumentId("CFFEX", "IF2501")
M = InstrumentId("DCE", "m2505")
AU = InstrumentId("SHFE", "au2502")
MINUTE_NS = 60 * SECOND_NS


def market(*watched: InstrumentId, seed: int = 1, rate: float | None = None) -> Market:
    made = Market(SessionClock("20250102", auctions=rate is None), seed=seed, rate=rate)
    made.watch(watched or [instrument.id for instrument in made.instruments])
    return made


def run(made: Market, duration_ns: int, step_ns: int = SECOND_NS) -> list[Quote]:
    quotes: list[Quote] = []
    end_ns = made.running_ns + duration_ns
    while made.running_ns < end_ns:
        quotes += made.step(min(made.running_ns + step_ns, end_ns), received_ns=1)
    return quotes


def by_instrument(quotes: Iterable[Quote]) -> dict[str, list[Quote]]:
    sorted_out: dict[str, list[Quote]] = defaultdict(list)
    for quote in quotes:
        sorted_out[quote.symbol].append(quote)
    return sorted_out


def test_every_product_with_futures_has_a_plausible_price() -> None:
    for product in PRODUCTS.values():
        if product.listing.serial + product.listing.more:
            steps = base_price(product) / product.price_tick
            assert 500 < steps < 100_000, product.code
            assert 0 < limit_ratio(product) <= 0.1


def test_the_market_lists_several_hundred_futures() -> None:
    assert 400 <= len(market().instruments) <= 600


def test_all_futures_are_some_eight_hundred_and_their_options_some_twenty_five_thousand() -> None:
    clock = SessionClock("20251126")
    futures = Market(clock, universe="futures").instruments
    everything = Market(clock, universe="options").instruments
    assert 800 <= len(futures) <= 900
    assert 25_000 <= len(everything) <= 27_000
    assert len({one.id for one in everything}) == len(everything)
    assert {kind_of(one.symbol) for one in everything} == {"future", "option"}
    assert all(product_of(one.exchange, one.symbol) for one in everything)
    assert all((one.expiry_day or "") >= "20251126" for one in everything)
    assert {one.exchange for one in everything if kind_of(one.symbol) == "option"} == {one.value for one in Exchange}


def test_options_on_an_index_are_those_of_the_months_of_its_futures() -> None:
    listed = Market(SessionClock("20251126"), universe="options").instruments
    for code, future in (("IO", "IF"), ("HO", "IH"), ("MO", "IM")):
        options = {one.symbol: one for one in listed if one.product == code}
        days = {one.expiry_day for one in listed if one.product == future}
        assert {one.expiry_day for one in options.values()} == days
        assert all(re.fullmatch(rf"{code}\d{{4}}-[CP]-\d+", symbol) for symbol in options)


def test_an_option_is_quoted_like_any_contract() -> None:
    made = Market(SessionClock("20251126"), universe="options", rate=100)
    option = next(one.id for one in made.instruments if kind_of(one.symbol) == "option")
    made.watch([option])
    quotes = run(made, 2 * SECOND_NS)
    assert {quote.symbol for quote in quotes} == {option.symbol}
    assert all(quote.last_price is not None and quote.last_price > 0 for quote in quotes)


def test_a_new_listing_brings_new_months_and_leaves_out_what_has_expired() -> None:
    made = Market(SessionClock("20250115"), rate=100)
    expiring, staying = InstrumentId("SHFE", "rb2501"), InstrumentId("SHFE", "rb2505")
    made.watch([expiring, staying])
    made.skip(SessionClock("20250115").day_ns)  # the next day
    before = set(made.instruments)
    made.relist()
    gone = {str(one.id) for one in before - set(made.instruments)}
    assert "SHFE.rb2501" in gone
    assert InstrumentId("SHFE", "rb2508") in {one.id for one in set(made.instruments) - before}
    assert made.watched == {staying}
    assert {quote.symbol for quote in run(made, 2 * SECOND_NS)} == {"rb2505"}


def test_the_same_seed_gives_the_same_quotes() -> None:
    assert run(market(seed=7), MINUTE_NS) == run(market(seed=7), MINUTE_NS)
    assert run(market(seed=7), MINUTE_NS) != run(market(seed=8), MINUTE_NS)


def test_the_length_of_the_steps_changes_nothing() -> None:
    assert run(market(RB, IF), MINUTE_NS, SECOND_NS) == run(market(RB, IF), MINUTE_NS, 70_000_000)


def test_only_what_is_watched_moves() -> None:
    made = market(RB, M)
    assert {quote.symbol for quote in run(made, MINUTE_NS)} == {"rb2502", "m2505"}
    made.unwatch([M, IF])
    assert {quote.symbol for quote in run(made, MINUTE_NS)} == {"rb2502"}


def test_watching_returns_what_is_new() -> None:
    made = market(RB)
    assert made.watch([RB, M, M, InstrumentId("SHFE", "rb9912")]) == [M]


def test_main_months_tick_about_twice_a_second_and_far_ones_rarely() -> None:
    counts = {symbol: len(quotes) for symbol, quotes in by_instrument(run(market(), MINUTE_NS)).items()}
    assert 100 <= counts["rb2502"] <= 125
    assert counts.get("rb2507", 0) < 20
    assert 200 * 60 < sum(counts.values()) < 1_500 * 60


def test_in_turn_each_contract_has_as_many_ticks_whatever_is_traded_of_it() -> None:
    made = Market(SessionClock("20250102", auctions=False), rate=1_000, in_turn=True)
    made.watch([one.id for one in made.instruments][:100])
    counts = Counter(quote.symbol for quote in run(made, 2 * SECOND_NS))
    assert (len(counts), set(counts.values())) == (100, {20})


def test_a_rate_is_kept_and_spread_evenly() -> None:
    quotes = run(market(rate=5_000), 2 * SECOND_NS, step_ns=10_000_000)
    assert len(quotes) == 10_000
    assert {later.ts_exchange_ns - earlier.ts_exchange_ns for earlier, later in pairwise(quotes)} == {200_000}


def test_before_its_first_trade_a_contract_has_no_prices_of_the_day() -> None:
    made = market(RB)
    quote = made.snapshot(RB, received_ns=9)
    assert (quote.last_price, quote.open_price, quote.high_price, quote.low_price) == (None, None, None, None)
    assert (quote.volume, quote.turnover, quote.bids, quote.asks) == (0, 0.0, (), ())
    assert quote.flags == ("snapshot",)
    assert quote.ts_received_ns == 9
    assert quote.pre_settlement_price is not None
    assert quote.lower_limit_price is not None
    assert quote.upper_limit_price is not None
    assert quote.lower_limit_price < quote.pre_settlement_price < quote.upper_limit_price


def test_a_snapshot_changes_nothing() -> None:
    made, other = market(RB), market(RB)
    run(made, MINUTE_NS)
    run(other, MINUTE_NS)
    assert made.snapshot(RB, 1) == made.snapshot(RB, 1)
    assert run(made, MINUTE_NS) == run(other, MINUTE_NS)


def test_the_day_opens_with_the_auction() -> None:
    quotes = by_instrument(run(market(RB, IF), 10 * SECOND_NS))
    for symbol, clock in (("rb2502", "08:59:0"), ("IF2501", "09:29:0")):
        first, second = quotes[symbol][:2]
        assert shanghai_clock(first).startswith(clock)
        assert first.flags == ("auction",)
        assert first.open_price == first.last_price is not None
        assert second.flags == ()


def test_time_skips_breaks_and_nights_and_goes_on_with_the_next_trading_day() -> None:
    clock = SessionClock("20250104")  # a Saturday
    made = Market(clock, seed=1)
    made.watch([RB])
    quotes = run(made, 5 * clock.day_ns + MINUTE_NS)
    assert sorted({quote.trading_day for quote in quotes}) == [
        *("20250106", "20250107", "20250108"),
        *("20250109", "20250110", "20250113"),
    ]
    gaps = {
        (shanghai_clock(earlier)[:5], shanghai_clock(later)[:5])
        for earlier, later in pairwise(quotes)
        if later.ts_exchange_ns - earlier.ts_exchange_ns > 5 * MINUTE_NS
    }
    assert gaps == {("08:59", "09:29"), ("10:14", "10:30"), ("11:29", "13:30"), ("14:59", "08:59")}
    assert all(quote.flags in ((), ("auction",)) for quote in quotes)


def shanghai_clock(quote: Quote) -> str:
    _, second, _ = to_shanghai(quote.ts_exchange_ns)
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"


def test_a_new_day_begins_from_nothing_and_from_the_prices_of_the_day_before() -> None:
    made = market(RB, M)
    quotes = run(made, SessionClock("20250102").day_ns + MINUTE_NS)
    for ticks in by_instrument(quotes).values():
        old = [tick for tick in ticks if tick.trading_day == "20250102"]
        new = [tick for tick in ticks if tick.trading_day == "20250103"]
        average = old[-1].turnover / old[-1].volume / 10
        assert new[0].volume < old[-1].volume / 100
        assert new[0].pre_close_price == old[-1].last_price
        assert new[0].pre_open_interest == old[-1].open_interest
        assert new[0].pre_settlement_price == pytest.approx(average, abs=0.5)


@pytest.fixture(scope="module")
def a_busy_morning() -> list[Quote]:
    """Every contract, 48,000 quotes in twelve seconds."""
    return run(market(rate=4_000), 12 * SECOND_NS)


def test_quotes_hold_together(a_busy_morning: list[Quote]) -> None:
    for quote in a_busy_morning:
        assert_consistent(quote)


def assert_consistent(quote: Quote) -> None:
    assert quote.lower_limit_price is not None
    assert quote.upper_limit_price is not None
    bids, asks = [level.price for level in quote.bids], [level.price for level in quote.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids or asks
    assert not (bids and asks) or bids[0] < asks[0]
    assert len(bids) <= 5 >= len(asks)
    assert all(quote.lower_limit_price <= price <= quote.upper_limit_price for price in bids + asks)
    assert all(level.size > 0 for level in quote.bids + quote.asks)
    if quote.volume == 0:
        assert quote.last_price is quote.open_price is quote.high_price is quote.low_price is None
    else:
        assert quote.lower_limit_price <= (quote.low_price or 0) <= (quote.last_price or 0)
        assert (quote.last_price or 0) <= (quote.high_price or 0) <= quote.upper_limit_price
        assert (quote.low_price or 0) <= (quote.open_price or 0) <= (quote.high_price or 0)
    assert quote.open_interest >= 0


def test_volume_and_turnover_only_grow_and_turnover_is_in_yuan(a_busy_morning: list[Quote]) -> None:
    for symbol, ticks in by_instrument(a_busy_morning).items():
        product = next(p for (_, code), p in PRODUCTS.items() if symbol.rstrip("0123456789") == code)
        for earlier, later in pairwise(ticks):
            assert later.volume >= earlier.volume
            assert later.turnover >= earlier.turnover
            assert later.ts_exchange_ns >= earlier.ts_exchange_ns
        last = ticks[-1]
        if last.volume:
            average = last.turnover / last.volume / product.multiplier
            assert last.low_price is not None
            assert last.high_price is not None
            assert last.low_price * 0.999999 <= average <= last.high_price * 1.000001


def test_prices_are_on_the_grid_and_written_as_decimals(a_busy_morning: list[Quote]) -> None:
    for quote in a_busy_morning[::7]:
        for price in (quote.last_price, quote.upper_limit_price, *(level.price for level in quote.bids + quote.asks)):
            assert price is None or len(repr(price).partition(".")[2]) <= 3, price


def test_each_exchange_shows_as_many_levels_as_it_does_in_life(a_busy_morning: list[Quote]) -> None:
    deepest: dict[str, int] = defaultdict(int)
    for quote in a_busy_morning:
        deepest[quote.exchange] = max(deepest[quote.exchange], len(quote.bids), len(quote.asks))
    assert deepest == {"SHFE": 5, "INE": 5, "CFFEX": 5, "GFEX": 5, "DCE": 1, "CZCE": 1}


def test_some_products_open_at_a_limit_with_one_side_of_the_book_empty_but_not_on_the_first_day() -> None:
    made = market(rate=4_000)
    assert all(quote.bids and quote.asks for quote in run(made, SECOND_NS))
    locked: list[Quote] = []
    for _ in range(4):
        quotes = run(made, SECOND_NS)
        for quote in quotes:
            assert_consistent(quote)
        locked += [quote for quote in quotes if not (quote.bids and quote.asks)]
        made.skip(SessionClock("20250102", auctions=False).day_ns)
    assert {bool(quote.bids) for quote in locked} == {True, False}
    for quote in locked:
        best = (quote.bids or quote.asks)[0].price
        assert best == (quote.upper_limit_price if quote.bids else quote.lower_limit_price)


def test_near_a_limit_the_book_ends_there() -> None:
    made = market(rate=4_000)
    run(made, SECOND_NS)
    made.skip(SessionClock("20250102", auctions=False).day_ns)
    assert "ru2501" in {quote.symbol for quote in run(made, SECOND_NS) if not quote.asks}  # on this day, by this seed
    made.unwatch(made.watched - {InstrumentId("SHFE", "ru2501")})
    quotes = run(made, SECOND_NS)
    assert {len(quote.asks) for quote in quotes} >= {0, 1, 2, 3, 4, 5}
    for quote in quotes:
        assert_consistent(quote)


def test_an_expired_contract_falls_silent() -> None:
    made = market(IF)
    made.skip(11 * SessionClock("20250102").day_ns)
    days = {quote.trading_day for quote in run(made, SessionClock("20250102").day_ns, MINUTE_NS)}
    assert days == {"20250117"}
    assert run(made, MINUTE_NS) == []


def test_by_the_wall_clock_there_are_quotes_only_in_session() -> None:
    begin_ns = to_utc_ns("20250102", 20 * 3600 + 58 * 60)
    made = Market(WallClock(), begin_ns=begin_ns)
    made.watch([AU, IF])
    quotes = run(made, 3 * MINUTE_NS)
    assert {quote.symbol for quote in quotes} == {"au2502"}
    assert {(quote.trading_day, quote.action_day) for quote in quotes} == {("20250103", "20250102")}
    assert [shanghai_clock(quote)[:5] for quote in quotes if quote.flags == ("auction",)] == ["20:59"]
    for quote in quotes:
        _, second, _ = to_shanghai(quote.ts_exchange_ns)
        assert quote.flags == flags_at(PRODUCTS["SHFE", "au"].hours, second)


def test_by_the_wall_clock_nothing_moves_on_a_sunday() -> None:
    made = Market(WallClock(), begin_ns=to_utc_ns("20250105", 10 * 3600))
    made.watch([AU, IF])
    assert run(made, MINUTE_NS) == []
    assert made.snapshot(AU, 1).flags == ("snapshot", "out_of_session")
