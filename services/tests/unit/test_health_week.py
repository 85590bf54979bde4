"""A week with a holiday, by the real hours, at high speed: the judge finds each fault that is planted, and no other.

It is looked at every second, and begins on Tuesday night. By default some ten contracts of all kinds, around each
beginning and end of trading. AEGIS_WEEK=10 takes one in ten of all futures, and 1 all of them, and lives each second
of the trading days.
"""

from __future__ import annotations

import os

from market_week import IN_PARTS, OPENINGS, WHOLE, Fault, Hours, Week, a_market

from aegis.exchanges.calendar import WEEKDAYS
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.health.domain.repairs import Kind

IS_WHOLE = "AEGIS_WEEK" in os.environ
STRIDE = int(os.environ.get("AEGIS_WEEK", "250"))
TUESDAY = "20250401"
DAYS = ("20250402", "20250403", "20250404", "20250405", "20250406", "20250407")
CLOSED = ("20250404", "20250405", "20250406")  # a holiday, its eve has no night session, and a weekend
THURSDAY, MONDAY = "20250403", "20250407"
NIGHT_AT = 20 * 3600
FAST, BRISK, SLOW = "SHFE.rb2505", "DCE.m2505", "CZCE.SR511"
CHOSEN = (FAST, BRISK, SLOW, "SHFE.cu2505", "SHFE.wr2505")


def at(day: str, hour: int, minute: int) -> int:
    return to_utc_ns(day, hour * 3600 + minute * 60)


def one(name: str) -> object:
    return lambda instrument: instrument == name


def hours_of(day: str) -> Hours:
    """Each second of a trading day in a run of the whole week, else what is around its beginnings and ends."""
    return OPENINGS if day in CLOSED else WHOLE if IS_WHOLE else IN_PARTS


def nights(hours: Hours) -> Hours:
    return tuple(span for span in hours if span[0] > NIGHT_AT)


def days(hours: Hours) -> Hours:
    return tuple(span for span in hours if span[0] < NIGHT_AT)


def test_a_week_with_a_holiday_has_no_false_alarm_and_none_is_missed() -> None:
    begin_ns = at(TUESDAY, 20, 50)
    market = a_market(begin_ns, seed=7)
    wanted = [each for index, each in enumerate(market.instruments) if index % STRIDE == 0 or str(each.id) in CHOSEN]
    session = (Kind.RENEW, Kind.FAIL_OVER)
    faults = [
        Fault(name="fast", begin_ns=at("20250402", 9, 35), hits=one(FAST)),
        Fault(name="before the break", begin_ns=at("20250402", 10, 14), hits=one(SLOW)),
        Fault(name="stubborn", begin_ns=at("20250402", 13, 40), hits=one(FAST), cures=session),
        Fault(name="session", begin_ns=at("20250402", 21, 10), hits=lambda name: True, cures=(Kind.FAIL_OVER,)),
        Fault(name="at night", begin_ns=at("20250402", 21, 30), hits=one(BRISK)),
        Fault(name="front", begin_ns=at("20250403", 9, 30), hits=lambda name: name.startswith("SHFE."), cures=session),
        Fault(name="unsubscribed", begin_ns=at("20250403", 14, 0), hits=one("SHFE.cu2505"), unsubscribed=True),
        Fault(name="after the holiday", begin_ns=at("20250407", 9, 5), hits=one(SLOW)),
    ]
    week = Week(market, wanted, begin_ns, faults)
    week.live(TUESDAY, nights(hours_of(TUESDAY)))
    for day in DAYS:
        week.live(day, hours_of(day) if day != MONDAY else days(hours_of(day)))
    assert not week.false, week.false[:10]
    found = {fault.name: fault for fault in faults}
    assert all(fault.healed for fault in faults), found
    assert found["unsubscribed"].found_after_s <= 3
    assert found["front"].found_after_s <= 10
    assert found["session"].found_after_s <= 10
    for name in ("fast", "before the break", "at night", "stubborn", "after the holiday"):
        fault = found[name]
        assert fault.usual_s is not None
        assert fault.found_after_s <= 10 * fault.usual_s, fault
    print(week.ticks, week.looks, {name: (one.found_after_s, one.usual_s) for name, one in found.items()})
    print([(r.kind, r.reason, len(r.instruments)) for _, r in week.done])


def test_who_knows_of_no_holiday_finds_alarms_on_its_eve_and_on_it() -> None:
    """So the week above would fail, were the calendar wrong."""
    begin_ns = at(THURSDAY, 14, 45)
    market = a_market(begin_ns, seed=7)
    wanted = [each for each in market.instruments if str(each.id) in CHOSEN]
    week = Week(market, wanted, begin_ns, calendar=WEEKDAYS)
    week.live(THURSDAY, ((14 * 3600 + 2700, 15 * 3600 + 60),))
    assert not week.false, week.false[:10]
    week.live(THURSDAY, nights(OPENINGS))
    eve = len(week.false)
    week.live("20250404", days(OPENINGS))
    assert 0 < eve < len(week.false)
