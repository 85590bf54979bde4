"""What the counter lists."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aegis.contracts.market import Instrument, Quote
from ctpsim.market.clock import Always, Hours
from ctpsim.market.simulated import SimulatedMarket
from ctpsim.market.universe import Option, listings_of
from ctpsim.options import moment_ns

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


async def test_a_contract_that_expired_is_gone_on_the_next_day_and_the_others_go_on() -> None:
    clock = Hours(moment_ns("2025-12-15T10:00"))
    market = SimulatedMarket(clock, universe="futures")
    market.watch(["rb2512", "rb2605"])
    assert market.quote("rb2512") is not None
    running = asyncio.create_task(market.run(Listener()))
    clock.jump(moment_ns("2025-12-16T10:00"))
    async with asyncio.timeout(60):
        while "rb2512" in market.listings():
            await asyncio.sleep(0.01)
    running.cancel()
    assert market.quote("rb2605") is not None
    assert market.trading_day() == "20251216"


class Listener:
    """An audience that does not mind."""

    def publish(self, quotes: Sequence[Quote]) -> None: ...
    def publish_frames(self, frames: bytes, symbols: Sequence[str]) -> None: ...
    async def room(self) -> None: ...
