"""How long live subscribers wait at worst for the next one when whoever publishes is killed."""

from __future__ import annotations

from aegis.marketdata.endpoints import MarketData
from aegis_sdk.patience import Patience
from aegis_sdk.timers import AGGRESSIVE

_BAR_S = 0.3
_SEAM_S = 0.09  # for claim, first marker, seam and the first ticks: some 20 ms of a calm machine


def test_who_is_killed_right_after_a_heartbeat_is_replaced_in_time() -> None:
    timers = MarketData.timers
    patience = Patience.of(timers)
    asked_s = patience.suspicious_s + patience.tick_s  # it is looked at that often
    assert asked_s + patience.confirm_s + timers.proof_s + _SEAM_S < _BAR_S


def test_who_is_only_slow_has_as_much_time_as_any_holder() -> None:
    own, usual = MarketData.timers, AGGRESSIVE
    assert (own.confirm_s, own.silence_s, own.gate_s) == (usual.confirm_s, usual.silence_s, usual.gate_s)
