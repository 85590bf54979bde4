"""Whose turn it is among the instances of a service, by weight and zone. Pure: what lives is read through an argument.

Turns are taken by smooth weighted round robin: at each, every instance earns its weight, and the richest is chosen and
pays what all have earned. So after any number of turns each has had its share to within one call, and the heavy one
has its calls spread out. Only the first turn is drawn by lot: else all callers would begin with the same instance.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from aegis_sdk.instances import Instance, InstanceStatus

__all__ = ["Balance", "Wheel", "able"]

_ABLE: Final = frozenset({InstanceStatus.ACTIVE, InstanceStatus.STANDBY})


def able(instances: Iterable[Instance], zone: str = "") -> dict[str, int]:
    """The instances that take calls, to their weights; a weight of 0 takes none.

    Those of the zone while there is one; where there is none, or no zone is named, all.
    """
    found = [each for each in instances if each.status in _ABLE and each.record.weight > 0]
    near = [each for each in found if zone and each.record.zone == zone]
    return {each.record.instance: each.record.weight for each in near or found}


class Wheel:
    """Takes turns among names in proportion to their weights, which may differ from turn to turn."""

    def __init__(self, lot: float) -> None:
        """`lot`, from 0 to below 1, decides the first turn."""
        self._lot: float | None = lot
        self._earned: dict[str, int] = {}

    def turn(self, weights: Mapping[str, int]) -> str:
        """The next of `weights`, of which there is at least one; all are above zero."""
        earned = self._earned
        for name, weight in weights.items():
            earned[name] = earned.get(name, 0) + weight
        chosen = max(weights, key=earned.__getitem__) if self._lot is None else _drawn(weights, self._lot)
        self._lot = None
        earned[chosen] -= sum(weights.values())
        return chosen

    def keep(self, names: Collection[str]) -> None:
        """Forget what others than `names` have earned."""
        self._earned = {name: earned for name, earned in self._earned.items() if name in names}


def _drawn(weights: Mapping[str, int], lot: float) -> str:
    at = lot * sum(weights.values())
    for name, weight in weights.items():
        at -= weight
        if at < 0:
            return name
    raise ValueError(f"{lot} is not from 0 to below 1")


class Balance:
    """Chooses an instance for each call. `instances` tells which of a service live; call `changed` when others do."""

    def __init__(
        self, instances: Callable[[str], Iterable[Instance]], draw: Callable[[], float] = random.random
    ) -> None:
        self._instances = instances
        self._draw = draw
        self._wheels: dict[tuple[str, str], Wheel] = {}
        self._weights: dict[tuple[str, str], dict[str, int]] = {}

    def changed(self) -> None:
        self._weights.clear()

    def choose(self, service: str, zone: str, refused_by: Collection[str] = ()) -> str:
        """The instance for a call, empty where none can take it.

        Those that have refused the call already come again only when all have.
        """
        weights = self._weights.get((service, zone))
        if weights is None:
            weights = self._read(service, zone)
        fresh = {name: weight for name, weight in weights.items() if name not in refused_by} if refused_by else weights
        return self._wheels[service, zone].turn(fresh or weights) if weights else ""

    def _read(self, service: str, zone: str) -> dict[str, int]:
        weights = self._weights[service, zone] = able(self._instances(service), zone)
        self._wheels.setdefault((service, zone), Wheel(self._draw())).keep(weights)
        return weights
