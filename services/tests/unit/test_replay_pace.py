"""When recorded quotes are due."""

from aegis.marketdata.adapters.replay.pace import Pace

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def dues(speed: float, *recorded_s: float) -> list[float]:
    pace = Pace(speed)
    return [pace.delay_s(round(2 * DAY + at * SECOND), 7 * SECOND) for at in recorded_s]


def test_the_recorded_distances_are_kept():
    assert dues(1, 0, 0.5, 0.5, 2) == [0, 0.5, 0.5, 2]


def test_twice_as_fast_takes_half_the_time():
    assert dues(2, 0, 0.5, 2) == [0, 0.25, 1]


def test_speed_0_never_waits():
    assert dues(0, 0, 100, 200) == [0, 0, 0]


def test_a_long_pause_counts_as_five_seconds():
    assert dues(1, 0, 5400, 5401) == [0, 5, 6]


def test_an_earlier_stamp_is_due_at_once_and_costs_no_time_afterwards():
    assert dues(1, 0, 1, 0.5, 1, 0.5, 1, 2) == [0, 1, 1, 1, 1, 1, 2]


def test_a_step_back_of_more_than_a_day_begins_another_stretch():
    assert dues(1, 0, 1, 1 - 2 * 86_400, 2 - 2 * 86_400) == [0, 1, 1, 2]


def test_time_that_passed_elsewhere_is_not_waited_for():
    pace = Pace(1)
    assert pace.delay_s(0, 0) == 0
    assert pace.delay_s(2 * SECOND, SECOND) == 1
    assert pace.delay_s(3 * SECOND, 5 * SECOND) == -2
