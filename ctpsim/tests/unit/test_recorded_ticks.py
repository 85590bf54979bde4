"""Recorded ticks survive the way through a CTP record. Skipped where no recordings are.

They are looked for in the directory that AEGIS_RECORDED_TICKS names, by default in the first `data/ticks` of one
beside the checkout.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from aegis.exchanges.products import product_of
from aegis.marketdata.adapters.ctp_fields import DepthConverter, depth_record, facts_of_product
from aegis.marketdata.adapters.replay.reading import merged, recordings_in
from ctpsim import building, installed
from ctpsim.market.depth import Depth
from ctpsim.records import Records

ROOT = Path(__file__).parents[3]
ROWS = 3_000


def recordings() -> list[Path]:
    named = os.environ.get("AEGIS_RECORDED_TICKS")
    directory = Path(named) if named else min(ROOT.parent.glob("*/data/ticks"), default=None)
    return sorted(directory.glob("*.csv.gz")) if directory else []


def multiplier(exchange: str, symbol: str) -> float:
    product = product_of(exchange, symbol)
    return float(product.multiplier) if product else 1.0


@pytest.mark.parametrize("path", recordings() or [None], ids=lambda path: path.name if path else "none")
def test_a_recorded_quote_comes_back_from_its_record(path: Path | None) -> None:
    if path is None or building.compiler() is None:
        pytest.skip("no recorded ticks: AEGIS_RECORDED_TICKS names no directory that has them")
    depth, records = Depth(installed.layout(), multiplier), Records(installed.layout())
    converter = DepthConverter(facts_of_product)
    for quote in islice(merged(recordings_in(path), lambda *_: None), ROWS):
        values = {**records.unpack("DepthMarketData", depth.record(quote)), "ExchangeID": quote.exchange}
        again = converter.quote(depth_record(values), quote.ts_received_ns)
        millisecond = quote.ts_exchange_ns // 1_000_000 % 1000 if quote.exchange == "CZCE" else 0
        assert again.ts_exchange_ns == quote.ts_exchange_ns - millisecond * 1_000_000
        assert (again.trading_day, again.action_day) == (quote.trading_day, quote.action_day)
        assert (again.bids, again.asks) == (quote.bids, quote.asks)
        assert (again.last_price, again.upper_limit_price) == (quote.last_price, quote.upper_limit_price)
        assert again.settlement_price == quote.settlement_price
        assert (again.volume, again.open_interest) == (quote.volume, quote.open_interest)
        assert again.turnover == pytest.approx(quote.turnover)
