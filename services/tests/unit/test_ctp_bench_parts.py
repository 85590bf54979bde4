"""What `aegis bench ctp` makes of what was sent and received."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.bench.cases import CtpCase
from aegis.cli.bench.ctp import SHORT, bench_ctp
from aegis.cli.bench.ctp_ages import Ages, Newest, Oldest
from aegis.cli.bench.ctp_cycles import IN_ORDER
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


def test_a_tick_that_is_rejected_is_accounted_for_by_its_instrument() -> None:
    figures = sums({"a": 2, "b": 1}, {"a": 1, "b": 1}, left_out(rejected={"a": 1}))
    assert (figures["lost"], figures["surplus"], figures["unaccounted"]) == (0, 0, 0)
    assert sums({"a": 2, "b": 1}, {"a": 2, "b": 0}, left_out(rejected={"a": 1}))["unaccounted"] == 2


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
    "sent": 100.0,
    "conflated": 0.0,
    "offered_per_s": 100_000.0,
    "rate_per_s": 50_000.0,
    "p50_us": 900.0,
    "p99_us": 3_000.0,
    "cpu_us_per_item": 20.0,
    "newest_max_ms": 90.0,
    "memory_max_mb": 120.0,
    "took_s": 0.5,
    **IN_ORDER,
    "close_max_ms": 138.0,
}
NO_OVERLOAD = "overload: conflated is 0, its bar at least 1"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, {NO_OVERLOAD}),
        (
            {"conflated": 7.0},
            {f"{case}: conflated is 7, its bar 0" for case in ("sustained", "5k", "burst20")},
        ),
        ({"newest_max_ms": 251.0}, {NO_OVERLOAD, "overload: newest_max_ms is 251, its bar 250"}),
        (
            {"lost": 1.0},
            {NO_OVERLOAD, *(f"{case}: lost is 1, its bar 0" for case in ("sustained", "5k", "overload", "burst20"))},
        ),
        ({"p50_us": 1_600.0}, {NO_OVERLOAD, "5k: p50_us is 1,600, its bar 1,500"}),
        ({"cpu_us_per_item": 31.0}, {NO_OVERLOAD, "5k: cpu_us_per_item is 31, its bar 30"}),
        ({"memory_max_mb": 201.0}, {NO_OVERLOAD, "overload: memory_max_mb is 201, its bar 200"}),
        ({"offered_per_s": 94_999.0}, {NO_OVERLOAD, "overload: offered_per_s is 94,999, its bar at least 95,000"}),
        (
            {"rate_per_s": 4_000.0},
            {NO_OVERLOAD, "5k: rate_per_s is 4,000, its bar at least", "sustained: rate_per_s is 4,000, its bar at"},
        ),
        ({"sent": 0.0}, {NO_OVERLOAD, "burst20: sent is 0, its bar at least 99"}),
        ({"took_s": 0.56}, {NO_OVERLOAD, "burst20: took_s is 0.56, its bar 0.54"}),
        ({"killed": 1.0}, {NO_OVERLOAD, "cycles: killed is 1, its bar 0"}),
        ({"close_max_ms": 1_001.0}, {NO_OVERLOAD, "cycles: close_max_ms is 1,001, its bar 1,000"}),
    ],
)
async def test_each_case_knows_its_bars(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: dict[str, float], said: set[str]
) -> None:
    figures = {**GOOD, **changed}

    class Measured:
        async def measured(self, rate: float, seconds: float) -> Found:
            return Found(figures, "rb2605")

        async def replayed(self) -> dict[str, float]:
            return figures

    @asynccontextmanager
    async def path(*_: object, **__: object) -> AsyncIterator[Measured]:
        yield Measured()

    async def baseline(*_: object) -> dict[str, float]:
        return {"rate_per_s": 9_888.0}

    async def closed(*_: object) -> tuple[dict[str, float], Counter[str]]:
        return figures, Counter()

    monkeypatch.setattr("aegis.cli.bench.ctp.ctp_path", path)
    monkeypatch.setattr("aegis.cli.bench.ctp.front", path)
    monkeypatch.setattr("aegis.cli.bench.ctp.bench_baseline", baseline)
    monkeypatch.setattr("aegis.cli.bench.ctp.cycles", closed)
    nowhere: Any = None
    burst = recording(tmp_path / "ticks.csv", rows=100, apart_s=0.1)
    report = await bench_ctp(nowhere, nodes=1, rate=50_000, extent=SHORT, replay=burst, say=lambda _: None)
    assert [case.name for case in report.cases] == [*CtpCase]
    beyond = report.beyond()
    assert len(beyond) == len(said), beyond
    assert all(any(one.startswith(each) for one in beyond) for each in said), beyond


def recording(path: Path, rows: int, apart_s: float) -> Path:
    head = "TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,Turnover,OpenInterest,UpdateTime,UpdateMillisec,"
    lines = [f"{head}BidPrice1,BidVolume1,AskPrice1,AskVolume1"]
    for number in range(rows):
        second, millisecond = divmod(round(number * apart_s * 1000), 1000)
        lines.append(f"20250102,rb2505,SHFE,3700,{number},1,1000,10:00:{second:02},{millisecond},3699,3,3701,4")
    path.write_text("\n".join(lines))
    return path
