"""From when on the silence of an instrument is no chance."""

from __future__ import annotations

from random import Random

from aegis.marketdata.health.domain.pace import ENOUGH, LEAST_S, Pace


def learned(intervals: list[float]) -> Pace:
    pace = Pace()
    for interval in intervals:
        pace.learn(interval)
    return pace


def test_with_few_intervals_there_is_no_judgement() -> None:
    assert not learned([0.5] * (ENOUGH - 1)).is_known
    assert learned([0.5] * ENOUGH).is_known


def test_one_that_comes_with_every_snapshot_is_missed_after_five() -> None:
    assert learned([0.5] * 200).limit_s == LEAST_S


def test_one_that_is_young_is_given_more_time() -> None:
    assert learned([0.5] * 50).limit_s > LEAST_S


def test_one_that_leaves_out_a_snapshot_in_twenty_is_given_more_time_and_less_than_ten_usual_intervals() -> None:
    random = Random(1)
    pace = learned([0.5 if random.random() < 0.95 else 1.0 for _ in range(5_000)])
    assert LEAST_S + 1 < pace.limit_s < 10 * pace.usual_s


def test_a_slow_one_is_missed_within_ten_of_its_usual_intervals_and_never_by_chance() -> None:
    """Of intervals without memory: 200,000 of them, and none as long as the limit."""
    random = Random(2)
    pace = learned([random.expovariate(1 / 10) for _ in range(2_000)])
    assert 20 < pace.usual_s < 45  # three times the mean: one in twenty is longer
    assert 8 * pace.usual_s < pace.limit_s < 10 * pace.usual_s
    for _ in range(200_000):
        interval = random.expovariate(1 / 10)
        assert interval < pace.limit_s
        pace.learn(interval)


def test_one_long_pause_changes_little() -> None:
    pace = learned([1.0] * 500)
    before = pace.limit_s
    pace.learn(3_600)
    assert pace.limit_s < 1.1 * before


def test_nothing_waits_longer_than_nine_usual_intervals_or_eighteen_while_it_is_young() -> None:
    random = Random(3)
    for _ in range(100):
        mean_s = random.choice((0.01, 0.5, 3.0, 100.0))
        intervals = [random.expovariate(1 / mean_s) for _ in range(random.randrange(ENOUGH, 3 * ENOUGH + 100))]
        pace = learned(intervals)
        is_young = len(intervals) < ENOUGH + 100 and sum(intervals) <= 300
        most, least_s = (18, 10) if is_young else (9, LEAST_S)
        assert LEAST_S <= pace.limit_s <= max(most * pace.usual_s, least_s)


def test_what_is_learned_after_it_was_asked_changes_the_limit() -> None:
    pace = learned([1.0] * 500)
    before = pace.limit_s
    for _ in range(500):
        pace.learn(3.0)
    assert pace.limit_s > 2 * before
