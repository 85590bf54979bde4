"""What `aegis bench ctp` makes of what was sent and received."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aegis.cli.bench.cases import CtpCase
from aegis.cli.bench.ctp import SHORT, bench_ctp
from aegis.cli.bench.ctp_ages import Ages, Newest, Oldest
from aegis.cli.bench.ctp_path import Found
from aegis.cli.bench.ctp_sums import EXACT, LeftOut, sums
from aegis.cli.bench.figures import Case


def left_out(**counts: dict[str, int]) -> LeftOut:
    return LeftOut(*(Counter(counts.get(name, {})) for name in LeftOut._fields))


def beyond(sent: dict[str, int], received: dict[str, int], out: LeftOut) -> set[str]:
    figures = {**sums(sent, received, out), "rejected": 0.0, "unsent": 0.0}
    return set(Case("of a test", figures, bars=EXACT).as_json().get("beyond", ()))


def test_ticks_that_were_received_or_conflated_are_accounted_for() -> None:
    out = left_out(conflated={"a": 3})
    assert beyond({"a": 10, "b": 5}, {"a": 7, "b": 5}, out) == set()
    assert sums({"a": 10, "b": 5}, {"a": 7, "b": 5}, out)["conflated"] == 3


def test_one_tick_that_is_lost_is_told() -> None:
    assert beyond({"a": 10, "b": 5}, {"a": 10, "b": 4}, left_out()) == {"lost", "unaccounted"}


def test_a_surplus_of_one_instrument_makes_up_for_no_loss_of_another() -> None:
    found = sums({"a": 10, "b": 5}, {"a": 9, "b": 6}, left_out())
    assert (found["lost"], found["surplus"], found["unaccounted"]) == (1, 1, 2)


def test_what_no_codec_takes_and_what_the_stream_lacks_is_no_conflation() -> None:
    assert beyond({"a": 2}, {"a": 1}, left_out(unserializable={"a": 1})) == {"unserializable"}
    assert beyond({"a": 2}, {"a": 2}, left_out(lost={"a": 1})) == {"stream_lost"}


def test_a_tick_is_oldest_just_before_the_next_one_comes() -> None:
    newest = Newest(["a", "b"], now=10.0)
    for at in (10.1, 10.2, 10.9, 11.0):
        newest.take("a", sent=at, now=at + 0.01)
        newest.take("b", sent=at, now=at + 0.01)
    symbol, age = newest.end(11.02)
    assert (symbol, round(age, 6)) == ("a", 0.71)  # from 10.2 to 10.91


def test_an_instrument_of_which_no_tick_comes_grows_old_though_all_others_are_fresh() -> None:
    newest = Newest(["a", "b", "c"], now=10.0)
    newest.take("b", sent=10.1, now=10.1)
    for number in range(100):
        newest.take("a", sent=10 + number / 10, now=10 + number / 10)
    assert newest.end(20.0) == Oldest("c", 10.0)


def test_a_tick_that_is_older_than_the_newest_does_not_make_it_older() -> None:
    newest = Newest(["a"], now=10.0)
    newest.take("a", sent=10.2, now=10.2)
    newest.take("a", sent=10.1, now=10.3)
    symbol, age = newest.end(10.4)
    assert (symbol, round(age, 6)) == ("a", 0.2)


def test_ages_are_counted_to_the_last_one_and_the_highest_is_exact() -> None:
    ages = Ages()
    assert ages.figures() == {}
    for _ in range(2_500_000 // 1000):
        for age in (0.001, 0.002):
            ages.take(age)
    ages.take(7.5)
    found = ages.figures()
    assert found["p50_us"] == pytest.approx(2_000, abs=20)
    assert found["p99_us"] == pytest.approx(2_000, abs=20)
    assert found["max_us"] == 7_500_000


def test_ages_above_two_seconds_are_not_told_as_two() -> None:
    ages = Ages()
    for age in (3.0, 4.0):
        ages.take(age)
    assert ages.figures() == {"p50_us": 4e6, "p99_us": 4e6, "max_us": 4e6}


GOOD = {
    **EXACT,
    "conflated": 0.0,
    "rate_per_s": 50_000.0,
    "p50_us": 900.0,
    "p99_us": 3_000.0,
    "cpu_us_per_item": 20.0,
    "newest_max_ms": 90.0,
    "memory_max_mb": 120.0,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, {"overload: conflated is 0, its bar at least 1"}),
        ({"conflated": 7.0}, {"5k: conflated is 7, its bar 0"}),
        ({"conflated": 7.0, "newest_max_ms": 251.0}, {"5k: conflated", "overload: newest_max_ms is 251, its bar 250"}),
        ({"conflated": 7.0, "lost": 1.0}, {"5k: conflated", "5k: lost is 1, its bar 0", "overload: lost is 1"}),
        ({"p50_us": 1_600.0, "cpu_us_per_item": 31.0}, {"5k: p50_us is 1,600", "5k: cpu_us_per_item", "overload: c"}),
    ],
)
async def test_each_case_knows_its_bars(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, float], said: set[str]
) -> None:
    class Path:
        async def measured(self, rate: float, seconds: float) -> Found:
            return Found({**GOOD, **changed}, "rb2605")

    @asynccontextmanager
    async def path(*_: object, **__: object) -> AsyncIterator[Path]:
        yield Path()

    monkeypatch.setattr("aegis.cli.bench.ctp.ctp_path", path)
    nowhere: Any = None
    cases, say = (CtpCase.PACED, CtpCase.OVERLOAD), lambda _: None  # pyright: ignore[reportUnknownLambdaType]
    report = await bench_ctp(nowhere, nodes=1, rate=50_000, extent=SHORT, replay=None, say=say, cases=cases)
    beyond = report.beyond()
    assert len(beyond) == len(said)
    assert all(any(one.startswith(each) for one in beyond) for each in said), beyond
