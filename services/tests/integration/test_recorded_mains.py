"""Main contracts by our rule, of ten recorded minutes of the whole market, against a list that others keep."""

from __future__ import annotations

import json

import pytest
import recorded_ticks

from aegis.marketdata.adapters.replay import read_quotes
from aegis.marketdata.domain.closes import Closes
from aegis.marketdata.domain.rolls import decide

pytestmark = pytest.mark.slow

DAY, NEXT = "20220218", "20220221"
FEW_LOTS = 1_000
"""Products of which nobody holds anything have no main contract that two lists could agree on."""


def test_they_are_those_of_another_list_wherever_there_is_a_choice_and_open_interest() -> None:
    others = json.loads(recorded_ticks.file("../reference/wondertrader_hots.json").read_text())
    closes = Closes()
    for quote in read_quotes(recorded_ticks.file("MARKET_20220218_1120-1130.wt.csv.gz"), lambda *_: None):
        closes.see(quote)
    compared = 0
    for product, contracts in closes.of(DAY).items():
        rolls = others.get(product.exchange, {}).get(product.code, [])
        before = [roll["to"] for roll in rolls if roll["date"] <= int(NEXT)]
        held = sum(close.open_interest for close in contracts.values())
        if before and len(contracts) > 1 and held >= FEW_LOTS:
            decided = decide(None, product.exchange, product.code, DAY, contracts.values())
            assert decided is not None
            assert decided.rolls[0].symbol == before[-1], product
            compared += 1
    assert compared == 56
