"""A round: a service of three instances on a cluster, callers, a venue, faults, and the judgement in the end."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final
from uuid import uuid4

from nats.errors import Error as NatsError

from aegis_sdk import clock, subjects

from .checker import summary, violations
from .cluster import Cluster
from .evidence import Evidence, Violation
from .history import Fault, History, Recorder, load
from .namespaces import Namespace
from .wall_clocks import WallClock
from .workers import Worker

KEYS: Final = tuple(f"K{number}" for number in range(1, 7))
INSTANCES: Final = ("a", "b", "c")
_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05
_SETTLING_S: Final = 20.0
_TOLD_S: Final = 5.0
"""A clock that is told may be so old."""
KEEP: Final = os.environ.get("CHAOS_KEEP", "")
"""A directory for the histories of rounds; they are deleted with the round where it is empty."""


class Round:
    """Made by `begun`. Every fault is written down with its times."""

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        service: str,
        keys: Sequence[str],
        mutation: str,
        namespaces: Mapping[str, Namespace],
    ) -> None:
        self.cluster = cluster
        self.directory = directory
        self.service = service
        self.keys = tuple(keys)
        self.instances: dict[str, Worker] = {}
        self.callers: list[Worker] = []
        self.venue_port = 0
        self.unanswered = 0
        self.namespaces: dict[str, Namespace] = dict(namespaces)
        self._mutation = mutation
        self._recorder = Recorder(directory / "faults.jsonl")
        self._workers: list[Worker] = []
        self._wall_clocks: dict[str, WallClock] = {}
        self._highest: defaultdict[str, int] = defaultdict(int)
        self.restarting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    # Processes

    async def start_venue(self) -> None:
        host = "0.0.0.0" if self.namespaces else "127.0.0.1"
        venue = await self._start("venue", "venue", str(self.directory / "venue.jsonl"), host)
        self.venue_port = int(await venue.line())

    async def start_instance(self, name: str) -> None:
        """Start an instance, or start it anew; returns when it has joined the election."""
        worker = await self.launch_instance(name)
        assert await worker.line() == "ready"

    async def launch_instance(self, name: str) -> Worker:
        history = self.directory / f"instance-{name}.jsonl"
        there = self.namespaces.get(name)
        host = there.host if there else "127.0.0.1"
        urls = [f"nats://{host}:{node.client_port}" for node in self.cluster.nodes]
        arguments = (self.service, name, ",".join(self.keys), f"{host}:{self.venue_port}", str(history))
        worker = await self._start(
            name,
            "instance",
            *arguments,
            *(urls if there else await self.cluster.client_urls(self.link(name))),
            prefix=there.prefix if there else (),
        )
        self.instances[name] = worker
        return worker

    async def start_caller(self, name: str, seed: int) -> None:
        history = self.directory / f"caller-{name}.jsonl"
        arguments = (self.service, name, ",".join(self.keys), str(seed), str(history))
        worker = await self._start(name, "caller", *arguments, *await self.cluster.client_urls(self.link(name)))
        assert await worker.line() == "ready"
        self.callers.append(worker)

    async def _start(self, name: str, module: str, *arguments: str, prefix: Sequence[str] = ()) -> Worker:
        environment = {
            **self.cluster.environment(),
            **self.wall_clock(name).environment,
            "CHAOS_MUTATION": self._mutation,
            "CHAOS_PREFER": next(iter(self.namespaces), ""),
        }
        log = self.directory / f"{module}-{name}.log"
        worker = await Worker.start(name, module, *arguments, log=log, environment=environment, prefix=prefix)
        self._workers.append(worker)
        return worker

    async def kill_all(self) -> None:
        for worker in self._workers:
            await worker.kill()

    def link(self, name: str) -> str:
        """The name of its links to the cluster; another round may have one of its own with the same name."""
        return f"{self.service}.{name}"

    def wall_clock(self, name: str) -> WallClock:
        """That of an instance or a caller, in whichever process."""
        return self._wall_clocks.setdefault(name, WallClock(self.directory / f"{name}.clock"))

    # Questions

    async def wall_clock_ahead(self, name: str) -> float:
        """How far an instance sees its wall clock ahead of ours, in seconds; its other clocks it sees as we do."""
        self.instances[name].order("clocks")
        told = json.loads(await self.instances[name].line())
        ahead = told["datetime"] - time.time()
        for seen, ours in ((told["time"] - ahead, time.time()), (told["boot"], clock.now())):
            assert abs(seen - ours) < _TOLD_S, told
        assert abs(told["monotonic"] - time.monotonic()) < _TOLD_S, told
        return ahead

    async def holder(self, key: str) -> str:
        """The instance that holds a key; waits for one."""
        return (await self.held(key))[1]

    async def held(self, key: str, above: int = 0) -> tuple[int, str]:
        """Epoch and instance of the holder of a key; waits for an epoch above the one given.

        Who was cut off may still take itself for the holder: an epoch below one that was seen is none.
        """
        async with asyncio.timeout(_DEADLINE_S), self.cluster.connection() as client:
            while True:
                with suppress(NatsError, TimeoutError):
                    body = json.dumps({"key": key, "missed": 0}).encode()
                    answer = await client.request(subjects.epoch_asked(self.service), body, timeout=0.5)
                    _, epoch, instance = json.loads(answer.data)
                    if epoch > above and epoch >= self._highest[key]:
                        self._highest[key] = epoch
                        return epoch, instance
                await asyncio.sleep(_POLL_S)

    async def all_held(self) -> dict[str, tuple[int, str]]:
        return {key: await self.held(key) for key in self.keys}

    async def until(self, seen: Callable[[History], bool]) -> None:
        """Wait until something is written down."""
        async with asyncio.timeout(_DEADLINE_S):
            while not seen(await self.history()):  # noqa: ASYNC110 (files tell nobody)
                await asyncio.sleep(_POLL_S)

    async def history(self) -> History:
        """What is written down by now. It is read apart from the loop, which the bytes of all links pass."""
        return await asyncio.to_thread(load, self.directory)

    # Faults

    def note(self, what: str, whom: str, began: float, pid: int = 0) -> None:
        self._recorder.write(Fault(what, whom, began, clock.now(), pid))

    # The end

    async def found(self) -> list[Violation]:
        """What is wrong at once, with instances that may serve nobody any more."""
        for caller in self.callers:
            await caller.kill()
        return await asyncio.to_thread(violations, await self._evidence(lambda evidence: evidence.is_complete))

    async def judged(self) -> tuple[list[Violation], Evidence]:
        """Let all settle, read what is stored, and hold it against what was written down."""
        await self.cluster.wait_healed()
        self.unanswered = sum([await caller.end() for caller in self.callers])
        evidence = await self._evidence(lambda evidence: evidence.is_complete and not evidence.is_open)
        return await asyncio.to_thread(violations, evidence), evidence

    async def _evidence(self, is_enough: Callable[[Evidence], bool]) -> Evidence:
        """The evidence once it is enough, or there was time enough for that."""
        until = clock.now() + _SETTLING_S
        while True:
            copies = await self.cluster.copies(self.service)
            evidence = Evidence(history=await self.history(), copies=copies)
            if await asyncio.to_thread(is_enough, evidence) or clock.now() > until:
                return evidence
            await asyncio.sleep(_POLL_S)

    async def hold(self) -> Evidence:
        """Judge, and fail with everything that was found."""
        found, evidence = await self.judged()
        logs = f"; histories in {self.directory}" if KEEP else ""
        assert not found, f"{len(found)} violations{logs}:\n" + "\n".join(map(str, found[:20]))
        assert self.unanswered == 0, f"{self.unanswered} keys are not served after all has healed{logs}"
        assert evidence.calls, "nobody called"
        return evidence

    async def told(self) -> Evidence:
        """Judge like `hold`, and say what happened, for whoever reads the output of a failure."""
        evidence = await self.hold()
        print(summary(evidence))
        return evidence


@asynccontextmanager
async def begun(
    cluster: Cluster,
    *,
    keys: Sequence[str] = KEYS,
    instances: Sequence[str] = INSTANCES,
    callers: int = 1,
    seed: int = 1,
    mutation: str = "",
    namespaces: Mapping[str, Namespace] = MappingProxyType({}),
) -> AsyncIterator[Round]:
    """A round whose keys are all held and called. Its processes are gone afterwards, and all links are healed."""
    service = f"t{uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        if KEEP:
            directory = Path(KEEP) / service
            directory.mkdir(parents=True)
        else:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="aegis-round-")))
        round_ = Round(cluster, directory, service, keys, mutation, namespaces)
        stack.callback(cluster.heal, f"{service}.")
        stack.push_async_callback(round_.kill_all)
        await round_.start_venue()
        async with asyncio.TaskGroup() as group:
            for name in instances:
                group.create_task(round_.start_instance(name))
        await round_.all_held()
        for number in range(callers):
            await round_.start_caller(f"caller{number}", seed + number)
        yield round_
