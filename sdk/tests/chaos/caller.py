"""A caller as a process: random calls to random keys, each written down before it is sent and when it has ended.

    python -m chaos.caller SERVICE CALLER KEYS SEED HISTORY_FILE URL...

It prints "ready" when it has begun. On SIGTERM it ends its calls, reads each key once more, and exits with the number
of keys that gave no answer.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from pathlib import Path
from typing import Final

import uvloop

from aegis_sdk import clock
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, NotExecuted, OutcomeUnknown, RpcError
from aegis_sdk.telemetry import configure_logging
from aegis_sdk.transport_nats import NatsTransport

from .accounts import METHODS, Amount, method
from .history import Ended, Outcome, Recorder, Sent
from .preempted import waited_s

PAUSE_S: Final = 0.01
TIMEOUT_S: Final = 3.0
LAST_TIMEOUT_S: Final = 25.0
AGAIN: Final = 4
"""So often it is asked what became of a call that nobody knew of."""
MOST_OPEN: Final = 200
WEIGHTS: Final = (45, 20, 25, 10)


class Caller:
    def __init__(self, client: Client, service: str, name: str, keys: list[str], seed: int, recorder: Recorder) -> None:
        self._client = client
        self._service = service
        self._name = name
        self._keys = keys
        self._random = random.Random(seed)
        self._recorder = recorder
        self._numbers = itertools.count(1)

    async def run(self, stop: asyncio.Event) -> None:
        """Call until `stop`, then end what was begun."""
        async with asyncio.TaskGroup() as group:
            calls: set[asyncio.Task[None]] = set()
            while not stop.is_set():
                if len(calls) < MOST_OPEN:
                    calls.add(task := group.create_task(self._call_at_random()))
                    task.add_done_callback(calls.discard)
                await asyncio.sleep(PAUSE_S * self._random.uniform(0.2, 1.8))

    async def _call_at_random(self) -> None:
        key = self._random.choice(self._keys)
        name = self._random.choices(METHODS, WEIGHTS)[0]
        amount = Amount(amount=self._random.randint(-3, 9))
        idempotency_key = f"{self._name}-{next(self._numbers)}"
        for _ in range(AGAIN):
            if await self._call(key, name, amount, idempotency_key, TIMEOUT_S) is not Outcome.UNKNOWN:
                return

    async def read_all(self) -> int:
        """How many keys do not answer."""
        async with asyncio.TaskGroup() as group:
            calls = [
                group.create_task(self._call(key, "balance", Amount(), f"{self._name}-last-{key}", LAST_TIMEOUT_S))
                for key in self._keys
            ]
        return sum(call.result() is not Outcome.OK for call in calls)

    async def _call(self, key: str, name: str, amount: Amount, idempotency_key: str, timeout: float) -> Outcome:
        call = f"{self._name}/{next(self._numbers)}"
        before_s = waited_s()
        self._recorder.write(Sent(self._name, call, idempotency_key, key, name, clock.now(), timeout, name == "peek"))
        try:
            answer = await self._client.call_active(
                method(self._service, name), key, amount, timeout=timeout, idempotency_key=idempotency_key
            )
        except RpcError as error:
            outcome = _outcome(error)
            kept_s = waited_s() - before_s
            self._recorder.write(Ended(self._name, call, outcome, clock.now(), code=error.code, kept_s=kept_s))
            return outcome
        told = answer.value.balance
        self._recorder.write(
            Ended(self._name, call, Outcome.OK, clock.now(), answer.epoch, answer.sequence, answer.stale, told)
        )
        return Outcome.OK


def _outcome(error: AegisError) -> Outcome:
    match error:
        case NotExecuted():
            return Outcome.NOT_EXECUTED
        case OutcomeUnknown():
            return Outcome.UNKNOWN
        case _:
            return Outcome.REJECTED


async def main(service: str, name: str, keys: str, seed: str, path: str, *urls: str) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    transport = await NatsTransport.connect(
        urls, user=os.environ["NATS_USER"], password=os.environ["NATS_PASSWORD"], name=name, connect_timeout=30
    )
    caller = Caller(Client(transport), service, name, keys.split(","), int(seed), Recorder(Path(path)))
    print("ready", flush=True)
    await caller.run(stop)
    unanswered = await caller.read_all()
    await transport.close()
    return unanswered


if __name__ == "__main__":
    configure_logging()
    sys.exit(uvloop.run(main(*sys.argv[1:])))
