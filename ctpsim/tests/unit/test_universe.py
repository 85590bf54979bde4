"""What the counter lists."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from aegis.contracts.market import Instrument
from aegis.marketdata.domain.universe import kind_of
from ctpsim.market.clock import Always
from ctpsim.market.simulated import SimulatedMarket
from ctpsim.market.universe import Listing, Option, listed, listings_of

DAY = "20251128"
NAME_BYTES = 20  # of CTP's InstrumentName, without its end


@pytest.fixture(scope="module")
def everything() -> dict[str, Listing]:
    return listed(DAY, "all")


def test_all_are_some_25_000_of_six_exchanges(everything: dict[str, Listing]) -> None:
    assert 20_000 < len(everything) < 30_000
    kinds = Counter(kind_of(symbol) for symbol in everything)
    assert set(kinds) == {"future", "option"}
    assert kinds["future"] == len(listed(DAY, "futures"))
    assert {one.exchange for one in everything.values()} == {"SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX"}


@pytest.mark.parametrize(
    ("exchange", "pattern"),
    [
        ("SHFE", r"cu\d{4}[CP]\d+"),
        ("INE", r"sc\d{4}[CP]\d+"),
        ("DCE", r"m\d{4}-[CP]-\d+"),
        ("GFEX", r"si\d{4}-[CP]-\d+"),
        ("CZCE", r"SR\d{3}[CP]\d+"),
        ("CFFEX", r"IO\d{4}-[CP]-\d+"),
    ],
)
def test_each_exchange_writes_options_its_own_way(everything: dict[str, Listing], exchange: str, pattern: str) -> None:
    found = [one for symbol, one in everything.items() if re.fullmatch(pattern, symbol)]
    assert found
    assert all(one.exchange == exchange and one.option for one in found)


def test_names_fit_into_ctps_record(everything: dict[str, Listing]) -> None:
    assert all(len(one.instrument.name.encode("gb18030")) <= NAME_BYTES for one in everything.values())


def test_what_a_symbol_tells_of_an_option_is_read_from_it() -> None:
    names = {"m2605-C-3000": "DCE", "SR605P5400": "CZCE", "cu2605C86000": "SHFE", "m2605-MS-C-3000": "DCE"}
    found = listings_of([_instrument(exchange, symbol) for symbol, exchange in names.items()], DAY)
    assert found["m2605-C-3000"].option == Option(underlying="m2605", strike=3000, call=True)
    assert found["SR605P5400"].option == Option(underlying="SR605", strike=5400, call=False)
    assert found["cu2605C86000"].option == Option(underlying="cu2605", strike=86000, call=True)
    assert found["m2605-MS-C-3000"].option == Option(underlying="m2605", strike=3000, call=True)
    assert {one.month for one in found.values()} == {"202605"}


def test_a_combination_is_no_option() -> None:
    found = listings_of([_instrument("DCE", "SP m2605&m2609"), _instrument("SHFE", "rb2605")], DAY)
    assert [one.option for one in found.values()] == [None, None]


def test_whatever_the_simulated_market_lists_has_a_state() -> None:
    market = SimulatedMarket(Always(DAY), universe="all")
    listings = market.listings()
    assert len(listings) > 20_000
    assert all(len(one.instrument.name.encode("gb18030")) <= NAME_BYTES for one in listings.values())
    for symbol in list(listings)[::500]:
        assert market.quote(symbol) is not None


def _instrument(exchange: str, symbol: str) -> Instrument:
    return Instrument(exchange=exchange, symbol=symbol, product="", name=symbol, multiplier=10, price_tick=1.0)
