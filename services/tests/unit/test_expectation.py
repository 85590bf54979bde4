"""When a silence of the market is none of the market's."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import Quote
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.domain.expectation import all_trade


def of(exchange: str, symbol: str) -> Quote:
    return replace(QUOTE, exchange=exchange, symbol=symbol)


STEEL, INDEX, UNKNOWN = of("SHFE", "rb2505"), of("CFFEX", "IF2503"), of("SHFE", "zz2505")


def at(day: str, clock: str) -> int:
    hour, minute, second = map(int, clock.split(":"))
    return to_utc_ns(day, hour * 3600 + minute * 60 + second)


@pytest.mark.parametrize(
    ("day", "begin", "end", "expected"),
    [
        ("20250102", "09:00:10", "09:00:25", True),
        ("20250102", "10:14:50", "10:15:05", False),  # the morning's break has begun
        ("20250102", "10:29:50", "10:30:05", False),  # and is just over
        ("20250102", "12:00:00", "12:00:15", False),
        ("20250102", "21:00:10", "21:00:25", True),
        ("20250102", "22:59:50", "23:00:05", False),  # the night's end
        ("20250104", "09:00:10", "09:00:25", False),  # a Saturday
    ],
)
def test_ticks_are_expected_while_a_product_trades(day: str, begin: str, end: str, expected: bool) -> None:
    assert all_trade([STEEL], at(day, begin), at(day, end)) is expected


def test_each_product_that_ticked_must_trade() -> None:
    break_of_steel = at("20250102", "10:20:00"), at("20250102", "10:20:15")
    assert all_trade([INDEX], *break_of_steel)
    assert not all_trade([STEEL, INDEX], *break_of_steel), "the pace was steel's, perhaps"


def test_an_unknown_product_is_not_counted_on() -> None:
    morning = at("20250102", "09:00:10"), at("20250102", "09:00:25")
    assert not all_trade([UNKNOWN], *morning)
    assert all_trade([UNKNOWN, STEEL], *morning)
