"""The benchmarks run, and report in the shape that is documented; how fast is not the question here."""

from typing import Any

import pytest
from typer.testing import CliRunner

from aegis.cli.bench import bench_app
from aegis.cli.bench.events import bench_events
from aegis.cli.bench.figures import Case, Report
from aegis.cli.bench.rpc import bench_rpc
from aegis.cli.bench.ticks import bench_ticks
from aegis_sdk.testing import nats_server


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
    turns: Any = [("msgpack", 0.5), ("plain", 0.5), ("json", 0.5), ("plain", 0.5)]
    async with nats_server() as server:
        cases = shape(await bench_ticks(server, replay=None, nodes=1, turns=turns, paced_s=0.5))
    assert set(cases) == {"burst", "burst_json", "5k"}
    assert "seeded" in cases["burst"]["note"]
    assert [case["aegis"]["lost"] for case in cases.values()] == [0, 0, 0]
    assert cases["burst"]["plain"]["lost"] == 0
    assert 0 < cases["5k"]["aegis"]["p50_us"] < 1_000_000


def test_ratios_are_of_figures_that_both_have() -> None:
    case = Case("c", {"rate_per_s": 150.0, "lost": 0.0}, {"rate_per_s": 100.0})
    assert case.as_json()["ratio"] == {"rate_per_s": 1.5}
    assert Case("c", {"rate_per_s": 150.0}).as_json()["ratio"] is None


@pytest.mark.parametrize("name", ["rpc", "events", "ticks"])
def test_a_number_of_nodes_that_there_is_not_is_refused(name: str) -> None:
    assert CliRunner().invoke(bench_app, [name, "--nodes", "2"]).exit_code == 2
