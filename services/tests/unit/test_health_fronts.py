"""Fronts that fall silent, that pause or were never heard, and feeds without a session."""

from __future__ import annotations

from judge_bench import FAST, OTHERS, PACES, SLOW, Bench, at, verdicts

from aegis.contracts.reasons import Reason
from aegis.marketdata.health.domain.findings import Level, Verdict


def test_an_exchange_that_falls_silent_is_a_silent_front_and_no_stalled_instruments() -> None:
    bench = Bench("09:01:00")
    bench.run(120)
    after_s, found = bench.until_found([*FAST, SLOW])
    assert after_s <= 5
    assert set(verdicts(found).values()) == {Verdict.FRONT_SILENT}
    assert found.session_trouble == "no ticks of SHFE"
    assert found.level is Level.CRITICAL


def test_fronts_that_have_too_few_each_are_judged_as_one() -> None:
    few = ("SHFE.rb2505", "SHFE.hc2505", "DCE.m2505", "DCE.y2505", "CZCE.SR505")
    bench = Bench("09:01:00", dict.fromkeys(few, 0.5))
    bench.run(120)
    after_s, found = bench.until_found(few)
    assert after_s <= 5
    assert found.session_trouble == "no ticks of CZCE, DCE, SHFE"
    assert set(found.in_all.verdicts) == {Verdict.FRONT_SILENT}
    bench.states["INE.sc2512"] = ("ticking", None)
    bench.want()
    bench.run(10)
    assert "INE.sc2512" in verdicts(bench.run(10, few))
    assert bench.run(10).level is Level.HEALTHY, "it never ticks, and is well with the others"
    _, found = bench.until_found(few[:2])
    assert verdicts(found) == dict.fromkeys(few[:2], Verdict.STALLED), "the others tick"


def test_a_single_one_of_an_exchange_is_silent_with_all_others() -> None:
    bench = Bench("09:01:00", dict.fromkeys((*FAST, OTHERS[0]), 0.5))
    bench.run(120)
    assert bench.run(30, FAST).session_trouble == "no ticks of SHFE"
    assert bench.run(10).level is Level.HEALTHY
    assert bench.run(30, bench.paces).session_trouble == "no ticks of DCE, SHFE"


def test_all_of_the_feed_silent_is_trouble_of_the_session() -> None:
    bench = Bench("09:01:00")
    bench.run(120)
    after_s, found = bench.until_found(PACES)
    assert after_s <= 5
    assert found.session_trouble == "no ticks of DCE, SHFE"


def test_a_feed_without_a_session_is_down_while_something_trades_and_rests_otherwise() -> None:
    for clock, level in (("09:01:00", Level.CRITICAL), ("16:00:00", Level.HEALTHY)):
        bench = Bench(clock)
        bench.run(1)
        bench.feed(session="", state="connecting", why=(Reason("counter_silent"),))
        found = bench.run(5, PACES)
        assert found.level is level
        assert found.is_down


def test_a_feed_that_is_ready_and_that_nobody_publishes_is_down() -> None:
    """For the moment of a failover it is not."""
    for clock, level in (("09:01:00", Level.CRITICAL), ("16:00:00", Level.HEALTHY)):
        bench = Bench(clock)
        bench.run(60)
        bench.feed(published=False)
        assert not bench.run(2.5, PACES).cases
        found = bench.run(2, PACES)
        assert (found.level, found.is_down) == (level, True)
    bench = Bench("09:01:00")
    bench.run(60)
    bench.feed(published=False)
    found = bench.run(5, PACES)
    assert found.session_trouble == "nobody publishes the feed"
    assert set(found.in_all.verdicts) == {Verdict.SESSION_DOWN}
    bench.feed()
    assert bench.run(1).level is Level.HEALTHY


def test_a_feed_that_changes_its_state_all_the_time_is_down_too() -> None:
    bench = Bench("09:01:00")
    found = bench.run(1)
    for state in 3 * ("connecting", "logging_in"):
        bench.feed(session="", state=state)
        found = bench.run(1, PACES)
    assert found.session_trouble == "the feed is logging_in"


def test_a_feed_that_was_never_heard_is_unknown_at_first_and_critical_after_a_minute() -> None:
    """Ready, with a publisher, and all of it ticking by its own word."""
    for paces in (PACES, {SLOW: 20.0}):
        bench = Bench("09:01:00", paces)
        found = bench.run(5, PACES)
        assert found.level is Level.UNKNOWN
        assert found.reason.startswith("nothing was heard of ")
        assert bench.run(54, PACES).level is Level.UNKNOWN
        found = bench.run(3, PACES)
        assert found.level is Level.CRITICAL
        assert set(found.in_all.verdicts) == {Verdict.FRONT_SILENT}
        assert bench.run(20).level is Level.HEALTHY


def test_an_exchange_that_was_never_heard_is_critical_too_while_others_tick() -> None:
    bench = Bench("09:01:00")
    assert bench.run(30, OTHERS).reason == "nothing was heard of DCE yet"
    found = bench.run(40, OTHERS)
    assert (found.level, found.session_trouble) == (Level.CRITICAL, "no ticks of DCE")


def test_a_market_that_lives_at_an_earlier_time_than_ours_is_no_excuse() -> None:
    """Until its first ticks the judge takes our time for that of the market."""
    bench = Bench("09:01:00")
    bench.judge.listen_anew()
    bench.begin_ns -= at("09:01:00") - at("09:01:00", "20241227")
    bench.now_ns = at("09:01:00", "20241227")
    assert bench.run(10, OTHERS).reason == "nothing was heard of DCE yet"


def test_one_or_two_of_an_exchange_that_never_tick_are_no_silent_exchange() -> None:
    bench = Bench("09:01:00", {**PACES, "CZCE.AP505": 1e6, "CZCE.CF505": 1e6})
    assert bench.run(300).level is Level.HEALTHY


def test_one_snapshot_proves_that_ticks_can_come() -> None:
    """So contracts that tick once in an hour are quiet, and no silent feed."""
    bench = Bench("09:01:00", {"SHFE.wr2505": 1e6, "SHFE.wr2506": 1e6, "SHFE.wr2507": 1e6})
    bench.run(1)
    bench.judge.tick("SHFE.wr2505", bench.now_ns, ("snapshot",), bench.wall_s)
    assert bench.run(600).in_all.verdicts == {Verdict.QUIET: 3}


def test_a_feed_that_falls_silent_before_any_pace_is_known_is_found() -> None:
    bench = Bench("09:01:00")
    assert bench.run(5).in_all.verdicts == {Verdict.QUIET: len(PACES)}
    assert bench.run(58, PACES).level is Level.HEALTHY
    assert bench.run(4, PACES).session_trouble == "no ticks of DCE, SHFE"


def test_a_silent_front_is_so_until_it_ticks() -> None:
    """Else a slow one would be well again by its fresh session alone, and renewed for ever."""
    bench = Bench("09:01:00", {})
    bench.states = dict.fromkeys(PACES, ("ticking", None))
    bench.want()
    assert bench.run(61).level is Level.CRITICAL
    bench.feed(state="connecting")
    assert bench.run(1).level is Level.CRITICAL
    bench.feed(session="2")
    assert bench.run(10).level is Level.CRITICAL
    bench.paces = dict(PACES)
    assert bench.run(1).level is Level.HEALTHY


def test_a_feed_that_has_failed_waits_for_a_person_at_any_hour() -> None:
    bench = Bench("16:00:00")
    bench.feed(session="", state="failed", why=(Reason("could_not_start"), Reason("counter_silent")))
    found = bench.run(1)
    assert found.level is Level.CRITICAL
    assert found.session_trouble == "the feed is failed; could not start; the counter does not answer"


def test_a_feed_that_never_had_a_session_is_not_healthy() -> None:
    bench = Bench("16:00:00", {})
    bench.feed(session="", state="connecting")
    assert bench.run(5).level is Level.DEGRADED


def test_a_lull_of_the_whole_front_is_no_stall() -> None:
    """All tick at a third of their pace: the one that would be too late by its own rate alone is not."""
    paces = dict.fromkeys((f"SHFE.{code}2505" for code in ("rb", "hc", "cu", "al", "zn", "ag")), 0.5)
    bench = Bench("09:01:00", paces)
    bench.run(300)
    bench.paces = dict.fromkeys(paces, 2.5)
    for _ in range(240):
        assert not bench.run(0.25).cases


def test_a_front_that_sends_all_at_once_does_not_pause_between() -> None:
    """Exchanges send the snapshots of all contracts together, twice a second."""
    bench = Bench(
        "09:01:00", {f"SHFE.{code}{month}": 0.5 for code in ("rb", "cu", "al") for month in range(2502, 2513)}
    )
    bench.run(120)
    after_s, found = bench.until_found(["SHFE.rb2505"])
    assert after_s <= 3
    assert verdicts(found) == {"SHFE.rb2505": Verdict.STALLED}


def test_pauses_of_the_whole_front_make_no_instrument_irregular() -> None:
    """Else a machine that was busy for a second would have a fast one missed late."""
    bench = Bench("09:01:00")
    bench.run(15)
    for _ in range(20):
        bench.run(5)
        bench.run(1, PACES)
    bench.run(5)
    after_s, found = bench.until_found([FAST[0]])
    assert after_s <= 3
    assert verdicts(found) == {FAST[0]: Verdict.STALLED}
