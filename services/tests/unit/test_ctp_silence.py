"""By which clock the silence of a CTP session is judged."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import Flag, Instrument, Quote
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.adapters.ctp.silence import MarketClock
from aegis.marketdata.domain.expectation import is_trading

S = 10**9
STALL = 15 * S
HOUR = 3600
REBAR = Instrument(exchange="SHFE", symbol="rb2605", product="rb", name="rb2605", multiplier=10, price_tick=1.0)


def at(day: str, hour: int, minute: int = 0, second: int = 0) -> int:
    return to_utc_ns(day, hour * HOUR + minute * 60 + second)


def stamped(ts_ns: int, *flags: Flag) -> Quote:
    return replace(QUOTE, ts_exchange_ns=ts_ns, flags=flags)


def is_a_stall(clock: MarketClock, silent_ns: int, now_ns: int) -> bool:
    return all(is_trading([REBAR], *span) for span in clock.spans(silent_ns, STALL, now_ns))


def test_before_any_quote_our_own_clock_counts() -> None:
    clock = MarketClock()
    assert is_a_stall(clock, 16 * S, at("20251128", 10))
    assert not is_a_stall(clock, 16 * S, at("20251128", 12))


def test_the_time_of_the_market_counts_once_it_ticks_whatever_ours_is() -> None:
    clock = MarketClock()
    clock.heard([stamped(at("20251128", 10))])
    assert is_a_stall(clock, 16 * S, at("20260704", 4))
    clock.heard([stamped(at("20251128", 11, 30))])
    assert not is_a_stall(clock, 16 * S, at("20251128", 10))


def test_the_states_that_follow_a_subscription_before_the_opening_are_no_clock() -> None:
    """A contract that traded last at 14:38 answers with that time; the front opens at 20:30, the market at 21:00."""
    clock = MarketClock()
    clock.heard([stamped(at("20251128", 14, 59), "snapshot"), stamped(at("20251128", 14, 38), "snapshot")])
    assert not is_a_stall(clock, 16 * S, at("20251128", 20, 31))
    assert is_a_stall(clock, 16 * S, at("20251128", 21, 1))
    clock.heard([stamped(at("20251128", 15), "snapshot", "out_of_session")])
    assert not is_a_stall(clock, 16 * S, at("20251128", 21, 1)), "a market of another day, perhaps"


@pytest.mark.parametrize("flags", [(), ("snapshot",)])
def test_the_state_of_the_morning_that_follows_a_subscription_at_lunch_sets_no_clock_back(
    flags: tuple[Flag, ...],
) -> None:
    """At 11:45 a contract is subscribed again that traded last at 10:00; 16 s later all is well."""
    clock = MarketClock()
    clock.heard([stamped(at("20251128", 11, 30))])
    clock.heard([stamped(at("20251128", 10), *flags)])
    assert not is_a_stall(clock, 16 * S, at("20251128", 11, 45, 16))


def test_a_break_that_ends_is_no_stall_before_the_market_had_time_to_tick() -> None:
    clock = MarketClock()
    last = at("20251128", 11, 30)
    clock.heard([stamped(last)])
    opening = at("20251128", 13, 30)
    assert not is_a_stall(clock, opening - last + S, 0)
    assert not is_a_stall(clock, opening - last + 14 * S, 0)
    assert is_a_stall(clock, opening - last + 15 * S, 0)
