"""The single-active service of the rounds: a balance for each key, with and without a venue."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel

from aegis_sdk import clock
from aegis_sdk.errors import Rejected
from aegis_sdk.ledger.snapshot import Committed, OpenIntent
from aegis_sdk.method import Method
from aegis_sdk.placement import Placement
from aegis_sdk.single_active.context import ActiveContext
from aegis_sdk.single_active.declaration import Settled, SingleActive, active

from .history import Calling, Recorder
from .preempted import Waits
from .venue import VenueConnection

READS: Final = frozenset({"balance", "peek"})
METHODS: Final = ("deposit", "order", *sorted(READS))


class Amount(BaseModel):
    amount: int = 0


class Told(BaseModel):
    """The balance as it is after the call; not known of an order that was settled later."""

    balance: int | None = None


class Overdrawn(Rejected):
    code = "overdrawn"


class Voided(Rejected):
    code = "voided"


def method(service: str, name: str) -> Method[Amount, Told]:
    """A method of the service as callers see it."""
    return Method(service, name, Amount, Told)


class Accounts(SingleActive):
    """`points` are the places at which the process stops itself, once each."""

    def __init__(
        self, keys: Iterable[str], instance: str, venue: VenueConnection, recorder: Recorder, waits: Waits
    ) -> None:
        self._keys = tuple(keys)
        self._instance = instance
        self._venue = venue
        self._recorder = recorder
        self._waits = waits
        self._balances: dict[str, int] = {}
        self.points: set[str] = set()
        self.recover_s = 0.0
        self.is_deaf = False

    def keys(self) -> Iterable[str]:
        return self._keys

    def placement(self, key: str) -> Placement:
        return Placement(prefer=tuple(filter(None, (os.environ.get("CHAOS_PREFER"),))))

    def strike(self, point: str) -> None:
        """Stop this process, if that was asked for here."""
        if point in self.points:
            self.points.discard(point)
            os.kill(os.getpid(), signal.SIGSTOP)

    # State

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self._balances[key] = int(snapshot or 0)

    def apply(self, key: str, change: Committed) -> None:
        if change.kind == "intent":
            self.strike("after_intent")
        elif (done := json.loads(change.data)) is not None:
            self._balances[key] += done["amount"]

    def snapshot(self, key: str) -> bytes | None:
        return str(self._balances[key]).encode()

    # Methods

    @active
    async def deposit(self, request: Amount, context: ActiveContext) -> Told:
        async with context.lock:
            return await context.commit(request, self._after(context.key, request))

    @active
    async def order(self, request: Amount, context: ActiveContext) -> Told:
        async with context.lock:
            told = self._after(context.key, request)
            await context.intend(request)
            sender = {"instance": self._instance, "pid": os.getpid(), "idempotency_key": context.idempotency_key}
            command = {**sender, "key": context.key, "epoch": context.epoch}
            self._recorder.write(Calling(at=clock.now(), kept_s=self._waits.since_checked_s(), **command))
            self.strike("before_call")
            if not await self._venue.ask(do="command", **command):
                raise Voided("the venue was told not to")
            return await context.commit(request, told)

    @active
    async def balance(self, request: Amount, context: ActiveContext) -> Told:
        return Told(balance=self._balances[context.key])

    @active(stale_ok=True)
    async def peek(self, request: Amount, context: ActiveContext) -> Told:
        return Told(balance=self._balances[context.key])

    def _after(self, key: str, request: Amount) -> Told:
        balance = self._balances[key] + request.amount
        if balance < 0:
            raise Overdrawn(f"{self._balances[key]} is all there is")
        return Told(balance=balance)

    # Taking over

    async def recover(self, key: str, intents: object) -> None:
        await asyncio.sleep(self.recover_s)

    async def settle(self, key: str, intent: OpenIntent) -> Settled | None:
        """Whether the venue has it, it knows; and it will not take what it does not have, from whomever it comes."""
        if await self._venue.ask(do="void", idempotency_key=intent.idempotency_key):
            return Settled(Told(), Amount.model_validate_json(intent.data))
        return Settled(Voided("its instance was gone before it was sent"))
