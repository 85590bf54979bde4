"""Verdicts on instruments that tick, or do not."""

from __future__ import annotations

import pytest
from judge_bench import DAY, FAST, PACES, SLOW, Bench, S, at, verdicts

from aegis.contracts.reasons import Reason
from aegis.marketdata.health.domain.findings import Level, Verdict


def test_a_fast_one_that_falls_silent_is_found_within_three_seconds_and_nothing_else() -> None:
    bench = Bench("09:01:00")
    assert bench.run(120).level is Level.HEALTHY
    after_s, found = bench.until_found([FAST[0]])
    assert after_s <= 3
    assert verdicts(found) == {FAST[0]: Verdict.STALLED}
    assert found.level is Level.CRITICAL if found.in_all.coverage < 0.9 else Level.DEGRADED
    assert not bench.run(1).cases, "it ticks again"


def test_a_slow_one_is_found_within_ten_of_its_usual_intervals() -> None:
    bench = Bench("09:01:00")
    bench.run(600)
    after_s, found = bench.until_found([SLOW])
    [case] = found.cases
    assert case.verdict is Verdict.STALLED
    assert case.usual_s == pytest.approx(20, rel=0.2)
    assert 8 * 20 < after_s < 10 * 20


def test_a_break_is_no_silence_and_the_silence_before_it_goes_on_after_it() -> None:
    bench = Bench("10:00:00")
    bench.run(14 * 60 + 58)
    assert not bench.run(0.5, PACES).cases
    for _ in range(15 * 60 + 3):  # over the break, and until the first ticks come
        assert not bench.run(1.0, PACES).cases
    assert bench.run(120).level is Level.HEALTHY


@pytest.mark.parametrize(
    ("clock", "day"),
    [("08:57:00", DAY), ("12:00:00", DAY), ("16:00:00", DAY), ("23:30:00", "20250103"), ("10:00:00", "20250128")],
)
def test_auctions_breaks_nights_and_holidays_rest(clock: str, day: str) -> None:
    """23:30 on a Friday is trading time of copper, and not of what ends at 23:00; the 28th of January is a holiday."""
    bench = Bench(clock, {"SHFE.rb2505": 0.5, "DCE.m2505": 0.5}, day)
    found = bench.run(30, bench.paces)
    assert found.in_all.verdicts == {Verdict.RESTING: 2}
    assert not found.is_trading


def test_what_hardly_ever_ticks_is_quiet_and_no_alarm() -> None:
    bench = Bench("09:01:00", {**PACES, "SHFE.wr2505": 10_000.0})
    found = bench.run(1200)
    assert found.level is Level.HEALTHY
    assert found.in_all.verdicts[Verdict.QUIET] == 1


def test_what_waits_is_an_alarm_after_a_moment_and_not_while_others_become_subscribed() -> None:
    bench = Bench("09:01:00")
    bench.states[SLOW] = ("waiting", None)
    bench.want()
    assert not bench.run(1.5).cases
    bench.states["SHFE.ag2502"] = ("subscribed", None)
    bench.want()
    assert not bench.run(1.5).cases
    assert verdicts(bench.run(1.0)) == {SLOW: Verdict.NOT_SUBSCRIBED}


def test_a_subscription_without_a_snapshot_is_an_alarm_but_not_of_a_replay() -> None:
    for snapshots, expected in ((True, {SLOW: Verdict.NEVER_TICKED}), (False, {})):
        bench = Bench("09:01:00", snapshots=snapshots)
        bench.states[SLOW] = ("subscribed", None)
        bench.want()
        assert not bench.run(10, [SLOW]).cases
        assert verdicts(bench.run(10, [SLOW])) == expected


def test_what_is_not_listed_is_degraded_and_what_has_expired_is_fine() -> None:
    bench = Bench("09:01:00", {**PACES, "SHFE.rb2412": 1e6, "SHFE.rb2599": 1e6})
    bench.states["SHFE.rb2412"] = ("refused", Reason("not_listed"))
    bench.states["SHFE.rb2599"] = ("refused", Reason("not_listed"))
    bench.want()
    found = bench.run(5)
    assert verdicts(found) == {"SHFE.rb2599": Verdict.NOT_LISTED}
    assert found.in_all.verdicts[Verdict.EXPIRED] == 1
    assert found.in_all.due == len(PACES)


def test_what_was_listed_and_is_no_more_is_missing_until_its_last_day_is_over() -> None:
    """It is told by name, and a degraded feed: the exchange lists it, and nobody here would notice."""
    listed = dict.fromkeys(PACES, "20250515") | {"SHFE.rb2501": "20250102", "SHFE.zz2505": "20250515"}
    bench = Bench("09:01:00")
    bench.judge.list(listed)
    bench.run(60)
    del listed["SHFE.zz2505"]
    bench.judge.list(listed)
    found = bench.run(1)
    assert (found.level, found.missing) == (Level.DEGRADED, ("SHFE.zz2505",))
    assert "SHFE.zz2505" in found.reason
    bench.feed(snapshots=False)
    assert bench.run(1).missing == (), "a replay lists what it likes"
    bench.feed()
    bench.judge.list({**listed, "SHFE.zz2505": "20250515"})
    assert bench.run(1).level is Level.HEALTHY
    tomorrow = Bench("09:01:00", day="20250103")
    tomorrow.judge.list(listed)
    del listed["SHFE.rb2501"]
    tomorrow.judge.list(listed)
    assert tomorrow.run(1).missing == (), "it has expired"


def test_what_was_listed_at_a_later_time_of_a_market_that_began_anew_is_not_missing() -> None:
    bench = Bench("09:01:00")
    bench.judge.list({**dict.fromkeys(PACES, "20250515"), "SHFE.zz2505": "20250515"})
    bench.begin_ns -= at("09:01:00") - at("09:01:00", "20241227")
    bench.now_ns = at("09:01:00", "20241227")
    bench.run(5)
    bench.judge.list(dict.fromkeys(PACES, "20250515"))
    assert bench.run(1).missing == ()


def test_a_new_session_begins_anew() -> None:
    bench = Bench("09:01:00")
    bench.run(120)
    bench.run(2, [FAST[0]])
    bench.feed(session="2")
    assert not bench.run(2, [FAST[0]]).cases
    assert bench.run(2, [FAST[0]]).cases


def test_what_was_found_stalled_is_not_well_by_a_new_session_alone_but_by_a_tick() -> None:
    bench = Bench("09:01:00")
    bench.run(120)
    bench.until_found([FAST[0]])
    bench.feed(state="connecting")
    assert verdicts(bench.run(1, PACES)) == {FAST[0]: Verdict.STALLED}
    bench.feed(session="2")
    assert verdicts(bench.run(1, [FAST[0]])) == {FAST[0]: Verdict.STALLED}
    assert not bench.run(1).cases


def test_when_we_ourselves_were_late_nothing_was_silent() -> None:
    """A process that was stopped for a minute looks before it hears what waits."""
    bench = Bench("09:01:00")
    bench.run(120)
    bench.now_ns += 60 * S
    assert not bench.judge.look(bench.wall_s).cases


def test_a_recording_that_was_played_to_its_end_is_no_silence() -> None:
    bench = Bench("09:01:00")
    bench.run(60)
    bench.feed(state="ended")
    found = bench.run(60, PACES)
    assert found.level is Level.HEALTHY
    assert found.in_all.verdicts == {Verdict.ENDED: len(PACES)}


def test_one_wrong_stamp_moves_nothing_and_a_market_that_skips_the_night_is_followed() -> None:
    bench = Bench("14:50:00")
    bench.run(120)
    bench.judge.tick(FAST[0], at("09:00:00", "20250106"), (), bench.wall_s)
    assert not bench.run(10).cases
    assert bench.judge.market_ns == bench.now_ns
    skipped_ns = at("09:30:00", "20250103") - bench.now_ns
    bench.now_ns += skipped_ns
    bench.begin_ns += skipped_ns  # it took no time of ours
    assert not bench.run(10).cases
    assert bench.judge.market_ns == bench.now_ns


def test_a_product_that_nobody_knows_is_judged_by_the_hours_that_all_of_its_exchange_share() -> None:
    bench = Bench("10:01:00", {**PACES, "SHFE.zz2505": 0.5, "CFFEX.ZZ2505": 0.5})
    bench.run(120)
    after_s, found = bench.until_found(["SHFE.zz2505"])
    assert after_s <= 3
    assert verdicts(found) == {"SHFE.zz2505": Verdict.STALLED}
    bench = Bench("21:30:00", {"SHFE.zz2505": 0.5, "SHFE.rb2505": 0.5})
    assert bench.run(30, ["SHFE.zz2505"]).in_all.verdicts == {Verdict.RESTING: 1, Verdict.HEALTHY: 1}
    bench = Bench("09:20:00", {"CFFEX.ZZ2505": 0.5})
    assert bench.run(30, bench.paces).in_all.verdicts == {Verdict.RESTING: 1}


def test_bonds_end_their_last_day_at_noon() -> None:
    bench = Bench("13:10:00", {"CFFEX.T2503": 0.5}, "20250314")
    bench.judge.list({"CFFEX.T2503": "20250314"})
    assert bench.run(30, ["CFFEX.T2503"]).in_all.verdicts == {Verdict.RESTING: 1}
