"""Verdicts on instruments that tick, or do not, at a pace that the test sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from aegis.contracts.subscriptions import SubscriptionState
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.domain.subscriptions import NOT_LISTED
from aegis.marketdata.health.domain.findings import Findings, Level, Verdict
from aegis.marketdata.health.domain.judge import FeedSeen, Judge

S = 1_000_000_000
DAY = "20250102"
FAST = ("SHFE.rb2505", "SHFE.hc2505", "SHFE.cu2502", "SHFE.al2502")
SLOW = "SHFE.ru2505"
OTHERS = ("DCE.m2505", "DCE.y2505", "DCE.p2505")
PACES = dict.fromkeys((*FAST, *OTHERS), 0.5) | {SLOW: 20.0}


def at(clock: str, day: str = DAY) -> int:
    hour, minute, second = map(int, clock.split(":"))
    return to_utc_ns(day, hour * 3600 + minute * 60 + second)


class Bench:
    """A judge, and instruments that tick evenly. Our clock is that of the market, from 0 on."""

    def __init__(self, clock: str, paces: Mapping[str, float] = PACES, day: str = DAY, **feed: object) -> None:
        self.now_ns = self.begin_ns = at(clock, day)
        self.judge = Judge(self.now_ns, 0.0)
        self.paces = dict(paces)
        self.states: dict[str, tuple[SubscriptionState, str]] = dict.fromkeys(paces, ("ticking", ""))
        self.feed(**feed)
        self.want()

    def feed(self, **changes: object) -> None:
        self.judge.feed(FeedSeen(**{"session": "1", "state": "ready", **changes}))  # type: ignore[arg-type]

    def want(self, **changes: object) -> None:
        self.judge.want([(name, state, reason) for name, (state, reason) in self.states.items()])

    @property
    def wall_s(self) -> float:
        return (self.now_ns - self.begin_ns) / S

    def run(self, seconds: float, silent: Iterable[str] = ()) -> Findings:
        """Let time pass in steps of a quarter of a second."""
        found = self.judge.look(self.wall_s)
        for _ in range(round(seconds * 4)):
            self.now_ns += S // 4
            for name, pace_s in self.paces.items():
                if self.now_ns % int(pace_s * S) == 0 and name not in silent:
                    self.judge.tick(name, self.now_ns, (), self.wall_s)
            found = self.judge.look(self.wall_s)
        return found

    def until_found(self, silent: Iterable[str], most_s: float = 300) -> tuple[float, Findings]:
        """Seconds until something is found, and what."""
        for quarter in range(round(most_s * 4)):
            found = self.run(0.25, silent)
            if found.cases or found.session_trouble:
                return (quarter + 1) / 4, found
        raise AssertionError("nothing was found")


def verdicts(found: Findings) -> dict[str, Verdict]:
    return {one.instrument: one.verdict for one in found.cases}


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
    bench.states["INE.sc2512"] = ("ticking", "")
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
    bench.states[SLOW] = ("waiting", "")
    bench.want()
    assert not bench.run(1.5).cases
    bench.states["SHFE.ag2502"] = ("subscribed", "")
    bench.want()
    assert not bench.run(1.5).cases
    assert verdicts(bench.run(1.0)) == {SLOW: Verdict.NOT_SUBSCRIBED}


def test_a_subscription_without_a_snapshot_is_an_alarm_but_not_of_a_replay() -> None:
    for snapshots, expected in ((True, {SLOW: Verdict.NEVER_TICKED}), (False, {})):
        bench = Bench("09:01:00", snapshots=snapshots)
        bench.states[SLOW] = ("subscribed", "")
        bench.want()
        assert not bench.run(10, [SLOW]).cases
        assert verdicts(bench.run(10, [SLOW])) == expected


def test_what_is_not_listed_is_degraded_and_what_has_expired_is_fine() -> None:
    bench = Bench("09:01:00", {**PACES, "SHFE.rb2412": 1e6, "SHFE.rb2599": 1e6})
    bench.states["SHFE.rb2412"] = ("refused", NOT_LISTED)
    bench.states["SHFE.rb2599"] = ("refused", NOT_LISTED)
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


def test_a_feed_without_a_session_is_down_while_something_trades_and_rests_otherwise() -> None:
    for clock, level in (("09:01:00", Level.CRITICAL), ("16:00:00", Level.HEALTHY)):
        bench = Bench(clock)
        bench.run(1)
        bench.feed(session="", state="connecting", reason="refused")
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
    bench.states = dict.fromkeys(PACES, ("ticking", ""))
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
    bench.feed(session="", state="failed", reason="wrong password")
    found = bench.run(1)
    assert (found.level, found.session_trouble) == (Level.CRITICAL, "the feed is failed: wrong password")


def test_a_feed_that_never_had_a_session_is_not_healthy() -> None:
    bench = Bench("16:00:00", {})
    bench.feed(session="", state="connecting")
    assert bench.run(5).level is Level.DEGRADED


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


def test_a_lull_of_the_whole_front_is_no_stall() -> None:
    """All tick at a third of their pace: the one that would be too late by its own rate alone is not."""
    paces = dict.fromkeys((f"SHFE.{code}2505" for code in ("rb", "hc", "cu", "al", "zn", "ag")), 0.5)
    bench = Bench("09:01:00", paces)
    bench.run(300)
    bench.paces = dict.fromkeys(paces, 2.5)
    for _ in range(240):
        assert not bench.run(0.25).cases


def test_bonds_end_their_last_day_at_noon() -> None:
    bench = Bench("13:10:00", {"CFFEX.T2503": 0.5}, "20250314")
    bench.judge.list({"CFFEX.T2503": "20250314"})
    assert bench.run(30, ["CFFEX.T2503"]).in_all.verdicts == {Verdict.RESTING: 1}


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
