"""What an instance counts of its keys, to be read at a scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from aegis_sdk.election_events import Role
from aegis_sdk.endpoint import Endpoint
from aegis_sdk.histogram import Histogram
from aegis_sdk.single_active.holding import Holding

__all__ = ["ActiveFigures"]

_BOUNDS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class ActiveFigures:
    """`keys` is how many the service has; what is held here, and its endpoints, the holdings put in."""

    def __init__(self, keys: int) -> None:
        self._keys = keys
        self.held: Mapping[str, Holding] = {}
        self.endpoints: Sequence[Endpoint] = ()
        self.write_time = Histogram(_BOUNDS_S)
        self.switches: Counter[str] = Counter(taken=0, given=0, lost=0)
        self.standstills = 0

    def roles(self) -> dict[str, int]:
        """How many keys this instance is what for; of all others it is the standby."""
        roles = Counter(_role(holding) for holding in self.held.values())
        roles[Role.STANDBY] = self._keys - roles.total()
        return {str(role): roles[role] for role in Role if role is not Role.CLAIMING}


def _role(holding: Holding) -> Role:
    if holding.releasing:
        return Role.RELEASING
    if holding.suspended_at is not None:
        return Role.SUSPENDED
    return Role.ACTIVE if holding.is_open else Role.RECOVERING
