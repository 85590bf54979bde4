"""The closes of trading days, by the market's own clock."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from samples import TICK

from aegis.contracts.market import Tick
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.domain.closes import Closes, ProductId

DAY, NEXT = "20250303", "20250304"
RB = ProductId("SHFE", "rb")
NOON_S, LAST_S, NIGHT_S = 12 * 3600, 15 * 3600, 21 * 3600
HOUR_NS = 3_600_000_000_000


def tick(second: int, day: str = DAY, action_day: str = DAY, **fields: Any) -> Tick:
    at_ns = to_utc_ns(action_day, second)
    defaults: dict[str, Any] = {"ts_exchange_ns": at_ns, "ts_received_ns": at_ns, "trading_day": day}
    return replace(TICK, **(defaults | fields))


def seen(*ticks: Tick) -> Closes:
    closes = Closes()
    for each in ticks:
        closes.see(each)
    return closes


def test_the_last_tick_of_the_day_counts() -> None:
    closes = seen(
        tick(NOON_S, volume=5, open_interest=10.0), tick(LAST_S, volume=9, open_interest=20.0, last_price=3400.0)
    )
    close = closes.of(DAY)[RB]["rb2505"]
    assert (close.open_interest, close.volume, close.price) == (20.0, 9, 3400.0)
    assert (close.month, close.expiry_day) == ("202505", "20250515")


def test_a_feed_may_know_better_when_a_contract_expires() -> None:
    closes = Closes({"SHFE.rb2505": "20250514"}.get)
    closes.see(tick(LAST_S))
    assert closes.of(DAY)[RB]["rb2505"].expiry_day == "20250514"


def test_what_a_feed_learns_about_expiry_counts_from_the_next_day_on() -> None:
    expiries: dict[str, str] = {}
    closes = Closes(expiries.get)
    closes.see(tick(LAST_S))
    expiries["SHFE.rb2505"] = "20250514"
    closes.forget(DAY)
    closes.see(tick(NIGHT_S, day=NEXT))
    assert closes.of(NEXT)[RB]["rb2505"].expiry_day == "20250514"


def test_only_futures_of_known_products_are_kept() -> None:
    names = ["rb2505C3000", "SP m2505&m2509", "zz2505", "l2505F", "rb2513", "IO2505-C-3000"]
    closes = seen(*(tick(LAST_S, symbol=name) for name in names))
    assert closes.of(DAY) == {}


def test_stale_ticks_and_those_of_no_trading_day_do_not_count() -> None:
    closes = seen(tick(LAST_S, flags=("stale",)), tick(LAST_S, day="20250302"), tick(LAST_S, day="soon"))
    assert closes.over(2**62) == []


def test_what_has_less_volume_is_older() -> None:
    closes = seen(tick(LAST_S, volume=9, open_interest=20.0), tick(NOON_S, volume=5, open_interest=10.0))
    assert closes.of(DAY)[RB]["rb2505"].open_interest == 20.0


def test_a_live_day_is_over_at_four_in_the_afternoon() -> None:
    closes = seen(tick(LAST_S))
    last_ns = to_utc_ns(DAY, LAST_S)
    assert closes.over(last_ns + HOUR_NS - 1) == []
    assert closes.over(last_ns + HOUR_NS) == [DAY]


def test_a_replayed_day_is_over_by_its_own_clock() -> None:
    received_ns = to_utc_ns("20260105", 0)
    closes = seen(tick(LAST_S, ts_received_ns=received_ns))
    assert closes.over(received_ns + HOUR_NS - 1) == []
    closes.see(tick(NIGHT_S, day=NEXT, symbol="rb2510", ts_received_ns=received_ns + 1))
    assert closes.over(received_ns + 1) == [DAY]


def test_the_ticks_of_the_night_after_are_not_its_close() -> None:
    closes = seen(tick(LAST_S, volume=9, open_interest=20.0), tick(NIGHT_S, day=NEXT, volume=1, open_interest=5.0))
    assert closes.of(DAY)[RB]["rb2505"].open_interest == 20.0
    assert closes.of(NEXT)[RB]["rb2505"].open_interest == 5.0


def test_a_day_that_is_done_is_gone_and_stays_so() -> None:
    closes = seen(tick(LAST_S))
    closes.forget(DAY)
    closes.see(tick(LAST_S))
    assert closes.of(DAY) == {}
    assert closes.over(2**62) == []


def test_who_began_behind_the_end_of_a_day_knows_its_close_only_where_nothing_ticked_since() -> None:
    """A tick of the night has taken the place of the close: what is left of the day are the contracts that rest."""
    rest, night = tick(LAST_S, symbol="rb2602"), tick(NIGHT_S, day=NEXT, symbol="rb2510")
    closes = seen(rest, tick(LAST_S, symbol="ag2506"), night)
    assert closes.over(night.ts_received_ns) == [DAY]
    assert closes.missed(DAY) == {RB}


def test_who_saw_the_end_of_a_day_has_missed_nothing() -> None:
    last, night = tick(LAST_S), tick(NIGHT_S, day=NEXT)
    closes = seen(last)
    closes.over(last.ts_received_ns)
    closes.see(night)
    assert closes.over(night.ts_received_ns) == [DAY]
    assert closes.missed(DAY) == frozenset()


def test_no_more_days_are_kept_than_eight() -> None:
    days = [f"202503{day:02}" for day in (3, 4, 5, 6, 7, 10, 11, 12, 13)]
    closes = seen(*(tick(LAST_S, day=day) for day in days))
    assert closes.over(2**62) == days[1:]
