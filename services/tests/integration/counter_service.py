"""A single-active service for tests of commands: it counts for each of its keys. COUNTER names it."""

from __future__ import annotations

import asyncio
import os

from pydantic import BaseModel

from aegis_sdk import ActiveContext, Rejected, SingleActive, active, run
from aegis_sdk.single_active import Committed, OpenIntent, Settled


class Add(BaseModel):
    amount: int = 1


class Total(BaseModel):
    total: int


class Negative(Rejected):
    code = "negative"


class Counter(SingleActive):
    name = os.environ.get("COUNTER", "counter")

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.stalled = 0

    def keys(self) -> list[str]:
        return ["K1", "K2", "K3"]

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self.totals[key] = 0

    def apply(self, key: str, change: Committed) -> None:
        if change.data != b"null":
            self.totals[key] += Add.model_validate_json(change.data).amount

    @active
    async def add(self, request: Add, context: ActiveContext) -> Total:
        if request.amount < 0:
            raise Negative("it only counts up")
        return await context.commit(request, Total(total=self.totals[context.key] + request.amount))

    @active
    async def stall(self, request: Add, context: ActiveContext) -> Total:
        """Begin something outside, and never learn how it ends."""
        await context.intend(request)
        self.stalled += 1
        await asyncio.Event().wait()
        raise AssertionError

    @active
    async def stalls(self, request: Add, context: ActiveContext) -> Total:
        """How many calls this instance has stalled."""
        return Total(total=self.stalled)

    async def settle(self, key: str, intent: OpenIntent) -> Settled:
        return Settled(Total(total=-1))


if __name__ == "__main__":
    run(Counter())
