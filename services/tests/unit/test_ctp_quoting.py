"""Quotes of one session's records, and what becomes of records that are none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from universes import instrument

from aegis.contracts.market import InstrumentId
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


KNOWN = {one.symbol: one for one in map(instrument, ("SHFE.rb2505", "SHFE.rb2510"))}
REBAR = InstrumentId("SHFE", "rb2505")


def quoting(rejected: list[str]) -> Quoting:
    return Quoting(KNOWN, lambda reason, detail, count, instrument: rejected.append(reason))


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


def test_each_record_is_a_quote_or_left_out_or_rejected_by_its_instrument_to_the_session_s_end() -> None:
    """Received: one and three left out, one and two left out, one, one of nobody, and one with an empty name."""
    rejected: Counter[InstrumentId | None] = Counter()
    one = Quoting(KNOWN, lambda reason, detail, count, instrument: rejected.update({instrument: count}))
    first = one.quote(1, 3, record("rb2505"))
    assert (first and first.skipped) == 3
    for skipped, symbol, volume in ((2, "rb2505", -5), (0, "rb2505", -5), (0, "zz9999", 1), (0, "", 1)):
        assert one.quote(1, skipped, record(symbol, Volume=volume)) is None
    assert rejected == {REBAR: 2, None: 2}
    for _ in range(2):
        one.end()
    assert rejected == {REBAR: 4, None: 2}


def test_what_nobody_foresaw_and_whom_the_counter_does_not_know_stop_nothing() -> None:
    rejected: list[str] = []
    one = quoting(rejected)
    assert one.quote(1, 0, ()) is None
    assert one.quote(1, 0, record("rb2605")) is None
    assert one.quote(1, 0, record("rb2505", ExchangeID="DCE")) is None
    assert one.quote(1, 0, record("rb2505")) is not None
    assert rejected == ["malformed_row", "unknown_instrument", "unknown_instrument"]
