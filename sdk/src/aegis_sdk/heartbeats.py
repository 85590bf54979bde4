"""The heartbeats of one instance, as they are said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from aegis_sdk import clock
from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.instances import Heartbeat, InstanceStatus, Vitals
from aegis_sdk.transport import Transport

__all__ = ["Heartbeats"]

_log = structlog.get_logger("aegis.registry")

_PAIRS_AGAIN_S: Final = 5.0


class Heartbeats:
    """`vitals` is asked right before each heartbeat; where it raises, that one is not sent."""

    def __init__(self, transport: Transport, subject: str, vitals: Callable[[], Vitals]) -> None:
        self.subject = subject
        self._transport = transport
        self._vitals = vitals
        self._sequence = 0
        self._said = ""  # the digest of the pairs that were said last
        self._repeat_at = 0.0

    def say(self, incarnation: str, status: InstanceStatus) -> None:
        """Send one now. Nothing is raised: what is not sent is missed by those who listen."""
        try:
            vitals, now = self._vitals(), clock.now()
            self._sequence += 1
            pairs = self._pairs(vitals, now)
            beat = Heartbeat(incarnation, status, self._sequence, vitals.held, vitals.digest, pairs, vitals.suspended)
            self._transport.publish(self.subject, msgspec.json.encode(beat))
        except ConnectionUnavailable:
            return  # the next one is sent anew
        except Exception:
            _log.exception("heartbeat_failed", subject=self.subject)
            return
        if pairs is not None:
            self._said, self._repeat_at = vitals.digest, now + _PAIRS_AGAIN_S

    def repeat_pairs(self) -> None:
        """Say the pairs with the next heartbeat: those said before may have been lost with the connection."""
        self._repeat_at = 0.0

    def _pairs(self, vitals: Vitals, now: float) -> dict[str, int] | None:
        due = vitals.digest != self._said or (bool(vitals.pairs) and now >= self._repeat_at)
        return dict(vitals.pairs) if due else None
