"""A week with a holiday, by the real hours, at high speed: the judge finds each fault that is planted, and no other.

By default some ten contracts of all kinds. AEGIS_WEEK=10 takes one in ten of all futures, and 1 all of them, which
takes some twenty minutes.
"""

from __future__ import annotations

import os

from market_week import AFTERNOON, MORNING, NIGHT, Fault, Week, a_market

from aegis.marketdata.domain.sessions import to_utc_ns
from aegis.marketdata.health.domain.repairs import Kind

FRIDAY = "20250328"
DAYS = (
    "20250331",
    "20250401",
    "20250402",
    "20250403",
    "20250407",
)  # the 4th is a holiday, its eve has no night session
STRIDE = int(os.environ.get("AEGIS_WEEK", "250"))
FAST, BRISK, SLOW = "SHFE.rb2505", "DCE.m2505", "CZCE.SR511"
CHOSEN = (FAST, BRISK, SLOW, "SHFE.cu2505", "SHFE.wr2505")


def at(day: str, hour: int, minute: int) -> int:
    return to_utc_ns(day, hour * 3600 + minute * 60)


def one(name: str) -> object:
    return lambda instrument: instrument == name


def test_a_week_with_a_holiday_has_no_false_alarm_and_none_is_missed() -> None:
    begin_ns = to_utc_ns(FRIDAY, NIGHT[0])
    market = a_market(begin_ns, seed=7)
    wanted = [each for index, each in enumerate(market.instruments) if index % STRIDE == 0 or str(each.id) in CHOSEN]
    session = (Kind.RENEW, Kind.FAIL_OVER)
    faults = [
        Fault(name="fast", begin_ns=at("20250331", 10, 0), hits=one(FAST)),
        Fault(name="before the break", begin_ns=at("20250331", 10, 14), hits=one(SLOW)),
        Fault(name="at night", begin_ns=at("20250331", 21, 30), hits=one(BRISK)),
        Fault(name="stubborn", begin_ns=at("20250401", 13, 40), hits=one(FAST), cures=session),
        Fault(name="front", begin_ns=at("20250402", 9, 30), hits=lambda name: name.startswith("SHFE."), cures=session),
        Fault(name="session", begin_ns=at("20250402", 21, 10), hits=lambda name: True, cures=(Kind.FAIL_OVER,)),
        Fault(name="unsubscribed", begin_ns=at("20250403", 14, 0), hits=one("SHFE.cu2505"), unsubscribed=True),
        Fault(name="after the holiday", begin_ns=at("20250407", 9, 5), hits=one(SLOW)),
    ]
    week = Week(market, wanted, begin_ns, faults)
    week.live(FRIDAY, NIGHT)
    for day in DAYS:
        for hours in (MORNING, AFTERNOON, NIGHT):  # on the eve of the holiday nothing comes at night
            week.live(day, hours)
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
    print(week.ticks, {name: (one.found_after_s, one.usual_s) for name, one in found.items()})
    print([(r.kind, r.reason, len(r.instruments)) for _, r in week.done])
