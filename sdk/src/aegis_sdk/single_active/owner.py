"""What the holding of a key tells the instance that owns it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aegis_sdk.ledger.journal import Contradiction
from aegis_sdk.ledger.snapshot import Committed

if TYPE_CHECKING:
    from aegis_sdk.single_active.holding import Holding

__all__ = ["HoldingOwner"]


class HoldingOwner(Protocol):
    """What a holding tells its host, in the event loop. Where it tells that it `ended`, or `contradicted`, it has."""

    def wrote(self, seconds: float) -> None: ...

    def suspended(self, holding: Holding) -> None: ...

    def proved(self, holding: Holding) -> None: ...

    def ended(self, holding: Holding) -> None: ...

    def contradicted(self, holding: Holding, problem: Contradiction) -> None: ...

    def committed(self, holding: Holding, change: Committed) -> None: ...

    def snapshot_due(self, holding: Holding) -> bytes | None: ...

    def snapshot_stored(self, holding: Holding, sequence: int) -> None: ...
