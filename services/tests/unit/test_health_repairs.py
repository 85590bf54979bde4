"""Which repair follows what was found, how often, and when it ends."""

from __future__ import annotations

from aegis.contracts.reasons import Reason
from aegis.marketdata.health.domain.findings import Case, ExchangeFindings, Findings, Level, Verdict
from aegis.marketdata.health.domain.repairs import Kind, Outcome, Patience, RepairMemory, Repairs

PATIENCE = Patience()
NOTHING = ExchangeFindings(phase="trading", wanted=9, subscribed=9, due=9, covered=9, ticked=9, verdicts={})


def found(
    *cases: tuple[str, Verdict], trouble: str = "", down: bool = False, trading: bool = True, on: tuple[str, ...] = ()
) -> Findings:
    return Findings(
        level=Level.DEGRADED,
        why=(),
        market_ns=0,
        is_trading=trading,
        trouble=Reason.of("said", text=trouble) if trouble else None,
        is_down=down,
        cases=tuple(Case(instrument=name, verdict=verdict) for name, verdict in cases),
        in_all=NOTHING,
        exchanges=dict.fromkeys(on, NOTHING),
    )


STALLED = found(("SHFE.rb2505", Verdict.STALLED))
SILENT = found(("SHFE.rb2505", Verdict.FRONT_SILENT), trouble="no ticks of SHFE")
ONE_SILENT = (("SHFE.rb2505", Verdict.FRONT_SILENT), ("DCE.m2505", Verdict.NOT_SUBSCRIBED))
PARTLY = found(*ONE_SILENT, trouble="no ticks of SHFE", on=("SHFE", "DCE"))
DOWN = found(("SHFE.rb2505", Verdict.SESSION_DOWN), trouble="the feed is connecting", down=True)
WELL = found()


class Bench:
    """Lives through seconds, and does each repair at once."""

    def __init__(self) -> None:
        self.repairs = Repairs(PATIENCE)
        self.now_s = 1000.0
        self.outcomes: dict[Kind, Outcome] = {}
        self.done: list[tuple[Kind, tuple[str, ...]]] = []

    def live(self, findings: Findings, seconds: float) -> list[Kind]:
        done: list[Kind] = []
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            repair = self.repairs.decide(findings, self.now_s)
            if repair is not None:
                done.append(repair.kind)
                self.done.append((repair.kind, repair.instruments))
                self.repairs.done(repair, self.outcomes.get(repair.kind, "done"), self.now_s)
            self.now_s += 0.25
        return done


def test_an_instrument_is_resubscribed_twice_then_the_session_renewed_then_failed_over_then_left_to_a_person() -> None:
    bench = Bench()
    expected = [Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]
    assert bench.live(STALLED, 3600) == expected
    assert bench.repairs.escalated == ["SHFE.rb2505"]
    assert bench.repairs.attempts("SHFE.rb2505") == len(expected)


def test_a_silent_front_needs_a_fresh_session_and_a_third_one_is_not_tried() -> None:
    bench = Bench()
    assert bench.live(SILENT, 3600) == [Kind.RENEW, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]
    assert bench.repairs.escalated == [""]


def test_fronts_that_are_silent_again_and_again_cost_three_sessions_in_ten_minutes_and_a_person_is_told() -> None:
    bench = Bench()
    done: list[Kind] = []
    for _ in range(5):
        done += bench.live(SILENT, 20) + bench.live(WELL, PATIENCE.calm_s + 2)
    assert bench.now_s - 1000 < PATIENCE.budget_s
    assert done == [Kind.RENEW, Kind.RENEW, Kind.RENEW, Kind.ESCALATE]
    bench.live(SILENT, 1)
    assert another(bench).repairs.escalated == [""]
    bench.live(WELL, PATIENCE.calm_s + 1)
    assert another(bench).live(SILENT, 1) == [Kind.ESCALATE], "what is over is not remembered, but what it cost"
    bench.live(WELL, PATIENCE.budget_s)
    assert bench.live(SILENT, 1) == [Kind.RENEW]


def test_a_silent_exchange_costs_the_others_one_session_and_one_failover_and_they_are_repaired_then() -> None:
    bench = Bench()
    bench.live(PARTLY, PATIENCE.budget_s - 60)
    others = ("DCE.m2505",)
    assert bench.done == [
        (Kind.RENEW, ()),
        (Kind.FAIL_OVER, ()),
        (Kind.ESCALATE, ()),
        (Kind.RESUBSCRIBE, others),
        (Kind.RESUBSCRIBE, others),
        (Kind.ESCALATE, others),
    ], "what was done for all is not done again for one"
    assert bench.repairs.escalated == ["", "DCE.m2505"]


def test_a_silent_exchange_that_comes_and_goes_has_the_budget_of_single_instruments() -> None:
    bench = Bench()
    done: list[Kind] = []
    for _ in range(4):
        done += bench.live(PARTLY, 40) + bench.live(WELL, PATIENCE.calm_s + 1)
    assert (done.count(Kind.RENEW), done.count(Kind.FAIL_OVER)) == (1, 1)
    assert bench.now_s - 1000 < PATIENCE.budget_s


def test_instruments_of_a_silent_exchange_wait_for_it() -> None:
    bench = Bench()
    cases = (("SHFE.rb2505", Verdict.FRONT_SILENT), ("SHFE.hc2505", Verdict.NOT_SUBSCRIBED))
    bench.live(found(*cases, trouble="no ticks of SHFE", on=("SHFE", "DCE")), 3600)
    assert Kind.RESUBSCRIBE not in dict(bench.done)


def test_what_never_ticked_and_is_stalled_then_goes_on_with_a_fresh_session() -> None:
    bench = Bench()
    never = found(("SHFE.rb2505", Verdict.NEVER_TICKED))
    assert bench.live(never, 8) == [Kind.RESUBSCRIBE, Kind.RESUBSCRIBE]
    assert bench.live(STALLED, 3600) == [Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]
    assert bench.live(never, 60) == [], "and goes not back"


def test_a_feed_that_has_no_session_is_given_time_and_then_failed_over() -> None:
    bench = Bench()
    assert bench.live(DOWN, PATIENCE.down_s) == []
    assert bench.live(DOWN, 3600) == [Kind.FAIL_OVER, Kind.ESCALATE]


def test_a_session_that_goes_down_while_it_is_renewed_begins_no_new_ladder() -> None:
    bench = Bench()
    done = bench.live(SILENT, 1) + bench.live(DOWN, 60) + bench.live(SILENT, 3600)
    assert done == [Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]


def test_where_nobody_can_take_over_the_next_step_follows_at_once() -> None:
    bench = Bench()
    bench.outcomes[Kind.FAIL_OVER] = "not_possible"
    bench.live(SILENT, 2 * PATIENCE.renew_s)
    assert bench.live(SILENT, 1) == [Kind.FAIL_OVER, Kind.ESCALATE]


def test_each_step_is_given_time_to_help() -> None:
    bench = Bench()
    assert bench.live(STALLED, PATIENCE.resubscribe_s - 1) == [Kind.RESUBSCRIBE]
    assert bench.live(STALLED, 2) == [Kind.RESUBSCRIBE]


def test_what_is_well_is_forgotten_after_a_while_and_not_before() -> None:
    bench = Bench()
    bench.live(STALLED, 1)
    bench.live(WELL, PATIENCE.calm_s / 2)
    assert bench.repairs.attempts("SHFE.rb2505") == 1
    assert bench.live(STALLED, 1) == [Kind.RESUBSCRIBE]
    assert bench.repairs.attempts("SHFE.rb2505") == 2, "it goes on where it was"
    bench.live(WELL, PATIENCE.calm_s + 1)
    assert bench.repairs.attempts("SHFE.rb2505") == 0


def test_single_instruments_cost_one_session_in_ten_minutes() -> None:
    bench = Bench()
    bench.live(STALLED, 3 * PATIENCE.resubscribe_s + 1)
    assert bench.live(WELL, PATIENCE.calm_s + 1) == []
    assert bench.live(STALLED, PATIENCE.budget_s - 120) == [
        Kind.RESUBSCRIBE,
        Kind.RESUBSCRIBE,
        Kind.FAIL_OVER,
        Kind.ESCALATE,
    ]


def test_one_that_never_ticked_disturbs_no_other() -> None:
    bench = Bench()
    done = bench.live(found(("SHFE.wr2505", Verdict.NEVER_TICKED)), 3600)
    assert done == [Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.ESCALATE]


def test_many_are_resubscribed_in_parts() -> None:
    bench = Bench()
    many = found(*((f"SHFE.x{number}", Verdict.NOT_SUBSCRIBED) for number in range(700)))
    first = bench.repairs.decide(many, bench.now_s)
    assert first is not None
    assert len(first.instruments) == 500
    bench.repairs.done(first, "done", bench.now_s)
    second = bench.repairs.decide(many, bench.now_s)
    assert second is not None
    assert len(second.instruments) == 200


def test_what_cannot_be_repaired_is_not_tried() -> None:
    bench = Bench()
    assert bench.live(found(("SHFE.rb2599", Verdict.NOT_LISTED)), 600) == []


def test_operations_may_have_it_tried_anew_or_held() -> None:
    bench = Bench()
    bench.live(STALLED, 3600)
    bench.repairs.hold(bench.now_s + 100)
    bench.repairs.retry(bench.now_s)
    assert bench.live(STALLED, 1) == [Kind.RESUBSCRIBE]
    bench.repairs.hold(bench.now_s + 100)
    assert bench.live(STALLED, 99) == []
    assert bench.live(STALLED, 5) == [Kind.RESUBSCRIBE]


def test_who_always_has_it_tried_anew_has_that_once_in_ten_minutes() -> None:
    for findings, heavy in ((STALLED, 2), (SILENT, 3)):
        bench = Bench()
        end_s = bench.now_s + 6 * PATIENCE.budget_s
        while bench.now_s < end_s:
            if bench.live(findings, 0.25) == [Kind.ESCALATE]:
                bench.repairs.retry(bench.now_s)
        kinds = [kind for kind, _ in bench.done]
        assert kinds.count(Kind.ESCALATE) == 7
        assert kinds.count(Kind.RENEW) + kinds.count(Kind.FAIL_OVER) == 7 * heavy


def another(bench: Bench) -> Bench:
    """An agent on another machine, whose clock began later."""
    next_one = Bench()
    next_one.now_s = bench.now_s - 500
    memory = RepairMemory.model_validate_json(bench.repairs.memory(7_000.0).model_dump_json())
    next_one.repairs = Repairs.recalled(memory, PATIENCE, next_one.now_s, 7_500.0)
    assert next_one.repairs.memory(7_500.0) == memory
    return next_one


def test_what_is_held_is_held_by_the_next_agent_too() -> None:
    bench = Bench()
    bench.repairs.hold(bench.now_s + 100)
    bench = another(bench)
    assert bench.live(STALLED, 99) == []
    assert bench.live(STALLED, 5) == [Kind.RESUBSCRIBE]


def test_what_was_begun_anew_is_not_so_again_by_the_next_agent() -> None:
    bench = Bench()
    bench.live(SILENT, 3600)
    bench.repairs.retry(bench.now_s)
    bench = another(bench)
    assert bench.live(SILENT, 1) == [Kind.RENEW]
    bench.repairs.retry(bench.now_s)
    assert bench.live(SILENT, PATIENCE.budget_s - 2) == []
    assert bench.live(SILENT, 2) == [Kind.RENEW]


def test_agents_that_die_one_after_another_do_for_a_silent_feed_what_one_does() -> None:
    bench = Bench()
    done: list[Kind] = []
    for _ in range(8):
        done += bench.live(SILENT, 35)
        bench = another(bench)
    assert done == [Kind.RENEW, Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]
    assert bench.repairs.escalated == [""]
    bench.live(WELL, PATIENCE.calm_s + 1)
    assert another(bench).repairs.escalated == []


def test_the_next_agent_has_no_more_sessions_to_spend_on_single_instruments() -> None:
    bench = Bench()
    assert bench.live(STALLED, 120)[2:] == [Kind.RENEW, Kind.FAIL_OVER, Kind.ESCALATE]
    assert another(bench).live(STALLED, 120) == [Kind.RESUBSCRIBE, Kind.RESUBSCRIBE, Kind.ESCALATE]


def test_the_end_of_a_session_ends_all_cases() -> None:
    bench = Bench()
    bench.live(STALLED, 3600)
    bench.live(found(trading=False), 1)
    assert bench.repairs.escalated == []
