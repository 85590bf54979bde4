"""The market data service as a process of its own, what calls tell of it, and what its page of metrics does."""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from aegis.contracts.marketdata import STATUS, FeedStatus
from aegis_sdk import Client, Empty, NatsTransport
from aegis_sdk.discovery import Directory
from aegis_sdk.server import EmbeddedServer

DEADLINE_S = 60.0


@dataclass
class Running:
    """A service process and a caller of its own."""

    process: asyncio.subprocess.Process
    transport: NatsTransport
    client: Client

    async def status(self) -> FeedStatus:
        return await self.client.call(STATUS, Empty(), timeout=DEADLINE_S)

    async def publishes(self) -> None:
        """Return when it publishes, or has a feed that brings nothing."""
        async with asyncio.timeout(DEADLINE_S):
            while (status := await self.status()).role != "active" and status.state in ("ready", "ended"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self.process.terminate()
        assert await self.process.wait() == 0


def environment(server: EmbeddedServer, **settings: str) -> dict[str, str]:
    user = server.credentials
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    return {
        **inherited,
        "AEGIS_NATS_URL": server.urls[0],
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        **settings,
    }


@asynccontextmanager
async def marketdata(server: EmbeddedServer, log: Path = Path(os.devnull), **settings: str) -> AsyncGenerator[Running]:
    """The service, serving; it logs to a file."""
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aegis.marketdata", env=environment(server, **settings), stderr=stderr
        )
    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        running = Running(process, transport, Client(transport))
        await running.publishes()
        yield running
    finally:
        await transport.close()
        if process.returncode is None:
            process.kill()
            await process.wait()


def replayed(path: Path, *rows: str) -> dict[str, str]:
    """Settings that replay these rows, as fast as can be."""
    header = "TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec"
    path.write_text("\n".join([header, *rows]) + "\n")
    return {"AEGIS_REPLAY": str(path), "AEGIS_SPEED": "0"}


async def port_of(running: Running) -> int:
    async with Directory.open(running.transport, service="marketdata") as directory:
        await directory.wait_for(lambda found: bool(found.instances("marketdata")), DEADLINE_S)
        [instance] = directory.instances("marketdata")
    assert instance.record.metrics_port
    return instance.record.metrics_port


async def page(port: int, path: str) -> tuple[int, str]:
    def get() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return await asyncio.to_thread(get)


async def scraped(port: int) -> list[Sample]:
    status, text = await page(port, "/metrics")
    assert status == 200
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def figure(samples: list[Sample], name: str, **labels: str) -> float:
    [found] = [one.value for one in samples if one.name == f"aegis_marketdata_{name}" and one.labels == labels]
    return found
