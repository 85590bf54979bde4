"""What live subscribers have had and the stream has not."""

from __future__ import annotations

from aegis.marketdata.adapters.bus.looking import where_to_look
from aegis.marketdata.domain.unstored import Unstored

A, B = "tick.SHFE.a", "tick.SHFE.b"


def heard(unstored: Unstored, *ticks: tuple[str, int]) -> None:
    for subject, sequence in ticks:
        unstored.heard(subject, f"{subject}{sequence}".encode(), (1, sequence))


def left(unstored: Unstored) -> list[tuple[str, int]]:
    return [(subject, sequence) for subject, _, sequence in unstored.take()]


def test_what_is_stored_is_left_out_and_the_rest_keeps_its_order() -> None:
    unstored = Unstored(10)
    heard(unstored, (A, 1), (B, 1), (A, 2), (B, 2))
    unstored.stored(B, (1, 1))
    unstored.stored(A, (1, 1))
    assert left(unstored) == [(A, 2), (B, 2)]
    assert left(unstored) == []


def test_what_is_stored_of_an_instrument_ends_all_before_it_also_of_a_lower_epoch() -> None:
    unstored = Unstored(10)
    heard(unstored, (A, 1), (A, 2), (B, 5))
    unstored.stored(A, (2, 1))
    unstored.stored(A, (1, 1))
    heard(unstored, (A, 3))
    assert left(unstored) == [(B, 5)]


def test_beyond_its_bound_the_oldest_that_is_not_stored_is_forgotten_and_counted() -> None:
    unstored = Unstored(3)
    heard(unstored, (A, 1), (B, 1), (B, 2))
    unstored.stored(B, (1, 2))
    heard(unstored, (A, 2), (A, 3), (A, 4))
    assert unstored.forgotten == 1
    assert left(unstored) == [(A, 2), (A, 3), (A, 4)]


def test_where_the_stream_was_never_read_its_end_is_looked_at() -> None:
    assert where_to_look(0, 900, 100) == (800, 900)
    assert where_to_look(300, 900, 100) == (300, 400)
