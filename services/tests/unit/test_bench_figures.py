"""What a benchmark says of its figures and their bars."""

from __future__ import annotations

from aegis.cli.bench import ticks
from aegis.cli.bench.figures import Case


def test_a_figure_below_the_least_is_beyond_its_bar() -> None:
    case = Case("overload", {"rate_per_s": 29_000.0, "conflated": 0.0}, least={"rate_per_s": 30_000, "conflated": 1})
    assert case.beyond() == [
        "overload: rate_per_s is 29,000, its bar at least 30,000",
        "overload: conflated is 0, its bar at least 1",
    ]
    assert case.as_json()["beyond"] == ["conflated", "rate_per_s"]


def test_of_several_rounds_the_median_is_told_and_of_what_was_lost_the_worst() -> None:
    rounds = [{"rate_per_s": rate, "lost": lost} for rate, lost in ((1.0, 0.0), (9.0, 2.0), (3.0, 1.0))]
    assert ticks._median(rounds) == {"rate_per_s": 3.0, "lost": 2.0}
