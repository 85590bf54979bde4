"""What becomes of each message of the stream."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple
from recordings import marker, stored, tick

from aegis.contracts.market import Level, Tick
from aegis.recorder.domain.intake import Intake, StreamChanged, identity
from aegis.recordings.manifest import Stretch
from aegis_sdk.messages import StoredMessage

NEW = Stretch(generation=1)


def taken(messages: Iterable[StoredMessage], stretch: Stretch = NEW, **more: Any) -> tuple[list[Tick], Stretch]:
    """The ticks to be recorded, and the stretch after all of them."""
    intake = Intake(stretch, **more)
    for message in messages:
        intake.add(message)
    return [one for one, _, _ in intake.take()], intake.settle()


def test_a_new_recording_begins_with_what_the_stream_still_has() -> None:
    _, stretch = taken([stored(500, tick(7)), stored(501, tick(8))])
    assert (stretch.first, stretch.last, stretch.ticks, stretch.lost) == (500, 501, 2, 0)


def test_what_the_stream_had_discarded_is_lost_and_said_where() -> None:
    begun = Stretch(generation=1, first=1, last=10, ticks=10)
    _, stretch = taken([stored(15, tick(15)), stored(17, tick(17))], begun)
    assert (stretch.lost, stretch.gaps) == (5, ((11, 14), (16, 16)))
    assert stretch.is_accounted_for


def test_gaps_beyond_a_thousand_are_still_counted() -> None:
    _, stretch = taken([stored(1, tick(1)), *(stored(2 * n, b"x") for n in range(1, 1200))])
    assert (len(stretch.gaps), stretch.lost) == (1000, 1198)
    assert stretch.is_accounted_for


def test_a_sequence_that_goes_back_is_another_stream_and_changes_nothing() -> None:
    intake = Intake(Stretch(generation=1, first=1, last=10, stored_ns=5, ticks=10))
    with pytest.raises(StreamChanged):
        intake.add(stored(10, tick(99)))
    assert intake.is_settled
    assert not intake.take()


@pytest.mark.parametrize(("before_ns", "lost"), [(0, 0), (10**15, 0), (1, 6)])
def test_a_stream_made_anew_owes_all_that_it_had(before_ns: int, lost: int) -> None:
    """One that only forgot its end begins with what was read before."""
    _, stretch = taken([stored(7, tick(7))], Stretch(generation=2), before_ns=before_ns)
    assert (stretch.first, stretch.lost) == (7 - lost, lost)
    assert stretch.is_accounted_for


@pytest.mark.parametrize("higher", [marker(2, epoch=5), stored(2, tick(1, epoch=5))], ids=["marker", "tick"])
def test_once_a_higher_epoch_was_read_ticks_of_a_lower_one_are_void(higher: StoredMessage) -> None:
    messages = [stored(1, tick(1, epoch=4)), higher, stored(3, tick(2, epoch=4)), stored(4, tick(2, epoch=5))]
    ticks, stretch = taken(messages)
    assert (stretch.void, {one.epoch for one in ticks[1:]}) == (1, {5})
    assert stretch.epochs == {"main": 5}


def test_what_the_holder_of_a_higher_epoch_stored_for_a_lower_one_is_recorded() -> None:
    late = stored(2, tick(2, epoch=4))
    late = late._replace(headers={**late.headers, "Aegis-Epoch": "5"})
    ticks, stretch = taken([marker(1, epoch=5), late, stored(3, tick(3, epoch=4)), stored(4, tick(1, epoch=5))])
    assert ([(one.epoch, one.sequence) for one in ticks], stretch.void) == ([(4, 2), (5, 1)], 1)


def test_epochs_are_those_of_each_feed() -> None:
    ticks, stretch = taken([marker(1, epoch=5, feed="other"), stored(2, tick(1, epoch=1))])
    assert (len(ticks), stretch.void) == (1, 0)


def test_epochs_are_remembered_over_a_restart() -> None:
    begun = Stretch(generation=1, first=1, last=1, markers=1, epochs={"main": 5})
    assert taken([stored(2, tick(1, epoch=4))], begun)[1].void == 1


def test_a_marker_that_cannot_be_read_is_only_counted() -> None:
    hostile = [b"{", b"", b'{"feed":"\xff","epoch":1}', b'{"x":' + b"[" * 100_000]
    _, stretch = taken([stored(n, payload, "tickmark.main") for n, payload in enumerate(hostile, start=1)])
    assert (stretch.markers, stretch.epochs) == (4, {})


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"env":"\xff',
        b'{"x":' + b"[" * 100_000,
        tick(trading_day="../../etc"),
        tick(trading_day="2025010"),
        tick(exchange=".."),
        tick(exchange="S/X"),
        tick(bids=(Level(1.0, 1),) * 6),
        tick(asks=(Level(1.0, 1),) * 6),
    ],
    ids=["no tick", "no text", "brackets", "day", "short day", "exchange", "slash", "six bids", "six asks"],
)
def test_what_cannot_be_recorded_is_malformed(content: Tick | bytes) -> None:
    ticks, stretch = taken([stored(1, content)])
    assert (ticks, stretch.malformed) == ([], 1)


def test_pickle_is_never_read() -> None:
    message = StoredMessage("tick.SHFE.rb2505", pickle.dumps(astuple(tick())), {"Aegis-Codec": "pickle"}, 1, 1)
    assert taken([message])[1].malformed == 1


def test_what_an_earlier_generation_has_is_not_recorded_again() -> None:
    again = {identity(tick()): [(1, 2), (5, 6)]}
    fresh = tick(1, session="s2")
    ticks, stretch = taken([stored(n, tick(n)) for n in range(1, 8)] + [stored(8, fresh)], recorded=again)
    assert ticks == [tick(3), tick(4), tick(7), fresh]
    assert stretch.repeated == 4


MESSAGES: list[Callable[[int], StoredMessage]] = [
    lambda sequence: stored(sequence, tick(sequence, epoch=2)),
    lambda sequence: stored(sequence, tick(sequence, epoch=1)),
    lambda sequence: stored(sequence, tick(sequence, exchange="")),
    lambda sequence: stored(sequence, b""),
    lambda sequence: marker(sequence, epoch=2),
    lambda sequence: stored(sequence, b"", "else"),
]


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(MESSAGES))), st.integers(0, 5))
def test_every_sequence_is_accounted_for_wherever_a_restart_falls(
    steps: list[tuple[int, Callable[[int], StoredMessage]]], restart: int
) -> None:
    intake, sequence, recorded = Intake(NEW), 0, 0
    for number, (step, make) in enumerate(steps):
        sequence += step
        intake.add(make(sequence))
        if number == restart:
            recorded += len(intake.take())
            intake = Intake(intake.settle())
    recorded += len(intake.take())
    stretch = intake.settle()
    assert stretch.is_accounted_for
    assert (stretch.ticks, stretch.last) == (recorded, sequence)
