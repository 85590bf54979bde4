"""Timers that contradict themselves are refused, and the refusal explains itself."""

from __future__ import annotations

from dataclasses import asdict, fields, replace

import pytest

from aegis_sdk.errors import ConfigurationError
from aegis_sdk.timers import AGGRESSIVE, BALANCED, CONSERVATIVE, PRESETS, Timers

NAMES = [field.name for field in fields(Timers)]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid(name: str) -> None:
    assert Timers(**asdict(PRESETS[name])) == PRESETS[name]


def test_each_preset_is_more_patient_than_the_one_before() -> None:
    assert list(PRESETS.values()) == [AGGRESSIVE, BALANCED, CONSERVATIVE]
    for name in NAMES:
        assert getattr(AGGRESSIVE, name) < getattr(BALANCED, name) < getattr(CONSERVATIVE, name), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_no_timer_is_zero_or_less(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match="must be above zero") as refused:
        replace(AGGRESSIVE, **{name: value})
    assert refused.value.field == f"timers.{name}"


@pytest.mark.parametrize(
    ("changes", "field", "bound", "why"),
    [
        ({"heartbeat_s": 0.0001}, "heartbeat_s", "0.001 (the step in which", "cannot keep their times"),
        ({"write_s": 0.03}, "write_s", "0.03 (twice the slowest healthy write", "suspends itself"),
        ({"silence_s": 0.4, "rank_s": 0.4}, "silence_s", "0.4 (rank_s)", "waits for the one before it"),
        ({"silence_s": 0.4, "handover_s": 30}, "silence_s", "30 (handover_s)", "without a holder"),
        ({"ask_after_s": 0.05}, "ask_after_s", "0.05 (heartbeat_s)", "every instance is asked"),
        ({"gate_s": 0.166}, "gate_s", "0.166 (heartbeat_s and the worst gap", "suspends itself"),
        ({"confirm_s": 0.09}, "confirm_s", "0.094 (how long a client is away", "taken for dead"),
        ({"silence_s": 0.25}, "silence_s", "0.25 (gate_s and heartbeat_s)", "does not notice itself"),
        ({"silence_s": 0.3, "confirm_s": 0.25}, "silence_s", "0.33 (ask_after_s and confirm_s)", "killed process"),
        ({"settle_s": 0.4}, "settle_s", "0.4 (silence_s)", "robbed"),
        ({"proof_s": 0.005}, "proof_s", "0.006 (two of the slowest", "no proof is young enough"),
        ({"rank_s": 0.01}, "rank_s", "0.015 (how long a claim", "at the same time"),
        ({"handover_s": 0.01}, "handover_s", "0.015 (how long a claim", "no successor"),
        ({"recover_s": 0.07}, "recover_s", "0.075 (proof_s", "no recovery can succeed"),
        ({"suspended_s": 0.7}, "suspended_s", "0.7 (write_s and gate_s)", "send its write again"),
        ({"outcome_s": 0.5}, "outcome_s", "0.5 (write_s)", "nobody knows"),
    ],
)
def test_a_contradiction_names_both_figures_and_what_would_happen(
    changes: dict[str, float], field: str, bound: str, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        replace(AGGRESSIVE, **changes)
    assert refused.value.field == f"timers.{field}"
    assert refused.value.problem.startswith(f"{changes[field]:g} must be above {bound}")
    assert why in refused.value.problem
