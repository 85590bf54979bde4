"""What a process tells over HTTP, and that no peer of its pages can hold it up."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from aegis_sdk import metrics_server as pages
from aegis_sdk.client import Client
from aegis_sdk.errors import ConfigurationError, Rejected
from aegis_sdk.figures import Figures
from aegis_sdk.handler import rpc
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.method import Empty
from aegis_sdk.metrics import Metric, counter, gauge
from aegis_sdk.metrics_server import MetricsServer, metrics_server
from aegis_sdk.registry import Registration
from aegis_sdk.service import HostOptions, Service, ServiceHost
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

DEADLINE_S = 5.0


class Word(BaseModel):
    word: str


class Parrot(Service):
    name = "parrot"

    def __init__(self) -> None:
        self.words: int | None = 0
        self.lines = 1

    @rpc
    async def say(self, request: Word) -> Word:
        assert self.words is not None
        self.words += 1
        if request.word == "no":
            raise Rejected("not that word")
        return request

    @rpc
    async def rest(self, request: Empty) -> Empty:
        return request

    def metrics(self) -> Iterable[Metric]:
        assert self.words is not None
        yield counter("aegis_parrot_words_total", "Words that were heard.", self.words)
        lines = {(str(number),): 1.0 for number in range(self.lines)}
        yield gauge("aegis_parrot_lines", "Lines that make the page long.", lines, ("number",))


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


async def ask(port: int, request: bytes) -> Reply:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    first, *lines = head.decode().split("\r\n")
    return Reply(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)


async def get(port: int, path: str) -> Reply:
    return await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def scraped(port: int) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families((await get(port, "/metrics")).body.decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


class Desk:
    """A service, its pages, and a way to call it."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.transport = MemoryTransport(self.broker)
        self.caller = MemoryTransport(self.broker)
        self.client = Client(self.caller)
        self.service = Parrot()
        self.host = ServiceHost(self.transport, self.service, HostOptions(instance="parrot-1"))
        self.registration = Registration(self.transport, InstanceRecord(service="parrot", instance="parrot-1"))
        self.figures = Figures(self.transport, self.host, self.registration, None)
        self.port = 0
        self.pages = MetricsServer()

    async def all_left(self) -> None:
        """Return when no connection is served any more."""
        await until(lambda: not self.pages.at_work)


@asynccontextmanager
async def served(port: int = 0) -> AsyncIterator[Desk]:
    desk = Desk()
    try:
        async with metrics_server(port) as server:
            server.show(desk.figures)
            desk.port, desk.pages = server.port, server
            await desk.host.start()
            yield desk
            await desk.host.stop()
    finally:
        desk.figures.close()
        await desk.caller.close()
        await desk.transport.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with served() as desk:
        yield desk


async def test_requests_are_told_by_method_and_outcome(desk: Desk) -> None:
    for word in ("a", "b", "no"):
        with suppress(Rejected):
            await desk.client.call(Parrot.say, Word(word=word))
    found = await scraped(desk.port)
    assert found["aegis_rpc_requests_total", "ok", "say", "any"] == 2
    assert found["aegis_rpc_requests_total", "rejected", "say", "any"] == 1
    assert found["aegis_rpc_requests_total", "ok", "rest", "any"] == 0
    assert found["aegis_rpc_latency_seconds_count", "say", "any"] == 3
    assert 0 < found["aegis_rpc_latency_seconds_sum", "say", "any"] < DEADLINE_S
    assert found["aegis_parrot_words_total",] == 3


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.01)


async def test_the_process_and_its_event_loop_are_told(desk: Desk) -> None:
    await until(lambda: desk.figures.lag.histogram.count > 0)
    found = await scraped(desk.port)
    assert found["aegis_event_loop_lag_seconds_count",] >= 1
    assert found["process_resident_memory_bytes",] > 10**6
    assert found["process_cpu_seconds_total",] > 0
    assert found["aegis_instance_info", "parrot-1", "parrot", "", ""] == 1


async def test_a_loop_that_stands_still_is_seen_as_late(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 0.25)
    await until(lambda: desk.figures.lag.histogram.total > 0.1)


async def test_a_lost_connection_is_told_and_counted(desk: Desk) -> None:
    assert (await scraped(desk.port))["aegis_nats_connection_state", "connected"] == 1
    desk.broker.stop()
    found = await scraped(desk.port)
    assert found["aegis_nats_connection_state", "connected"] == 0
    assert found["aegis_nats_connection_state", "reconnecting"] == 1
    assert found["aegis_nats_reconnects_total",] == 0
    desk.broker.start()
    await desk.transport.wait_connected(DEADLINE_S)
    assert (await scraped(desk.port))["aegis_nats_reconnects_total",] == 1


async def test_healthy_is_who_serves_and_is_connected(desk: Desk) -> None:
    for status, healthy in (
        (InstanceStatus.STARTING, False),
        (InstanceStatus.ACTIVE, True),
        (InstanceStatus.STANDBY, True),
        (InstanceStatus.UNHEALTHY, False),
        (InstanceStatus.DRAINING, False),
    ):
        desk.registration.set_status(status)
        reply = await get(desk.port, "/healthz")
        assert reply.status == (200 if healthy else 503)
        assert json.loads(reply.body) == {"healthy": healthy, "status": status}
    desk.registration.set_status(InstanceStatus.ACTIVE)
    desk.broker.stop()
    assert (await get(desk.port, "/healthz")).status == 503


async def test_before_there_is_anything_to_show_it_is_not_ready() -> None:
    async with metrics_server(0) as server:
        assert [(await get(server.port, path)).status for path in ("/metrics", "/healthz")] == [503, 503]


async def test_a_figure_that_cannot_be_made_fails_that_scrape_alone(desk: Desk) -> None:
    desk.service.words = None
    assert (await get(desk.port, "/metrics")).status == 500
    desk.service.words = 5
    assert (await scraped(desk.port))["aegis_parrot_words_total",] == 5


async def test_other_requests_get_a_short_answer(desk: Desk) -> None:
    assert (await get(desk.port, "/")).status == 404
    assert (await get(desk.port, "/metrics?name=x")).status == 200
    assert (await ask(desk.port, b"POST /metrics HTTP/1.1\r\n\r\n")).status == 405
    assert (await ask(desk.port, b"nonsense\r\n\r\n")).status == 405
    head = await ask(desk.port, b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 1_000
    assert (await ask(desk.port, b"GET /" + b"x" * 20_000 + b"\r\n\r\n")).status == 431


async def test_who_says_nothing_is_left_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_REQUEST_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read() == b""
    writer.close()


async def test_a_page_is_not_kept_for_a_peer_that_does_not_take_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_REQUEST_S", 0.05)
    desk.service.lines = 100_000
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)  # or the kernel would take it all for the peer
    narrow.connect(("127.0.0.1", desk.port))
    reader, writer = await asyncio.open_connection(sock=narrow)
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.splitlines() if line.startswith(b"Content-Length")]
    await desk.all_left()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises((asyncio.IncompleteReadError, OSError)):
            await reader.readexactly(length)
    writer.close()


async def test_more_peers_than_it_takes_are_sent_away_and_the_others_served(desk: Desk) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(16)]
    async with asyncio.timeout(DEADLINE_S):
        one_more, its_writer = await asyncio.open_connection("127.0.0.1", desk.port)
        assert await one_more.read() == b""
        silent[0][1].write(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert b"healthy" in await silent[0][0].read()
    for writer in (its_writer, *(writer for _, writer in silent)):
        writer.close()


async def test_the_end_does_not_wait_for_a_silent_peer() -> None:
    async with asyncio.timeout(DEADLINE_S):
        async with metrics_server(0) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            await get(server.port, "/healthz")  # by now the silent one is accepted too
        assert await reader.read() == b""
    writer.close()


async def test_a_port_in_use_is_named(desk: Desk) -> None:
    with pytest.raises(ConfigurationError, match=f"AEGIS_METRICS_PORT: 127.0.0.1:{desk.port} cannot be used"):
        async with metrics_server(desk.port):
            pass
