"""The benchmarks run, and report in the shape that is documented; how fast is not the question here."""

import asyncio
import shutil
from typing import Any

import pytest
from typer.testing import CliRunner

from aegis.cli.bench import bench_app, orders
from aegis.cli.bench.active import bench_active
from aegis.cli.bench.cases import OF_A_CLUSTER, Baseline, FailoverCase, Source
from aegis.cli.bench.console import Extent as TabExtent
from aegis.cli.bench.console import bench_tabs
from aegis.cli.bench.ctp import bench_baseline
from aegis.cli.bench.events import bench_events
from aegis.cli.bench.failover import Extent, bench_failover
from aegis.cli.bench.figures import Case, Report
from aegis.cli.bench.paced_calls import Answered, Calls, JournalCheck, stale_answers
from aegis.cli.bench.record import bench_record
from aegis.cli.bench.restart import bench_restart
from aegis.cli.bench.rpc import bench_rpc
from aegis.cli.bench.ticks import bench_ticks
from aegis.cli.bench.universe import bench_universe
from aegis.operations.counter import is_built
from aegis_sdk.ledger.records import Begin, Entry, Result, Verdict
from aegis_sdk.testing import nats_server

of_ctp = pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler")
OF_THE_MACHINE = ("machine_gap_max_ms", "disk_sync_max_ms")


def shape(report: Report) -> dict[str, dict[str, Any]]:
    """The cases by name, after a look at what all reports have in common."""
    found = report.as_json()
    assert set(found) == {"name", "machine", "cases"}
    assert found["machine"]["cores"] >= 1
    for case in found["cases"]:
        assert {"case", "aegis", "plain", "ratio"} <= set(case)
        assert (case["plain"] is None) == (case["ratio"] is None)
    return {case["case"]: case for case in found["cases"]}


async def test_calls_are_measured_against_both_baselines() -> None:
    async with nats_server() as server:
        cases = shape(await bench_rpc(server, rounds=1, calls=64))
    assert set(cases) == {"c1", "c64", "c1_bytes", "c64_bytes"}
    for case in cases.values():
        assert {"p50_us", "p99_us", "max_us", "rate_per_s"} <= set(case["aegis"])
        assert case["ratio"]["p50_us"] > 0


async def test_events_are_measured_against_the_baseline() -> None:
    async with nats_server() as server:
        cases = shape(await bench_events(server, nodes=1, rounds=1, count=128))
    assert set(cases) == {"acked_c64", "consumer"}
    assert all(case["ratio"]["rate_per_s"] > 0 for case in cases.values())


async def test_ticks_are_measured_and_a_seeded_burst_says_that_it_is_one() -> None:
    turns: Any = [("msgpack", 0.2), ("plain", 0.2), ("json", 0.2)]
    async with nats_server() as server:
        cases = shape(await bench_ticks(server, replay=None, nodes=1, turns=turns, paced_s=0.5, burst=5_000))
    assert set(cases) == {"burst", "burst_json", "5k"}
    assert "seeded" in cases["burst"]["note"]
    assert [case["aegis"]["lost"] for case in cases.values()] == [0, 0, 0]
    assert cases["burst"]["aegis"]["ticks"] % 5_000 == 0
    assert cases["burst"]["plain"]["lost"] == 0
    assert 0 < cases["5k"]["aegis"]["p50_us"] < 1_000_000


@pytest.mark.slow
async def test_a_recording_is_measured_and_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.cli.bench.recorded_day._COMMANDS", 1)
    async with nats_server() as server:
        cases = shape(await bench_record(server, nodes=1, seconds=0.5, rate=2_000, day=500))
    assert set(cases) == {"sustained", "backlog", "query", "query_day"}
    sustained, backlog, query, day = (case["aegis"] for case in cases.values())
    assert (sustained["ticks"], sustained["lost"], sustained["duplicated"], backlog["lost"]) == (1_000, 0, 0, 0)
    assert sustained["rate_per_s"] > 0
    assert 0 < query["p50_us"] <= query["p99_us"]
    assert day["ticks"] == 500
    assert 0 < day["p50_us"] <= 1e3 * day["command_ms"]


async def test_tabs_get_ticks_and_those_that_take_nothing_are_left_alone() -> None:
    said: list[str] = []
    async with nats_server() as server:
        cases = shape(await bench_tabs(server, extent=TabExtent(4, 0.5, 0, 0), say=said.append))
    assert set(cases) == {"exchange", "everything"}
    for case in cases.values():
        assert 0 < case["aegis"]["p50_ms"] <= case["aegis"]["p99_ms"]
        assert case["aegis"]["messages_per_s"] > 0
        assert case["aegis"]["silent_tabs"] == 0
        assert case["bars"] == {"p99_ms": 300, "worst_tab_p50_ms": 300, "silent_tabs": 0, "server_grown_mb": 16}
    assert "everything: 14 tabs are opened" in said


def test_a_figure_beyond_its_bar_is_told_and_ends_the_benchmark_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Case(
        "order", {"p99_us": 130.0}, {"p99_us": 100.0}, bars={"p99_us": 130, "lost": 0}, ratio_bars={"p99_us": 1.2}
    )

    async def bench_rpc(*_: object, **__: object) -> Report:
        return Report("rpc", [slow])

    monkeypatch.setattr("aegis.cli.bench.rpc.bench_rpc", bench_rpc)
    told = CliRunner().invoke(bench_app, ["rpc"])
    assert told.exit_code == 1
    assert "order: p99_us is 1.3 of plain, its bar 1.2" in told.stderr
    assert "order: lost was not measured, its bar is 0" in told.stderr
    assert "130 1.2 x beyond" in told.stdout
    assert Case("order", {"p99_us": 120.0}, {"p99_us": 100.0}, ratio_bars={"p99_us": 1.2}).beyond() == []


async def test_a_whole_market_is_subscribed_proved_and_given_up() -> None:
    async with nats_server() as server:
        cases = shape(await bench_universe(server, universes=("core",)))
    figures = cases["core"]["aegis"]
    assert figures["instruments"] == 567
    assert 0 < figures["subscribed_ms"] <= figures["proved_ms"]
    assert figures["memory_mb"] > 20
    assert figures["lost"] == 0


@of_ctp
async def test_a_whole_market_is_subscribed_over_ctp_too() -> None:
    async with nats_server() as server:
        cases = shape(await bench_universe(server, universes=("futures",), over=Source.CTP))
    figures = cases["futures"]["aegis"]
    assert figures["instruments"] == 856
    assert figures["session_memory_mb"] > 20
    assert figures["lost"] == 0


@of_ctp
async def test_a_coroutine_for_each_tick_is_a_baseline_of_its_own() -> None:
    """At half of what is sent at least, once of three times: a machine that stands still meanwhile makes it slow."""
    rates: list[float] = []
    async with nats_server() as server:
        while len(rates) < 3 and max(rates, default=0) <= 1_000:
            figures = await bench_baseline(server, Baseline.THREADSAFE, rate=2_000, seconds=1.0)
            rates.append(figures["rate_per_s"])
    assert max(rates) > 1_000


async def test_active_calls_and_commits_are_measured_against_the_baseline() -> None:
    async with nats_server() as server:
        cases = shape(await bench_active(server, nodes=1, rounds=1, count=32))
    assert set(cases) == {"call_c1", "commit", "intent_result"}
    for case in cases.values():
        assert {"p50_us", "p99_us", "max_us", "rate_per_s"} <= set(case["aegis"])
        assert case["ratio"]["p50_us"] > 0


@pytest.mark.slow
async def test_orders_are_measured_and_none_is_lost_by_a_takeover() -> None:
    async with nats_server() as server:
        extent = orders.Extent(rounds=1, orders=5, seconds=0.5, takeovers=1, history=100, at_counter=0)
        cases = shape(await orders.bench_orders(server, nodes=1, extent=extent))
    assert list(cases) == ["durable_ack", "throughput", "takeover", "replay"]
    assert cases["throughput"]["least"] == {"rate_per_s": 1000}
    assert cases["takeover"]["bars"] == {"lost": 0}
    taken_over, replayed = cases["takeover"]["aegis"], cases["replay"]["aegis"]
    assert (taken_over["lost"], taken_over["p50_ms"] > 0) == (0, True)
    assert (replayed["orders"] >= 100, replayed["first_order_ms"] > 0, replayed["p99_us"] > 0) == (True, True, True)
    assert 0 < replayed["replay_ms"] < replayed["first_order_ms"]


ONCE = Extent(rounds=1, rounds_of_many=1, leaders_killed=1, rolling_restarts=1, busy_s=1.0, many=6)


@pytest.mark.slow
async def test_failovers_are_measured_and_nothing_stale_is_accepted() -> None:
    said: list[str] = []
    played = [case for case in FailoverCase if case not in OF_A_CLUSTER]
    async with nats_server() as server:
        cases = shape(await bench_failover(server, cases=played, extent=ONCE, say=said.append))
    assert list(cases) == ["sigkill", "sigstop", "handover", "many_keys"]
    for case in cases.values():
        assert {"p50_ms", "p99_ms", "max_ms", "stale", "lost", "failed", *OF_THE_MACHINE} == set(case["aegis"])
        assert all(case["aegis"][figure] > 0 for figure in OF_THE_MACHINE)
        assert case["aegis"]["stale"] == case["aegis"]["lost"] == 0
        assert case["plain"] is None
    assert "refused 5 of 5" in cases["sigstop"]["note"]
    assert [line.partition(":")[0] for line in said] == [f"{case} 1/1" for case in cases]


@pytest.mark.slow
async def test_what_befalls_a_cluster_or_its_machine_is_measured_while_all_keys_are_called() -> None:
    said: list[str] = []
    async with nats_server(3) as server:
        cases = shape(await bench_failover(server, cases=OF_A_CLUSTER, extent=ONCE, say=said.append))
        assert all(node.pid is not None for node in server.nodes)
    assert list(cases) == ["leader_killed", "rolling_restart", "busy"]
    for case in cases.values():
        counts = {"switches", "failed", "unknown", "stale", "lost"}
        assert {"p50_ms", "p99_ms", "max_ms", *counts, *OF_THE_MACHINE} <= set(case["aegis"])
        assert case["aegis"]["stale"] == case["aegis"]["lost"] == 0
    assert cases["leader_killed"]["aegis"]["outage_max_ms"] > 0
    assert "of 33 keys went on in the same epoch" in cases["leader_killed"]["note"]
    assert [line.partition(":")[0] for line in said] == ["leader-killed 1/1", "rolling-restart 1/1", "busy 1/1"]


async def test_only_the_cases_that_are_named_are_played() -> None:
    async with nats_server() as server:
        report = await bench_failover(server, cases=[], extent=ONCE, say=print)
    assert report.cases == []


def test_an_answer_of_a_deposed_holder_is_stale_once_another_has_answered() -> None:
    ours = Answered("k", 0.0, 1.0, 7, "")
    assert stale_answers([ours, Answered("k", 0.5, 2.0, 3, "")]) == 0, "it may have been first"
    assert stale_answers([ours, Answered("k", 1.5, 2.0, 3, "")]) == 1
    assert stale_answers([ours, Answered("other", 1.5, 2.0, 3, "")]) == 0


def test_an_entry_behind_the_begin_of_a_later_epoch_is_stale_and_an_answer_without_one_lost() -> None:
    check = JournalCheck()
    begin, entry = Entry(0, 0, (Begin("a", "i", "1"),)), Entry(1, 1, (Result("x", Verdict.OK),))
    for sequence, read in enumerate((begin, entry, begin, entry), 2):
        check.take("k", read, sequence)
    check.take("other", entry, 9)
    assert check.stale == 1
    assert check.lost([Answered("k", 0.0, 1.0, 1, "x")]) == 0
    assert check.lost([Answered("k", 0.0, 1.0, 1, "y")]) == 1


async def test_the_answers_of_all_keys_are_waited_for_however_many_there_were_before() -> None:
    calls = Calls()
    calls.answered = [Answered("k", 0.0, 1.0, 7, ""), Answered("other", 2.0, 3.0, 8, "")]
    waiting = asyncio.create_task(calls.each_answered(["k", "other"], since=0.5))
    await asyncio.sleep(0)
    assert not waiting.done(), "what k answered was asked before"
    calls.take(Answered("k", 2.0, 2.5, 9, ""))
    assert await waiting == 3.0
    assert calls.latest_epoch("k") == 9
    assert calls.seconds(1.5, 2.2) == [1.0, 0.5]
    assert calls.seconds(2.6, 3.0) == [1.0]


def test_each_epoch_that_begins_after_the_first_is_a_switch() -> None:
    check = JournalCheck()
    for sequence in (2, 6, 9):
        check.take("k", Entry(0, 0, (Begin("a", "i", "1"),)), sequence)
    assert check.switches({"k": 1}) == 2
    assert check.switches({"k": 8, "other": 3}) == 0


def test_ratios_are_of_figures_that_both_have() -> None:
    case = Case("c", {"rate_per_s": 150.0, "lost": 0.0}, {"rate_per_s": 100.0})
    assert case.as_json()["ratio"] == {"rate_per_s": 1.5}
    assert Case("c", {"rate_per_s": 150.0}).as_json()["ratio"] is None


def test_what_befalls_a_cluster_cannot_be_measured_on_one_node() -> None:
    done = CliRunner().invoke(bench_app, ["failover", "--case", "sigkill", "--case", "leader_killed"])
    assert done.exit_code == 2
    assert "leader_killed needs --nodes 3" in done.output


@pytest.mark.parametrize("name", ["rpc", "events", "ticks", "failover", "active"])
def test_a_number_of_nodes_that_there_is_not_is_refused(name: str) -> None:
    assert CliRunner().invoke(bench_app, [name, "--nodes", "2"]).exit_code == 2


@of_ctp
@pytest.mark.slow
async def test_a_desk_that_is_killed_as_a_whole_covers_all_contracts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.cli.bench.restart._LATE_S", 30.0)  # all of it is heard, however late
    told: list[str] = []
    case = shape(await bench_restart(rounds=1, say=told.append))["everything"]["aegis"]
    assert case["contracts"] > 800
    assert 0 < case["fresh"] <= case["contracts"]
    assert case["heard"] == 1
    assert 0 < case["p50_nats_s"] <= case["p50_first_s"] <= case["p50_covered_s"] == case["max_covered_s"]
    assert len(told) == 2, "the first start, and the one that counts"
