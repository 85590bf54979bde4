"""What the rounds of a case have shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from aegis.cli.bench.crew import Crew
from aegis.cli.bench.figures import Figures, latencies_ms
from aegis.cli.bench.paced_calls import Answered, Calls, JournalCheck, stale_answers
from aegis_sdk.errors import OutcomeUnknown

__all__ = ["LEAD_S", "Say", "Tried"]

Say = Callable[[str], None]
"""Tells whoever waits how far it is."""

LEAD_S: Final = 0.2
"""Of calls before and after what is measured."""


class Tried:
    """Times, counts, and what is to be looked up in the ledger."""

    def __init__(self) -> None:
        self.seconds: list[float] = []  # what the case measures
        self.rounds_s: list[float] = []  # how long the harm of a round lasted, for callers
        self.counts: Counter[str] = Counter()
        self._answered: list[Answered] = []

    def take(self, gap_s: float, calls: Calls) -> None:
        self.seconds.append(gap_s)
        self.note(calls)

    def note(self, calls: Calls) -> None:
        self.counts["failed"] += len(calls.failed)
        self.counts["unknown"] += sum(isinstance(call.error, OutcomeUnknown) for call in calls.failed)
        self.counts["stale"] += stale_answers(calls.answered)
        self._answered += calls.answered

    async def check(self, crew: Crew, epochs: Mapping[str, int] | None = None) -> None:
        """Look up in the ledger what a crew has done; the end of its rounds. Switches are counted from `epochs` on."""
        check = JournalCheck()
        async for key, entry, sequence in crew.journals():
            check.take(key, entry, sequence)
        self.counts["stale"] += check.stale
        self.counts["lost"] += check.lost(self._answered)
        self.counts["switches"] += check.switches(epochs or {})
        self._answered.clear()

    def figures(self, *counts: str) -> Figures:
        return {**latencies_ms(self.seconds), **{name: float(self.counts[name]) for name in counts}}
