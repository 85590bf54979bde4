"""Who should hold a key: preference, zone, then a weighted rendezvous hash that everybody computes alike.

A rendezvous hash gives each candidate a score for each key. Who leaves takes nobody else's score along, so only its own
keys move, to all others by their weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from math import log
from typing import NamedTuple

from aegis_sdk.errors import ConfigurationError

__all__ = ["Candidate", "Placement", "ranking"]


class Candidate(NamedTuple):
    """An instance that may hold keys; twice the `weight` gets twice the keys, 0 none."""

    instance: str
    zone: str
    weight: int


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a key should be, when it is free: it never moves from a healthy holder."""

    prefer: tuple[str, ...] = ()  # instances, the best first
    zone: str = ""  # before all others
    standbys: int = 0  # so many instances besides the holder may take it; 0: all

    def __post_init__(self) -> None:
        if self.standbys < 0:
            raise ConfigurationError("placement.standbys", f"{self.standbys} must be 0 (all) or above")


def ranking(service: str, key: str, candidates: Iterable[Candidate], placement: Placement) -> list[str]:
    """The instances that may take a key, the best first; with `placement.standbys`, one more than these at most."""

    def order(candidate: Candidate) -> tuple[int, bool, float, str]:
        instance, zone, weight = candidate
        place = placement.prefer.index(instance) if instance in placement.prefer else len(placement.prefer)
        return place, zone != placement.zone, -_score(service, key, instance, weight), instance

    ranked = [candidate.instance for candidate in sorted((c for c in candidates if c.weight > 0), key=order)]
    return ranked[: placement.standbys + 1] if placement.standbys else ranked


def _score(service: str, key: str, instance: str, weight: int) -> float:
    digest = blake2b(f"{service}/{key}/{instance}".encode(), digest_size=8).digest()
    uniform = ((int.from_bytes(digest, "big") >> 12) + 0.5) / 2.0**52  # exact, so never 0 and never 1
    return -weight / log(uniform)
