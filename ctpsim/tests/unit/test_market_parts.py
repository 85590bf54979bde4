"""The counter's contracts, its time, and its ticks as CTP writes them."""

from __future__ import annotations

import re
import struct

import pytest

from aegis.contracts.market import Quote
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.adapters.ctp_fields import DepthConverter, Facts, depth_record
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, WallClock
from aegis.marketdata.adapters.simulated.market import Market
from ctpsim import building, installed
from ctpsim.frames import HEAD
from ctpsim.front.faults import Faults
from ctpsim.front.spoiling import Spoiling
from ctpsim.headers import Layout
from ctpsim.market.clock import Always, FrontState, front_state
from ctpsim.market.depth import Depth
from ctpsim.market.load import Arena, LoadMarket
from ctpsim.market.universe import listed
from ctpsim.records import MISSING, Records

DAY = "20251128"


@pytest.fixture(scope="module")
def layout() -> Layout:
    if building.compiler() is None:
        pytest.skip("there is no C++ compiler, so CTP's headers were not fetched")
    return installed.layout()


def multiplier(exchange: str, symbol: str) -> float:
    product = product_of(exchange, symbol)
    assert product is not None
    return product.multiplier


def facts(exchange: str, symbol: str) -> Facts:
    product = product_of(exchange, symbol)
    assert product is not None
    return Facts(product.exchange.value, product.multiplier, product.hours)


@pytest.mark.parametrize("opening", ["20:58:00", "23:59:50", "08:58:00", "14:59:00"])
def test_a_quote_becomes_a_record_and_the_desk_makes_the_same_quote_of_it(layout: Layout, opening: str) -> None:
    hour, minute, second = map(int, opening.split(":"))
    night = hour > 18
    begin_ns = to_utc_ns("20251127" if night else DAY, hour * 3600 + minute * 60 + second)
    market = Market(WallClock(), begin_ns=begin_ns)
    market.watch(instrument.id for instrument in market.instruments)
    quotes = market.step(begin_ns + 90 * SECOND_NS, 7)
    depth, records, converter = Depth(layout, multiplier), Records(layout), DepthConverter(facts)
    assert len({quote.exchange for quote in quotes}) >= (2 if opening == "23:59:50" else 4)
    for quote in quotes:
        values = records.unpack("DepthMarketData", depth.record(quote))
        converted = converter.quote(depth_record(values), 7)
        assert as_sent(converted) == as_sent(quote)


def as_sent(quote: Quote) -> tuple[object, ...]:
    """What of a quote survives: CZCE's milliseconds do not, nor flags, and turnover only to the precision of floats."""
    ts_ns = quote.ts_exchange_ns // SECOND_NS if quote.exchange == "CZCE" else quote.ts_exchange_ns // 1_000_000
    prices = (quote.last_price, quote.open_price, quote.high_price, quote.low_price, quote.pre_close_price)
    days = (quote.symbol, quote.trading_day, quote.action_day, ts_ns)
    book = (quote.bids, quote.asks, quote.upper_limit_price, quote.lower_limit_price)
    return (*days, *prices, *book, quote.volume, round(quote.turnover, 3), quote.open_interest)


def test_each_exchange_has_its_habits_at_night(layout: Layout) -> None:
    begin_ns = to_utc_ns("20251127", 21 * 3600)
    market = Market(WallClock(), begin_ns=begin_ns)
    market.watch(instrument.id for instrument in market.instruments)
    depth, records = Depth(layout, multiplier), Records(layout)
    quotes = {quote.exchange: quote for quote in market.step(begin_ns + 5 * SECOND_NS, 7)}
    found = {exchange: records.unpack("DepthMarketData", depth.record(quote)) for exchange, quote in quotes.items()}
    days = {exchange: (values["TradingDay"], values["ActionDay"]) for exchange, values in found.items()}
    assert days == {
        "SHFE": (DAY, "20251127"),
        "INE": (DAY, "20251127"),
        "DCE": (DAY, DAY),
        "CZCE": ("20251127", "20251127"),
    }
    assert {found["SHFE"]["SettlementPrice"], found["DCE"]["BidPrice2"], found["SHFE"]["CurrDelta"]} == {MISSING}
    assert {found["CZCE"]["SettlementPrice"], found["CZCE"]["BidPrice2"]} == {0}
    assert {values["ExchangeID"] for values in found.values()} == {""}
    sugar = quotes["CZCE"]
    assert found["CZCE"]["Turnover"] == pytest.approx(sugar.turnover / multiplier("CZCE", sugar.symbol))


@pytest.mark.parametrize(
    ("day", "clock", "state"),
    [
        ("20251127", "19:59", "closed"),
        ("20251127", "20:00", "starting"),
        ("20251127", "20:30", "open"),
        ("20251128", "02:59", "open"),
        ("20251128", "03:00", "closed"),
        ("20251128", "08:00", "starting"),
        ("20251128", "08:30", "open"),
        ("20251128", "12:00", "open"),
        ("20251128", "15:44", "open"),
        ("20251128", "15:45", "closed"),
        ("20251128", "21:00", "open"),  # Friday night is Monday's
        ("20251129", "01:00", "open"),
        ("20251129", "10:00", "closed"),
        ("20251129", "21:00", "closed"),
        ("20251201", "00:30", "closed"),  # there was no Sunday night
        ("20251231", "21:00", "closed"),  # a holiday follows
        ("20260101", "10:00", "closed"),
        ("20260105", "10:00", "open"),
    ],
)
def test_a_front_has_hours(day: str, clock: str, state: str) -> None:
    second = int(clock[:2]) * 3600 + int(clock[3:]) * 60
    assert front_state(day, second) is FrontState(state)


def test_there_are_some_850_futures_and_25000_contracts_in_the_words_of_their_exchanges() -> None:
    futures, contracts = listed(DAY, "futures"), listed(DAY, "all")
    assert 800 < len(futures) < 900
    assert 24_500 < len(contracts) < 26_500
    shapes = {
        "SHFE": r"[a-z]{2}\d{4}([CP]\d+)?",
        "INE": r"[a-z]{2}\d{4}([CP]\d+)?",
        "DCE": r"[a-z]{1,2}\d{4}(-[CP]-\d+)?",
        "GFEX": r"[a-z]{2}\d{4}(-[CP]-\d+)?",
        "CFFEX": r"[A-Z]{1,2}\d{4}(-[CP]-\d+)?",
        "CZCE": r"[A-Z]{2}\d{3}([CP]\d+)?",
    }
    for symbol, listing in contracts.items():
        assert re.fullmatch(shapes[listing.exchange], symbol), symbol
        assert len(listing.instrument.name.encode("gb18030")) <= 20
        product = product_of(listing.exchange, symbol)
        assert product is not None
        assert product.exchange.value == listing.exchange
    assert {contracts[symbol].product_id for symbol in ("m2605-C-3000", "SR605P5400", "cu2603C86000", "rb2605")} == {
        *("m_o", "SRP", "cu_o", "rb")
    }


def test_load_ticks_come_in_turn_and_only_what_changes_is_patched(layout: Layout) -> None:
    depth = Depth(layout, multiplier)
    market = LoadMarket(layout, depth, Always(DAY), universe="futures", instruments=900, rate=1)
    arena, records = Arena(layout, depth), Records(layout)
    symbols = ("rb2605", "SR605", "IF2512")
    for symbol in symbols:
        quote = market.quote(symbol)
        assert quote is not None
        arena.add(quote, market.listings()[symbol].multiplier)
    taken = [arena.take(2, sent_us, b"10:00:01", 500) for sent_us in (1_000_000, 2_000_000, 3_000_000)]
    assert [list(names) for _, names in taken] == [["rb2605", "SR605"], ["IF2512"], ["rb2605", "SR605"]]
    frames, _ = taken[2]
    size = HEAD.size + records.size("DepthMarketData")
    rebar, sugar = (records.unpack("DepthMarketData", frames[at + HEAD.size : at + size]) for at in (0, size))
    before = market.quote("rb2605")
    assert before is not None
    assert (rebar["Turnover"], rebar["Volume"], rebar["UpdateTime"]) == (3_000_000, before.volume + 2, "10:00:01")
    assert sugar["Turnover"] == 300_000, "a client multiplies CZCE's"
    assert rebar["LastPrice"] in (rebar["BidPrice1"], rebar["AskPrice1"])
    assert (rebar["BidPrice5"], rebar["InstrumentID"]) == (before.bids[4].price, "rb2605")
    assert struct.unpack_from("<I", frames, size)[0] == records.size("DepthMarketData")


def test_without_faults_quotes_pass_as_they_are() -> None:
    faults = Faults()
    quotes: list[Quote] = []
    assert Spoiling(faults).spoiled(quotes) is quotes
