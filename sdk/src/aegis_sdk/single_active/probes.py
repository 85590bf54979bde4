"""Whether the ledger takes writes from here: what makes a holder that cannot write be replaced."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from aegis_sdk.election_events import Event, ProvedByStandby
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger.ledger import Ledger

__all__ = ["Probes"]

_log = structlog.get_logger("aegis.active")


class Probes:
    """Proofs of others' epochs. One at a time for each shard answers for all keys of it that wait."""

    def __init__(self, ledger: Ledger, write_s: float, tell: Callable[[Event], None]) -> None:
        self._ledger = ledger
        self._write_s = write_s
        self._tell = tell
        self._waiting: dict[int, dict[str, int]] = {}  # by shard, keys and their epochs

    async def probe(self, key: str, epoch: int) -> None:
        """Tell the election of it where the ledger takes a proof; where one is under way, wait for that."""
        waiting = self._waiting.setdefault(self._ledger.shard(key), {})
        is_first = not waiting
        waiting[key] = epoch
        if not is_first:
            return
        try:
            await self._ledger.epoch(key, epoch).prove(self._write_s)
        except AegisError as error:
            _log.info("ledger_probe_failed", key=key, reason=str(error))
            return
        finally:
            proved = dict(waiting)
            waiting.clear()
        for each, its_epoch in proved.items():
            self._tell(ProvedByStandby(each, its_epoch))
