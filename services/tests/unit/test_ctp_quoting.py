"""Quotes of one session's records, and what becomes of records that are none."""

from __future__ import annotations

from typing import Any

import pytest
from universes import instrument

from aegis.marketdata.adapters.ctp.quoting import Quoting
from aegis.marketdata.adapters.ctp_fields import DEPTH_FIELDS, depth_record


def record(symbol: str, **changed: Any) -> tuple[Any, ...]:
    fields = {
        **dict.fromkeys(DEPTH_FIELDS, 0.0),
        "TradingDay": "20250102",
        "ActionDay": "20250102",
        "UpdateTime": "10:00:00",
        "UpdateMillisec": 500,
        "InstrumentID": symbol,
        "ExchangeID": "SHFE",
        "LastPrice": 100.0,
        "Volume": 1,
    }
    return depth_record({**fields, **changed})


def quoting(rejected: list[str]) -> Quoting:
    known = {one.symbol: one for one in map(instrument, ("SHFE.rb2505", "SHFE.rb2510"))}
    return Quoting(known, lambda reason, _: rejected.append(reason))


def test_what_was_left_out_before_a_record_that_is_none_is_counted_by_the_next_of_its_instrument() -> None:
    rejected: list[str] = []
    one = quoting(rejected)
    assert one.quote(1, 3, record("rb2505", Volume=-5)) is None
    assert one.quote(2, 1, record("rb2505", Volume=-5)) is None
    assert rejected == ["malformed_row"] * 2
    quotes = [one.quote(3, 0, record(symbol)) for symbol in ("rb2510", "rb2505", "rb2505")]
    assert [quote and quote.skipped for quote in quotes] == [0, 4, 0]


@pytest.mark.parametrize("exchange", ["SHFE", ""])
def test_what_comes_first_of_an_instrument_that_is_subscribed_again_is_its_state(exchange: str) -> None:
    one = quoting([])
    taken = record("rb2505", ExchangeID=exchange)

    def is_snapshot() -> bool:
        quote = one.quote(1, 0, taken)
        return quote is not None and "snapshot" in quote.flags

    assert [is_snapshot(), is_snapshot()] == [True, False]
    one.forget(["rb2505", "unheard-of"])
    assert [is_snapshot(), is_snapshot()] == [True, False]


def test_what_nobody_foresaw_and_whom_the_counter_does_not_know_stop_nothing() -> None:
    rejected: list[str] = []
    one = quoting(rejected)
    assert one.quote(1, 0, ()) is None
    assert one.quote(1, 0, record("rb2605")) is None
    assert one.quote(1, 0, record("rb2505", ExchangeID="DCE")) is None
    assert one.quote(1, 0, record("rb2505")) is not None
    assert rejected == ["malformed_row", "unknown_instrument", "unknown_instrument"]
