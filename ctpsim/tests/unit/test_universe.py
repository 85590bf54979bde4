"""What the counter lists."""

from __future__ import annotations

from aegis.contracts.market import Instrument
from ctpsim.market.clock import Always
from ctpsim.market.simulated import SimulatedMarket
from ctpsim.market.universe import Option, listings_of

DAY = "20251128"
NAME_BYTES = 20  # of CTP's InstrumentName, without its end


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
