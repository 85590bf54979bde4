"""A benchmark process: the holder of one key, which echoes, and measures its own commits beside plain publishes."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, Final, Literal

import msgspec
from pydantic import BaseModel

from aegis.cli.bench.models import QUOTE, PlainQuote
from aegis.cli.bench.plain import connect as connect_plain
from aegis.cli.bench.tally import settings
from aegis.cli.bench.workers import run, tell
from aegis_sdk import codec
from aegis_sdk.ledger.records import Result, Verdict, encode_entry
from aegis_sdk.program import serve
from aegis_sdk.single_active import ActiveContext, SingleActive, active

KEY: Final = "K0"
PLAIN_SUBJECT: Final = "plainledger.commit"

What = Literal["commit", "intent_result", "publish"]


class Measure(BaseModel):
    """What is to be done so many times, one after the other."""

    what: What
    count: int


class Measured(BaseModel):
    seconds: list[float]


class Clerk(SingleActive):
    """Says `ready` when it holds its key."""

    name = "clerk"

    def __init__(self) -> None:
        self._js: Any = None
        self._done = 0

    def keys(self) -> Iterable[str]:
        return [KEY]

    def snapshot(self, key: str) -> bytes | None:
        return b""

    async def on_active(self, key: str, epoch: int) -> None:
        self._js = (await connect_plain()).jetstream()
        tell("ready")

    @active
    async def echo(self, request: PlainQuote, context: ActiveContext) -> PlainQuote:
        return PlainQuote(symbol=request.symbol, price=request.price, size=request.size)

    @active
    async def measure(self, request: Measure, context: ActiveContext) -> Measured:
        acts = {"commit": self._commit, "intent_result": self._intend_and_commit, "publish": self._publish}
        act: Callable[[ActiveContext], Awaitable[object]] = acts[request.what]
        seconds: list[float] = []
        for _ in range(request.count):
            started = time.perf_counter()
            await act(context)
            seconds.append(time.perf_counter() - started)
        return Measured(seconds=seconds)

    async def _commit(self, context: ActiveContext) -> None:
        await self.held(context.key).commit(QUOTE)

    async def _intend_and_commit(self, context: ActiveContext) -> None:
        """As a call of its own would, with nothing to be done in between."""
        self._done += 1
        call = replace(context, idempotency_key=f"{context.idempotency_key}-{self._done}")
        await call.intend(QUOTE)
        await call.commit(QUOTE, QUOTE)

    async def _publish(self, context: ActiveContext) -> None:
        """A stored message as long as the entry of a commit, which is encoded for each as well."""
        body = msgspec.Raw(codec.encode_model(QUOTE))
        entry = encode_entry(context.epoch, 1_000, (Result("", Verdict.OK, body),))
        await self._js.publish(PLAIN_SUBJECT, entry)


if __name__ == "__main__":
    run(serve(Clerk(), settings("holder", int(sys.argv[1]))))
