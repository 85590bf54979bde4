"""Instances of a single-active service in one process: `keyed_quotes.py NAME:ZONE:WEIGHT...`; settings in the
environment.

Each holds the keys that prefer it, and answers as itself whoever calls it by zone or weight.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterable

import uvloop
from pydantic import BaseModel

from aegis_sdk.config import Settings
from aegis_sdk.handler import rpc
from aegis_sdk.method import Empty
from aegis_sdk.program import serve
from aegis_sdk.single_active import CONSERVATIVE, ActiveContext, Placement, SingleActive, active
from aegis_sdk.telemetry import configure_logging

NEAR = {"a": 50, "b": 30, "c": 15, "d": 5}
"""Instances of the zone that is called, to their weights."""
FAR = tuple(f"e{number}" for number in range(16))
INSTANCES = (*NEAR, *FAR)
KEYS = tuple(f"K{number}" for number in range(3 * len(INSTANCES)))


class Quote(BaseModel):
    instance: str


class Quotes(SingleActive):
    name = "quotes"
    timers = CONSERVATIVE  # 20 instances on a small machine

    def __init__(self, instance: str = "") -> None:
        self._instance = instance

    def keys(self) -> Iterable[str]:
        return KEYS

    def placement(self, key: str) -> Placement:
        return Placement(prefer=(INSTANCES[KEYS.index(key) % len(INSTANCES)],))

    @rpc(idempotent=True)
    async def quote(self, request: Empty) -> Quote:
        return Quote(instance=self._instance)

    @active
    async def begin(self, request: Empty, context: ActiveContext) -> Empty:
        return await context.commit(request, Empty())


async def main(*instances: str) -> None:
    stop = asyncio.Event()
    settings = Settings.from_environment(os.environ)
    async with asyncio.TaskGroup() as group:
        for each in instances:
            name, zone, weight = each.split(":")
            its_own = settings.model_copy(update={"instance": name, "zone": zone, "weight": int(weight)})
            group.create_task(serve(Quotes(name), its_own, stop))


if __name__ == "__main__":
    configure_logging(level=logging.WARNING)
    uvloop.run(main(*sys.argv[1:]))
