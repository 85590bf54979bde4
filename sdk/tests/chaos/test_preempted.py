"""What a process had to wait for a processor is told from what it took its time for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aegis_sdk import clock
from aegis_sdk.gate import Gate
from aegis_sdk.single_active.holding import Holding

from . import preempted
from .history import Recorder, load
from .preempted import Waits

LIMIT_S = 0.2
HOLDING: Any = SimpleNamespace(may_go_on=True, proof_sent_at=0.0, _timers=SimpleNamespace(proof_s=0.075))


class Process:
    """One that a test lets run, and wait; its clock goes on meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self._now = self._waited_s = 0.0
        self.directory = directory
        for where, name in ((Holding, "is_proved"), (Gate, "enter")):
            monkeypatch.setattr(where, name, getattr(where, name))  # put back in the end
        monkeypatch.setattr(clock, "now", lambda: self._now)
        monkeypatch.setattr(preempted, "waited_s", lambda: self._waited_s)
        self.waits = Waits("a", Recorder(directory / "a.jsonl"))
        self.gate = Gate(LIMIT_S, clock.now())

    def runs(self, seconds: float) -> None:
        self._now += seconds

    def waits_for(self, seconds: float) -> None:
        self._now += seconds
        self._waited_s += seconds


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Process:
    return Process(monkeypatch, tmp_path)


def test_what_is_waited_between_the_look_at_the_clock_and_that_at_the_proof_counts(process: Process) -> None:
    process.waits_for(1.0)
    now = clock.now()
    process.waits_for(0.04)
    Holding.is_proved(HOLDING, now)
    process.waits_for(0.02)
    assert process.waits.since_checked_s() == pytest.approx(0.06)


def test_what_a_process_took_its_time_for_is_no_wait(process: Process) -> None:
    Holding.is_proved(HOLDING, clock.now())
    process.runs(0.06)
    clock.now()
    assert process.waits.since_checked_s() == 0.0


@pytest.mark.parametrize("behind_the_clock", [False, True])
def test_a_wait_that_breaks_the_gate_is_written_down(process: Process, behind_the_clock: bool) -> None:
    """Behind the look at the clock it breaks the gate the next time, and is then what that gap was."""
    if behind_the_clock:
        now = clock.now()
        process.waits_for(0.3)
        assert not process.gate.enter(now)
    else:
        process.waits_for(0.3)
    assert process.gate.enter(clock.now())
    (fault,) = load(process.directory).faults
    assert (fault.what, fault.ended - fault.began) == ("preempted", pytest.approx(0.3))


def test_a_loop_that_blocks_itself_is_no_fault_of_the_machine(process: Process) -> None:
    process.runs(0.3)
    assert process.gate.enter(clock.now())
    assert load(process.directory).faults == []
