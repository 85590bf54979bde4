"""A single-active service as a program: `single_active_program.py SERVICE`; settings in the environment.

It prints what becomes of its key: "active EPOCH", "standby".
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable

import msgspec
from pydantic import BaseModel

from aegis_sdk.ledger.snapshot import Committed
from aegis_sdk.program import run
from aegis_sdk.single_active import ActiveContext, SingleActive, active

KEY = "A1"


class Amount(BaseModel):
    amount: int = 0


class Accounts(SingleActive):
    snapshot_every = 20
    balance_of_key = 0

    def keys(self) -> Iterable[str]:
        return (KEY,)

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self.balance_of_key = int(snapshot or 0)

    def apply(self, key: str, change: Committed) -> None:
        self.balance_of_key += msgspec.json.decode(change.data)["amount"]

    def snapshot(self, key: str) -> bytes | None:
        return str(self.balance_of_key).encode()

    async def on_active(self, key: str, epoch: int) -> None:
        print("active", epoch, flush=True)
        print("frozen", gc.get_freeze_count(), flush=True)

    async def on_standby(self, key: str) -> None:
        print("standby", flush=True)

    @active
    async def deposit(self, request: Amount, context: ActiveContext) -> Amount:
        async with context.lock:
            return await context.commit(request, Amount(amount=self.balance_of_key + request.amount))

    @active
    async def balance(self, request: Amount, context: ActiveContext) -> Amount:
        return Amount(amount=self.balance_of_key)


if __name__ == "__main__":
    Accounts.name = sys.argv[1]
    run(Accounts())
