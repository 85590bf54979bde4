"""When a failed CTP session is followed by another."""

from __future__ import annotations

import pytest

from aegis.contracts.reasons import Reason
from aegis.ctp.attempts import Attempts, Patience
from aegis.ctp.failures import Failure, Kind, Step

PATIENCE = Patience(first_pause_s=1.0, longest_pause_s=8.0, attempts=3, steady_s=30.0)


def failure(kind: Kind) -> Failure:
    return Failure(step=Step.LOGIN_TRADER, kind=kind, cause=Reason("counter_silent"))


def attempts(chance: float = 0.999999) -> Attempts:
    return Attempts(PATIENCE, lambda: chance)


def pauses(attempts: Attempts, kind: Kind, count: int, ready_s: float = 0.0) -> list[float | None]:
    made = [attempts.pause_after(failure(kind), ready_s) for _ in range(count)]
    return [None if pause is None else round(pause, 3) for pause in made]


@pytest.mark.parametrize("kind", [Kind.CREDENTIALS, Kind.SETUP])
def test_what_would_fail_in_the_same_way_is_not_tried_again(kind: Kind) -> None:
    assert pauses(attempts(), kind, 1) == [None]


def test_a_counter_that_is_not_there_is_waited_for_with_growing_pauses_up_to_a_cap() -> None:
    assert pauses(attempts(), Kind.NOT_READY, 6) == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    endless = attempts()
    assert all(pause is not None for pause in pauses(endless, Kind.NOT_READY, 10_000))


def test_chance_shortens_a_pause_to_no_less_than_half() -> None:
    assert pauses(attempts(chance=0.0), Kind.NOT_READY, 3) == [0.5, 1.0, 2.0]


def test_other_errors_end_after_a_number_of_attempts() -> None:
    assert pauses(attempts(), Kind.OTHER, 3) == [1.0, 2.0, None]


def test_after_an_overload_there_is_another_session_at_once_and_after_more_of_them_with_pauses() -> None:
    """Each is a login at the counter, and a query of all that it lists."""
    made = attempts()
    assert pauses(made, Kind.OVERLOAD, 6) == [0.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert pauses(made, Kind.OVERLOAD, 2, ready_s=30.0) == [0.0, 0.0]
    assert pauses(made, Kind.OTHER, 3) == [2.0, 4.0, None]


def test_a_steady_session_begins_the_count_anew() -> None:
    made = attempts()
    assert pauses(made, Kind.OTHER, 2) == [1.0, 2.0]
    assert pauses(made, Kind.OTHER, 1, ready_s=30.0) == [1.0]
    assert pauses(made, Kind.OTHER, 2, ready_s=29.0) == [2.0, None]
