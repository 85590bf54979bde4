"""The list of faults, and which of them are on."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_sdk.errors import ConfigurationError
from ctpsim.front.faults import FAULTS, OF_TICKS, Faults

INTEGRATION = Path(__file__).parents[1] / "integration"


def test_a_fault_may_be_of_one_side() -> None:
    faults = Faults()
    faults.set("stall@market")
    faults.set("login-error=3")
    assert (faults.get("M", "stall"), faults.get("T", "stall")) == (1, 0)
    assert faults.get("T", "login_error") == 3
    faults.clear("login_error@trader")
    assert faults.shown() == {"stall@market": 1, "login_error@market": 3}
    faults.clear()
    assert faults.shown() == {}


def test_a_fault_that_there_is_not_is_refused_by_name() -> None:
    for written in ("nonsense", "stall@nowhere", "login_error=soon", "stall=3"):
        with pytest.raises(ConfigurationError):
            Faults().set(written)


def test_a_fault_that_would_do_nothing_is_refused_by_name() -> None:
    faults = Faults(without=OF_TICKS)
    for name in OF_TICKS:
        with pytest.raises(ConfigurationError, match=f"{name} does nothing on this market"):
            faults.set(name)
    faults.set("stale_snapshot")
    assert faults.shown() == {"stale_snapshot@market": 1, "stale_snapshot@trader": 1}


def test_each_fault_has_a_test() -> None:
    texts = "".join(path.read_text() for path in INTEGRATION.glob("test_*.py"))
    assert [name for name in FAULTS if name not in texts] == []
