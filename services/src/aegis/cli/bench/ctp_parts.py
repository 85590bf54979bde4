"""The processes of `aegis bench ctp`: the counter, the market data service behind it, and who reads its ticks."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis.cli.bench.ctp_sums import LeftOut
from aegis.cli.bench.workers import Worker, worker
from aegis.contracts.marketdata import LOSSES, STATUS, FeedStatus, LossesRequest
from aegis.profiles.writing import write_profile
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, RpcError
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront

__all__ = ["Service", "Subscriber", "children_of", "profile", "service", "stock_setting", "subscriber"]

_READY_S: Final = 60.0
_POLL_S: Final = 0.1
_DRAINED_S: Final = 1.0
_CLOCK_HZ: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Service:
    """A running market data service. Its processes are its own and the one of its CTP session."""

    def __init__(self, pid: int, client: Client) -> None:
        self.pid = pid
        self._client = client

    async def status(self) -> FeedStatus:
        return await self._client.call(STATUS, Empty(), timeout=10.0)

    async def subscribed(self) -> int:
        """Wait until all that is wanted is subscribed; how many instruments that is."""
        async with asyncio.timeout(_READY_S):
            while True:
                try:
                    status = await self.status()
                except RpcError:  # it is only starting
                    await asyncio.sleep(_POLL_S)
                    continue
                if status.wanted and status.subscribed == status.wanted:
                    return status.subscribed
                await asyncio.sleep(_POLL_S)

    async def left_out(self) -> LeftOut:
        """Since it started."""
        found = LeftOut(Counter(), Counter(), Counter(), Counter())
        after = ""
        while True:
            page = await self._client.call(LOSSES, LossesRequest(after=after), timeout=10.0)
            for one in page.losses:
                symbol = one.instrument.partition(".")[2]
                found.conflated[symbol] += one.conflated
                found.unserializable[symbol] += one.unserializable
                found.rejected[symbol] += one.rejected
                found.lost[symbol] += one.lost
            after = page.next
            if not after:
                return found

    def cpu_s(self) -> float:
        """Of all its processes, so far."""
        return sum(_cpu_s(pid) for pid in (self.pid, *children_of(self.pid)))

    def memory_mb(self) -> float:
        return sum(_resident(pid) for pid in (self.pid, *children_of(self.pid))) / 1e6


@asynccontextmanager
async def service(server: EmbeddedServer, profile: Path, nodes: int, **settings: str) -> AsyncGenerator[Service]:
    """The real program, with MessagePack, wanting everything; ended when this is left."""
    user = server.credentials
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_NATS_REPLICAS": str(nodes),
        "AEGIS_PROFILE": str(profile),
        "AEGIS_CODEC": "msgpack",
        "AEGIS_WANTED": "everything",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aegis.marketdata"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        yield Service(process.pid, Client(transport))
    finally:
        await transport.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


class Subscriber:
    def __init__(self, process: Worker) -> None:
        self._process = process

    async def _ask(self, word: str) -> Any:
        await self._process.say(word)
        return await self._process.hear(_READY_S)

    async def count(self) -> int:
        """Of ticks, since it started."""
        return await self._ask("count")

    async def begin(self, symbols: Iterable[str]) -> None:
        """Measure from now on; these instruments are waited for."""
        await self._ask(f"begin {msgspec.json.encode(list(symbols)).decode()}")

    async def end(self) -> None:
        """Nothing is waited for any more."""
        await self._ask("end")

    async def report(self) -> dict[str, Any]:
        """What came, once nothing more does."""
        before = -1
        while (count := await self.count()) != before:
            before = count
            await asyncio.sleep(_DRAINED_S)
        return await self._ask("report")


@asynccontextmanager
async def subscriber(server: EmbeddedServer, feed: str) -> AsyncGenerator[Subscriber]:
    """Of the ticks of one feed set."""
    async with worker(server, "aegis.cli.bench.ctp_subscriber", feed) as process:
        yield Subscriber(process)


@contextmanager
def profile(counter: RunningFront) -> Iterator[Path]:
    """A profile for the counter's first user, readable by nobody else."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as directory:
        path = Path(directory) / "bench.toml"
        write_profile(path, counter.libraries, counter.access.login())
        yield path


def stock_setting(counter: RunningFront) -> Mapping[str, str]:
    """What vnpy's gateway wants to know, by the names that it gives them."""
    user, front = counter.user, counter.address
    return {
        "用户名": user.user_id,
        "密码": user.password,
        "经纪商代码": user.broker_id,
        "交易服务器": front.trader,
        "行情服务器": front.market,
        "产品名称": user.app_id,
        "授权编码": user.auth_code,
        "柜台环境": "实盘",
    }


def children_of(pid: int) -> list[int]:
    """The processes that it has started. Raises AegisError where it has ended."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        raise AegisError(f"process {pid} has ended") from None


def _cpu_s(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CLOCK_HZ if fields else 0.0


def _resident(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * _PAGE_BYTES if fields else 0


def _read(pid: int, file: str) -> str:
    """What the kernel says of a process; nothing of one that has ended since it was named."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return ""
