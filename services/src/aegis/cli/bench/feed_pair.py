"""A feed set twice, behind the two fronts of a simulated counter, which writes down every tick; and who hears them."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Self

from aegis.cli.bench.feed_record import Comparison, Heard, compare, read
from aegis.contracts.market import Tick
from aegis.contracts.marketdata import SERVICE, STATUS, FeedStatus
from aegis.contracts.tick_codec import decode, sent_under
from aegis.marketdata.adapters.bus import TICKS
from aegis.profiles.writing import write_profile
from aegis.tick_seam import Epochs
from aegis.ticks import subscribe_ticks
from aegis_sdk.client import Client
from aegis_sdk.errors import Moved, Rejected, RpcError
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active.operations import Handover, handover_of
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.options import random_user
from ctpsim.testing import RunningFront, front

__all__ = ["INSTANCES", "STALL_S", "FeedPair", "Listener"]

INSTANCES: Final = ("primary", "backup")
"""Each logs in at the front of its place."""
STALL_S: Final = 1.0
"""Where nothing else is asked for: silence is a stall after so long."""
_RECORD: Final = "sent.csv"
_READY_S: Final = 30.0
_READ_S: Final = 120.0  # all that the stream has
_HANDED_OVER_S: Final = 10.0
_POLL_S: Final = 0.05
_QUIET_S: Final = 0.5


class Listener:
    """A subscriber of all ticks: what it had of each instrument, and its longest pause over all of them, in seconds."""

    def __init__(self) -> None:
        self.heard: defaultdict[str, list[Heard]] = defaultdict(list)
        self.pause_s = 0.0
        self.epochs: set[int] = set()
        self._last_at = time.monotonic()
        self._latest: dict[str, tuple[int, int]] = {}

    def take(self, tick: Tick) -> None:
        now = time.monotonic()
        self.pause_s, self._last_at = max(self.pause_s, now - self._last_at), now
        self.epochs.add(tick.epoch)
        epoch, sequence = self._latest.get(tick.symbol, (tick.epoch, tick.sequence - 1))
        hole = tick.sequence - (sequence if epoch == tick.epoch else 0) - 1
        self._latest[tick.symbol] = tick.epoch, tick.sequence
        self.heard[tick.symbol].append(Heard.of(tick, hole))

    def begin(self) -> None:
        """Forget the pauses of before. A garbage collection that looks at all that was heard would be one."""
        gc.freeze()
        self.pause_s, self._last_at = 0.0, time.monotonic()

    @property
    def longest_s(self) -> float:
        """The longest pause, the present one included."""
        return max(self.pause_s, self.silent_s)

    @property
    def silent_s(self) -> float:
        return time.monotonic() - self._last_at


class FeedPair:
    """Made by `of`. `hurt` by the caller, `settled` afterwards."""

    def __init__(
        self, server: EmbeddedServer, transport: NatsTransport, counter: RunningFront, directory: Path, stall_s: float
    ) -> None:
        self.counter = counter
        self.listener = Listener()
        self.transport = transport
        self.client = Client(transport)
        self._server = server
        self._directory = directory
        self._stall_s = stall_s
        self._rounds: list[tuple[str, int]] = []  # what is done in each, and how long the record was when it began
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    @classmethod
    @asynccontextmanager
    async def of(cls, server: EmbeddedServer, *, rate: float, stall_s: float = STALL_S) -> AsyncGenerator[Self]:
        """Both run and are ready when this yields."""
        user = server.credentials
        async with AsyncExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-feeds-")))
            users = (random_user(), random_user())
            market = front(rate=rate, fronts=len(INSTANCES), users=users, record=directory / _RECORD)
            counter = await stack.enter_async_context(market)
            transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
            stack.push_async_callback(transport.close)
            pair = cls(server, transport, counter, directory, stall_s)
            logins = [counter.access.login(number, number) for number in range(len(INSTANCES))]
            write_profile(directory / "pair.toml", counter.libraries, *logins)
            stack.push_async_callback(pair._end)
            for instance in INSTANCES:
                await pair.start(instance)
            await pair.settled()
            await stack.enter_async_context(subscribe_ticks(transport, on_tick=pair.listener.take))
            yield pair

    def begin(self, name: str) -> None:
        """A round begins: what differs from now on is its own."""
        self._rounds.append((name, (self._directory / _RECORD).stat().st_size))
        self.listener.begin()

    # Its processes

    async def start(self, instance: str) -> None:
        user = self._server.credentials
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
            "AEGIS_NATS_URL": ",".join(self._server.urls),
            "AEGIS_NATS_USER": user.user,
            "AEGIS_NATS_PASSWORD": user.password,
            "AEGIS_NATS_REPLICAS": str(len(self._server.nodes)),
            "AEGIS_PROFILE": str(self._directory / "pair.toml"),
            "AEGIS_LOGIN": instance,
            "AEGIS_INSTANCE": instance,
            "AEGIS_PREFERRED": INSTANCES[0],
            "AEGIS_CODEC": "msgpack",
            "AEGIS_CTP_STALL_S": str(self._stall_s),
        }
        with (self._directory / f"{instance}.log").open("ab") as log:
            self._processes[instance] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "aegis.marketdata"), env=environment, stdout=log, stderr=log
            )

    def send_signal(self, instance: str, number: signal.Signals) -> None:
        self._processes[instance].send_signal(number)

    async def kill(self, instance: str) -> None:
        self._processes[instance].kill()
        await self._processes[instance].wait()

    def kill_session(self, instance: str) -> None:
        """SIGKILL the process of its CTP session."""
        pid = self._processes[instance].pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)

    async def hand_over(self, instance: str) -> None:
        """Have it give the key to the other one, once that says that it could take it."""
        request = Handover(key="main")
        async with asyncio.timeout(_READY_S):
            while True:
                try:
                    await self.client.call(handover_of(SERVICE), request, instance=instance, timeout=_HANDED_OVER_S)
                    return
                except Moved:  # by itself
                    return
                except Rejected:
                    await asyncio.sleep(_POLL_S)

    def is_running(self, instance: str) -> bool:
        return self._processes[instance].returncode is None

    def pid(self, instance: str) -> int:
        return self._processes[instance].pid

    def log(self, instance: str) -> str:
        return (self._directory / f"{instance}.log").read_text()

    async def _end(self) -> None:
        for process in self._processes.values():
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        for process in self._processes.values():
            await process.wait()

    # What they say

    async def statuses(self) -> dict[str, FeedStatus]:
        """Of those that answer."""
        found: dict[str, FeedStatus] = {}
        for instance in INSTANCES:
            try:
                found[instance] = await self.client.call(STATUS, Empty(), instance=instance, timeout=1.0)
            except RpcError:
                continue
        return found

    async def settled(self) -> str:
        """Return when one publishes, all that it held too, and the other could take over at once; who publishes."""
        async with asyncio.timeout(_READY_S):
            while True:
                found = await self.statuses()
                active = [name for name, one in found.items() if one.role == "active"]
                complete = len(found) == len(INSTANCES) and all(map(_is_complete, found.values()))
                if complete and len(active) == 1 and not found[active[0]].held:
                    return active[0]
                await asyncio.sleep(_POLL_S)

    async def proven(self) -> None:
        """Return when all that was published till now is stored, or known to be lost."""
        published = {name: one.published for name, one in (await self.statuses()).items()}
        async with asyncio.timeout(_READY_S):
            while not all(  # noqa: ASYNC110 (it is asked)
                _ended(one) >= published.get(name, 0) for name, one in (await self.statuses()).items()
            ):
                await asyncio.sleep(_POLL_S)

    async def taken_over(self, before: str) -> str:
        """Return when another instance than `before` publishes; which one."""
        async with asyncio.timeout(_READY_S):
            while True:
                for name, one in (await self.statuses()).items():
                    if one.role == "active" and name != before:
                        return name
                await asyncio.sleep(_POLL_S)

    # What was heard, against what was sent

    async def compared(self) -> dict[str, Comparison]:
        """End the market, and compare what the listener had with what the counter sent, by the names of the rounds."""
        await self.counter.control.fault("no_ticks@market")
        async with asyncio.timeout(_READY_S):
            while self.listener.silent_s < _QUIET_S:  # noqa: ASYNC110 (who waits for silence is told nothing)
                await asyncio.sleep(_POLL_S)
        return await self._compared(self.listener)

    async def stored(self) -> dict[str, Comparison]:
        """The same of all that the stream has, once the market has ended and what an outage held back is stored."""
        async with asyncio.timeout(_READY_S):
            while not _is_stored(await self.statuses()):  # noqa: ASYNC110 (it is asked)
                await asyncio.sleep(_POLL_S)
        reader, epochs = Listener(), Epochs()
        last = await self.transport.last_sequence(TICKS)
        async with asyncio.timeout(_READ_S), self.transport.read(TICKS) as messages:
            async for message in messages:
                if message is None:  # the node that is read from may be behind the leader
                    continue
                if message.subject.startswith("tick."):
                    tick = decode(message.headers, message.payload)
                    if epochs.admit(tick.feed, sent_under(message.headers, tick)):
                        reader.take(tick)
                if message.sequence >= last:
                    break
        return await self._compared(reader)

    async def _compared(self, listener: Listener) -> dict[str, Comparison]:
        sent = await asyncio.to_thread(read, self._directory / _RECORD)
        parts = await asyncio.to_thread(compare, listener.heard, sent, [begin for _, begin in self._rounds])
        found: defaultdict[str, Comparison] = defaultdict(Comparison)
        for (name, _), part in zip(self._rounds, parts, strict=True):
            found[name] += part
        return found


def _is_stored(found: Mapping[str, FeedStatus]) -> bool:
    """Whether nothing waits any more that the stream shall have."""
    return len(found) == len(INSTANCES) and all(
        _ended(one) >= one.published and not one.waiting for one in found.values()
    )


def _ended(one: FeedStatus) -> int:
    """Of how many that were published it is known what became of them in the stream."""
    return one.stored + one.left + one.lost_sent


def _is_complete(one: FeedStatus) -> bool:
    return one.state == "ready" and 0 < one.wanted == one.subscribed
