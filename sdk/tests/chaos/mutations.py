"""The guards of the product taken out, one at a time, in the process of an instance: each must be found out."""

from __future__ import annotations

import math
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from aegis_sdk import clock
from aegis_sdk.instances import Vitals
from aegis_sdk.ledger.epoch import HeldEpoch
from aegis_sdk.ledger.journal import Journal
from aegis_sdk.ledger.records import Entry, Intent, Result
from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.messages import MESSAGE_ID, ROLLUP
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.host import ActiveHost
from aegis_sdk.single_active.takeover import Takeover


def guard_removed() -> None:
    _with_guard(lambda guard: {})


def guard_in_lower_case() -> None:
    _with_guard(lambda guard: {name.lower(): value for name, value in guard.items()})


def _with_guard(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    make = HeldEpoch.__init__
    kind: Any = HeldEpoch

    def mutated(self: Any, *arguments: Any) -> None:
        make(self, *arguments)
        self._guard = change(dict(self._guard))
        self._proof_headers = {**self._guard, ROLLUP: "sub"}

    kind.__init__ = mutated


def heartbeat_before_gate() -> None:
    """A heartbeat that is overdue counts as life before the gate is asked."""
    vitals = ActiveHost.vitals

    def mutated(self: Any) -> Vitals:
        self._gate._passed_at = clock.now()
        return vitals(self)

    ActiveHost.vitals = mutated


def proof_age_ignored() -> None:
    def is_proved(self: Holding, now: float) -> bool:
        return not self.is_ended and self.suspended_at is None and self.proof_sent_at > -math.inf

    Holding.is_proved = is_proved


def old_proof_not_awaited() -> None:
    adopt = Takeover.adopt

    async def mutated(self: Takeover, holding: Holding, answer_from: float) -> None:
        await adopt(self, holding, -math.inf)

    Takeover.adopt = mutated


def number_ignored_in_replay() -> None:
    take = Journal.take

    def mutated(self: Journal, entry: Entry, sequence: int) -> Sequence[Committed]:
        if entry.epoch == self.epoch and 0 < entry.n <= self.n:
            for record in entry.records:
                if isinstance(record, Intent | Result):
                    self._intents.pop(record.idempotency_key, None)
                    self._outcomes.pop(record.idempotency_key, None)
            entry = msgspec.structs.replace(entry, n=self.n + 1)
        return take(self, entry, sequence)

    Journal.take = mutated


def message_id_without_epoch() -> None:
    def commit(self: Any, entry: bytes, timeout: float) -> Future[int]:
        n = msgspec.json.decode(entry, type=Entry).n
        return self._append(self._journal, entry, {**self._guard, MESSAGE_ID: f"{self.key}:{n}"}, timeout)

    HeldEpoch.commit = commit


MUTATIONS: Final[dict[str, Callable[[], None]]] = {
    each.__name__: each
    for each in (
        guard_removed,
        guard_in_lower_case,
        heartbeat_before_gate,
        proof_age_ignored,
        old_proof_not_awaited,
        number_ignored_in_replay,
        message_id_without_epoch,
    )
}
