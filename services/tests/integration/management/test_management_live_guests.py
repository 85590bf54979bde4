"""Who follows live topics and talks nonsense, takes nothing, or is one too many; and who sends no whole request."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
import pytest_asyncio
from management_stage import Browser, Stage, stage
from management_tab import DEADLINE_S, tab
from websockets.exceptions import ConnectionClosed

from aegis.management import web_server
from aegis.management.access.roles import Role
from aegis.management.endpoints import live
from aegis.management.live import hub as hub_module
from aegis.management.live.sources import Source
from aegis.management.live.topic import Topic
from aegis_sdk import sampling
from aegis_sdk.testing import NatsAccess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(access: NatsAccess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_EVERY_S", 0.1)
        async with stage(access, tmp_path_factory.mktemp("management")) as ready:
            yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def viewer(desk: Stage) -> Browser:
    return await desk.person("vera", "viewer")


async def test_nonsense_ends_the_connection_and_nothing_else(viewer: Browser) -> None:
    async with tab(viewer) as other:
        for nonsense in ("nonsense", b"{}"):
            async with tab(viewer) as client:
                await client.socket.send(nonsense)
                with pytest.raises(ConnectionClosed) as closed:
                    await client.told("never")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4400
        await other.ask("subscribe", "leases")
        await other.told("snapshot")


async def test_followers_are_bounded(desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = desk.service.app.state.parts.hub
    async with asyncio.timeout(DEADLINE_S):
        while hub.followers:
            await hub.beat()
    monkeypatch.setattr(hub_module, "_MOST_FOLLOWERS_OF_A_USER", 1)
    async with tab(desk.admin) as other, tab(viewer) as client:
        await client.told("hello")
        await other.told("hello")
        async with tab(viewer) as second:
            with pytest.raises(ConnectionClosed) as closed:
                await second.told("hello")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        refused = await viewer.get("/api/live/sse", params={"topics": "leases"})
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert refused.headers["Retry-After"] == "4"


async def test_a_client_that_takes_nothing_is_conflated_and_hinders_no_other(
    desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket is full after some messages; what it has missed then it gets as the table is."""
    hub, rounds, text = desk.service.app.state.parts.hub, 100, "x" * 200_000
    filled: asyncio.Future[Topic] = asyncio.get_running_loop().create_future()

    async def fill(topic: Topic) -> None:
        topic.whole()
        filled.set_result(topic)
        await asyncio.Event().wait()

    monkeypatch.setattr(hub._sources, "find", lambda _: Source(Role.VIEWER, fill))
    monkeypatch.setattr(hub_module, "BEAT_S", 0.005)
    async with tab(viewer) as slow, tab(viewer) as quick:
        for client in (slow, quick):
            await client.ask("subscribe", "table")
            await client.told("snapshot")
        topic = await filled
        slow.socket.transport.pause_reading()
        for number in range(rounds):
            topic.put("big", {"number": number, "text": text})
            await quick.until(lambda now=number: quick.tables["table"].get("big", {}).get("number") == now)
        slow.socket.transport.resume_reading()
        await slow.until(lambda: slow.tables["table"].get("big", {}).get("number") == rounds - 1)
        assert len(quick.kinds) == rounds + 1
        assert len(slow.kinds) < 10  # what was on its way, and then the table as it is


async def test_a_script_that_takes_nothing_is_left(
    desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, text = desk.service.app.state.parts.hub, "x" * 200_000

    async def fill(topic: Topic) -> None:
        for number in itertools.count():
            topic.replace({"big": {"number": number, "text": text}})
            await hub.beat()

    monkeypatch.setattr(hub._sources, "find", lambda _: Source(Role.VIEWER, fill))
    monkeypatch.setattr(live, "_TAKEN_S", 0.1)
    monkeypatch.setattr(hub_module, "BEAT_S", 0.005)
    async with asyncio.timeout(DEADLINE_S):
        while hub.followers:
            await hub.beat()
        async with viewer.stream("GET", "/api/live/sse", params={"topics": "another"}):
            assert hub.followers == 1
            while hub.followers:
                await hub.beat()


async def test_who_sends_no_whole_request_in_time_or_a_large_head_is_left(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first nor a later one, however slowly it comes; who asks one after the other stays."""
    monkeypatch.setattr(web_server, "_REQUEST_S", 0.25)
    host = httpx.URL(desk.address).netloc
    whole, post = b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", b"POST /api/auth/sign-in HTTP/1.1\r\nHost: "
    more = b"\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(
            _left(desk, b"", drips=False),
            _left(desk, b"GET /healthz HTTP/1.1\r\nHost:"),
            _left(desk, b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 17_000),
            _left(desk, post + host + more),
            _left(desk, post + b"x" + more),  # refused for its name before its body is there
            _left(desk, b"GET /hea", before=whole),
        )
    assert desk.service._listener is not None
    assert desk.service._listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) > 0


async def _left(desk: Stage, begun: bytes, *, before: bytes = b"", drips: bool = True) -> None:
    """Until the server has closed the connection."""
    url = httpx.URL(desk.address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for _ in range(3 if before else 0):
        writer.write(before)
        await reader.readuntil(b"}")
        await asyncio.sleep(0.1)
    writer.write(begun)
    reading = asyncio.create_task(reader.read())
    while not reading.done():
        await asyncio.wait({reading}, timeout=0.05)
        if drips:
            writer.write(b"x")
    with suppress(ConnectionResetError):  # what dripped last was not read any more
        assert reading.result()[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 421")
    writer.close()
