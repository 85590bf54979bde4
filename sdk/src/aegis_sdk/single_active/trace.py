"""What a single-active host tells of what it does: for histories, metrics and logs. Times are of `aegis_sdk.clock`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from aegis_sdk.election_events import Role

__all__ = ["Answered", "Became", "Began", "GateBroke", "Observer", "Refused", "Trace", "Wrote"]


class Became(NamedTuple):
    """The instance has a new role for a key. `epoch` is 0 where it holds none."""

    key: str
    role: Role
    epoch: int
    at: float


class Began(NamedTuple):
    """A handler begins."""

    key: str
    epoch: int
    idempotency_key: str
    at: float


class Wrote(NamedTuple):
    """A guarded write was acknowledged. `what`: `proof`, `entry`; `n` is 0 for a proof."""

    key: str
    epoch: int
    what: str
    n: int
    sequence: int
    sent_at: float
    at: float


class Answered(NamedTuple):
    """An answer leaves, on the strength of a proof sent at `proof_sent_at`."""

    key: str
    epoch: int
    idempotency_key: str
    proof_sent_at: float
    stale: bool
    at: float


class Refused(NamedTuple):
    """A request is refused before it began, or its outcome is not known; `code` is the error's."""

    key: str
    epoch: int
    idempotency_key: str
    code: str
    at: float


class GateBroke(NamedTuple):
    """The instance's own loop stood still for `gap_s`."""

    gap_s: float
    at: float


Trace = Became | Began | Wrote | Answered | Refused | GateBroke
Observer = Callable[[Trace], None]
