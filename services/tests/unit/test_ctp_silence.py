"""Which silence of a CTP session is a stall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import Flag, Quote
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.adapters.ctp.silence import Pace
from aegis.marketdata.domain.expectation import all_trade

S = 10**9
STALL = 15 * S
HOUR = 3600
REBAR = replace(QUOTE, exchange="SHFE", symbol="rb2605", flags=())
INDEX = replace(QUOTE, exchange="CFFEX", symbol="IF2603", flags=())


def at(day: str, hour: int, minute: int = 0, second: int = 0) -> int:
    return to_utc_ns(day, hour * HOUR + minute * 60 + second)


def stamped(ts_ns: int, *flags: Flag, of: Quote = REBAR) -> Quote:
    return replace(of, ts_exchange_ns=ts_ns, ts_received_ns=ts_ns, flags=flags)


def ticks(end_ns: int, count: int = 60, apart_ns: int = S, of: Quote = REBAR) -> Sequence[Quote]:
    return [stamped(end_ns - number * apart_ns, of=of) for number in reversed(range(count))]


def pace(*batches: Iterable[Quote]) -> Pace:
    made = Pace(all_trade)
    for batch in batches:
        made.heard([*batch])
    return made


def one_by_one(quotes: Iterable[Quote]) -> Pace:
    return pace(*([quote] for quote in quotes))


def test_a_session_that_ticks_once_a_second_and_falls_silent_while_it_trades_is_stalled() -> None:
    found = pace(ticks(at("20251128", 10)))
    assert not found.is_stall(STALL - 1, STALL)
    assert found.is_stall(STALL, STALL)


def test_a_session_that_ticks_less_than_once_a_second_is_not_expected_to_tick() -> None:
    ten = at("20251128", 10)
    assert not pace().is_stall(HOUR * S, STALL)
    assert not pace(ticks(ten, count=59)).is_stall(60 * S, STALL)
    assert not pace(ticks(ten, apart_ns=2 * S)).is_stall(60 * S, STALL)


def test_the_states_of_a_thousand_contracts_that_were_just_subscribed_are_no_pace() -> None:
    ten = at("20251128", 10)
    for flag in ("snapshot", "auction", "out_of_session"):
        assert not pace([stamped(ten, flag)] * 1_000).is_stall(60 * S, STALL)


def test_a_silence_must_be_three_times_as_long_as_any_in_trading_before_it() -> None:
    ten = at("20251128", 10)
    found = pace(ticks(ten - 68 * S), ticks(ten))
    assert not found.is_stall(26 * S, STALL)
    assert found.is_stall(27 * S, STALL)
    assert pace(ticks(ten - 63 * S), ticks(ten)).is_stall(STALL, STALL)


def test_a_busy_session_that_has_rested_before_is_stalled_as_soon_as_any() -> None:
    """A machine that stood still for a while must not make the next silence longer."""
    ten = at("20251128", 10)
    busy = ticks(ten, apart_ns=STALL // 120)
    assert pace(ticks(ten - 60 * S), busy).is_stall(STALL, STALL)
    assert not pace(ticks(ten - 60 * S), ticks(ten, apart_ns=STALL // 110)).is_stall(STALL, STALL)


def test_no_break_counts_as_a_silence_of_the_session() -> None:
    ten_fifteen, half_past_ten = at("20251128", 10, 15, 1), at("20251128", 10, 30)
    found = one_by_one([*ticks(ten_fifteen), *ticks(half_past_ten + 70 * S)])
    assert found.is_stall(STALL, STALL)
    assert pace(ticks(at("20251128", 21, 0) - S), ticks(at("20251128", 21, 2))).is_stall(STALL, STALL)


def test_what_has_ticked_is_forgotten_with_what_is_unsubscribed() -> None:
    found = pace(ticks(at("20251128", 10)))
    found.forget()
    assert not found.is_stall(60 * S, STALL)


def test_where_what_ticked_does_not_trade_any_more_nothing_is_expected_of_the_others() -> None:
    """An index that is traded in steel's break, and seldom ticks."""
    found = pace([stamped(at("20251128", 10, 14), of=INDEX)], ticks(at("20251128", 10, 15)))
    assert not found.is_stall(20 * S, STALL)
    assert pace(ticks(at("20251128", 10, 16), of=INDEX)).is_stall(20 * S, STALL)


def test_the_time_of_the_market_counts_whatever_ours_is() -> None:
    assert not pace(ticks(at("20251128", 11, 30))).is_stall(16 * S, STALL)
    assert not pace(ticks(at("20251129", 10))).is_stall(16 * S, STALL), "a Saturday"


@pytest.mark.parametrize("flags", [(), ("snapshot",)])
def test_the_state_of_the_morning_that_follows_a_subscription_at_lunch_sets_no_clock_back(
    flags: tuple[Flag, ...],
) -> None:
    """At 11:45 a contract is subscribed again that traded last at 10:00; 16 s later all is well."""
    half_past_eleven = at("20251128", 11, 30)
    late = replace(stamped(at("20251128", 10), *flags), ts_received_ns=half_past_eleven + S)
    assert not pace(ticks(half_past_eleven), [late]).is_stall(16 * S, STALL)


def test_a_break_that_ends_is_no_stall_before_the_market_had_time_to_tick() -> None:
    last, opening = at("20251128", 11, 30), at("20251128", 13, 30)
    found = pace(ticks(last))
    assert not found.is_stall(opening - last + S, STALL)
    assert not found.is_stall(opening - last + 14 * S, STALL)
    assert found.is_stall(opening - last + 15 * S, STALL)
