"""The gate that notices that its process stood still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.gate import Gate


def test_a_process_that_goes_on_passes() -> None:
    gate = Gate(0.2, 10.0)
    assert [gate.enter(10.0 + step * 0.05) for step in range(1, 40)] == [False] * 39
    assert gate.broken_at < 0


def test_what_was_proved_before_a_stop_counts_for_nothing() -> None:
    gate = Gate(0.2, 10.0)
    gate.enter(10.1)
    assert gate.enter(10.5)
    assert gate.broken_at == 10.5
    assert gate.gap_s == pytest.approx(0.4)


def test_a_gap_of_exactly_the_limit_is_no_stop() -> None:
    gate = Gate(0.25, 10.0)
    assert not gate.enter(10.25)
    assert gate.enter(10.75)


def test_a_heartbeat_that_comes_first_does_not_hide_the_stop_from_the_requests_behind_it() -> None:
    gate = Gate(0.2, 10.0)
    proved_at = 10.19
    gate.enter(10.2)
    gate.enter(13.0)  # the heartbeat that was overdue
    assert not gate.enter(13.001)  # a request that waited in the socket
    assert proved_at < gate.broken_at


def test_a_proof_sent_after_the_stop_counts_until_the_next_one() -> None:
    gate = Gate(0.2, 10.0)
    gate.enter(12.0)
    gate.enter(12.1)
    assert gate.broken_at < 12.05
    gate.enter(14.0)
    assert gate.broken_at > 12.05


def test_a_stop_before_the_first_call_is_noticed() -> None:
    assert Gate(0.2, 10.0).enter(11.0)


def test_many_short_gaps_are_no_stop() -> None:
    gate = Gate(0.2, 0.0)
    for step in range(1, 1000):
        assert not gate.enter(step * 0.19)


@given(st.lists(st.floats(0, 1, allow_subnormal=False)))
def test_whatever_comes_a_gap_over_the_limit_is_noted_where_it_ends(gaps: list[float]) -> None:
    gate, now, stopped = Gate(0.2, 0.0), 0.0, []
    for gap in gaps:
        before, now = now, now + gap
        assert gate.enter(now) is (now - before > 0.2)
        if now - before > 0.2:
            stopped.append(now)
        assert gate.broken_at == (stopped[-1] if stopped else float("-inf"))
