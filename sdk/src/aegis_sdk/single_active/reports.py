"""What holdings report: of their epochs to the election, of their commits to the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from aegis_sdk.election_events import Contradicted, Deposed, Event, Proved, Suspended
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.journal import Contradiction
from aegis_sdk.ledger.ledger import Ledger
from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.single_active.declaration import SingleActive
from aegis_sdk.single_active.figures import ActiveFigures
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.takeover import Takeover

__all__ = ["Reports"]

_log = structlog.get_logger("aegis.active")

SNAPSHOT_BYTES: Final = 8 * 1024 * 1024
"""Of entries; with `snapshot_every` it bounds what a new holder replays."""


class Reports:
    """The owner of all holdings of an instance. `start` runs what takes time."""

    def __init__(
        self,
        service: SingleActive,
        ledger: Ledger,
        takeover: Takeover,
        tell: Callable[[Event], None],
        start: Callable[..., None],
        figures: ActiveFigures,
    ) -> None:
        self._service = service
        self._ledger = ledger
        self._takeover = takeover
        self._tell = tell
        self._start: Callable[..., Any] = start
        self._write_time = figures.write_time

    def wrote(self, seconds: float) -> None:
        self._write_time.observe(seconds)

    def suspended(self, holding: Holding) -> None:
        self._tell(Suspended(holding.key, holding.epoch))

    def proved(self, holding: Holding) -> None:
        self._tell(Proved(holding.key, holding.epoch))

    def ended(self, holding: Holding) -> None:
        self._tell(Deposed(holding.key, holding.epoch))

    def contradicted(self, holding: Holding, problem: Contradiction) -> None:
        self._tell(Contradicted(holding.key, str(problem)))

    def committed(self, holding: Holding, change: Committed) -> None:
        try:
            self._service.apply(holding.key, change)
        except Exception:
            _log.exception("change_not_applied", key=holding.key, sequence=change.sequence)
            holding.end()
            self._start(self._takeover.give_back, holding)

    def snapshot_due(self, holding: Holding) -> bytes | None:
        many = len(holding.journal.changes) >= self._service.snapshot_every
        if not many and holding.bytes_since_snapshot < SNAPSHOT_BYTES:
            return None
        try:
            state = self._service.snapshot(holding.key)
            if not isinstance(state, bytes | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # others' code
                raise TypeError(f"a snapshot is bytes, not {type(state).__name__}")
            return state
        except Exception:
            _log.exception("no_snapshot", key=holding.key)
            return None

    def snapshot_stored(self, holding: Holding, sequence: int) -> None:
        self._start(self._compact, holding.key, sequence)

    async def _compact(self, key: str, sequence: int) -> None:
        try:
            await self._ledger.compact(key, sequence)
        except AegisError as error:
            _log.info("not_compacted", key=key, reason=str(error))
