"""The embedded server, against the real program."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats
import pytest
import uvloop
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.js.api import StreamConfig
from nats.js.errors import NoStreamResponseError

from aegis_sdk.errors import ServerError
from aegis_sdk.server import EmbeddedServer, Node, NodeExit, ServerOptions, probe
from aegis_sdk.testing import nats_server


@asynccontextmanager
async def connected(server: EmbeddedServer) -> AsyncIterator[Client]:
    user = server.credentials
    client = await nats.connect(server.urls, user=user.user, password=user.password, allow_reconnect=False)
    try:
        yield client
    finally:
        await client.close()


async def stored(client: Client, subject: str) -> int:
    """Publish until it is known to be stored, once; its sequence. A new stream's subjects take a moment to be known on
    all nodes, and an acknowledgement may come too late to be heard."""
    once = {"Nats-Msg-Id": subject}
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(NoStreamResponseError, nats_errors.TimeoutError):
                return (await client.jetstream().publish(subject, b"kept", timeout=1, headers=once)).seq


DEADLINE_S = 30


async def gone(pid: int) -> None:
    """Return when this process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        await asyncio.wait_for(ended.wait(), DEADLINE_S)
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def stopped(pid: int | None) -> bool:
    """Whether none of its threads runs."""
    return all(b"\nState:\tT" in status.read_bytes() for status in Path(f"/proc/{pid}/task").glob("*/status"))


def open_files(pid: int | None) -> set[Path]:
    return {handle.readlink() for handle in Path(f"/proc/{pid}/fd").iterdir()}


def children() -> set[int]:
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, check=False)
    return {int(pid) for pid in listing.stdout.split() if running(int(pid))}


async def test_a_started_server_stores_and_serves() -> None:
    async with nats_server() as server, connected(server) as client:
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="S", subjects=["s"]))
        assert (await stream.publish("s", b"kept")).seq == 1


async def test_a_cluster_is_ready_for_replicated_streams_when_start_returns() -> None:
    async with nats_server(3) as server, connected(server) as client:
        info = await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"], num_replicas=3))
        assert await stored(client, "s") == 1
        assert info.cluster is not None
        assert {info.cluster.leader, *(r.name for r in info.cluster.replicas or [])} == {n.name for n in server.nodes}


async def test_each_write_is_synced_and_memory_and_files_are_bounded(tmp_path: Path) -> None:
    options = ServerOptions(directory=tmp_path, max_memory_bytes=1 << 20, max_file_bytes=1 << 22)
    async with EmbeddedServer(options) as server:
        config = (await probe.jetstream(server.nodes[0].monitor_port))["config"]
    assert config["sync_always"] is True
    assert (config["max_memory"], config["max_storage"]) == (1 << 20, 1 << 22)


async def test_it_runs_under_uvloop_too(tmp_path: Path) -> None:
    async def run() -> int | None:
        async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server:
            return server.nodes[0].pid

    def in_uvloop() -> int | None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())

    pid = await asyncio.to_thread(in_uvloop)
    assert pid is not None
    await gone(pid)


async def test_nothing_is_left_behind() -> None:
    before = children()
    async with nats_server() as server:
        directory = server.nodes[0].layout.directory
        assert len(children() - before) == 1
    assert children() == before
    assert not directory.exists()


async def test_a_restart_keeps_ports_and_streams(tmp_path: Path) -> None:
    server = EmbeddedServer(ServerOptions(directory=tmp_path))
    async with server, connected(server) as client:
        await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"]))
        await client.jetstream().publish("s", b"kept")
        urls = server.urls
    async with server, connected(server) as client:
        assert server.urls == urls
        assert (await client.jetstream().get_last_msg("S", "s")).data == b"kept"


async def test_another_server_object_finds_the_streams_of_a_directory(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server, connected(server) as client:
        await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"]))
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server, connected(server) as client:
        assert (await client.jetstream().stream_info("S")).config.name == "S"


# Processes


async def test_a_killed_server_is_reported_with_its_last_words(tmp_path: Path) -> None:
    exits: asyncio.Queue[NodeExit] = asyncio.Queue()
    async with EmbeddedServer(ServerOptions(directory=tmp_path, on_exit=exits.put_nowait)) as server:
        node = server.nodes[0]
        pid = node.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        seen = await asyncio.wait_for(exits.get(), DEADLINE_S)
        assert (seen.node, seen.pid, seen.exit_code) == (node.name, pid, -signal.SIGKILL)
        assert "Server is ready" in seen.log_tail
        assert node.pid is None


async def test_an_end_that_was_asked_for_is_not_reported(tmp_path: Path) -> None:
    exits: list[NodeExit] = []
    async with EmbeddedServer(ServerOptions(directory=tmp_path, on_exit=exits.append)) as server:
        await server.nodes[0].kill()
        await server.nodes[0].start()
    assert exits == []


async def test_a_killed_node_comes_back_on_its_port_with_its_streams() -> None:
    async with nats_server() as server:
        async with connected(server) as client:
            await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"]))
            await client.jetstream().publish("s", b"kept")
        node = server.nodes[0]
        port = node.client_port
        await node.kill()
        await node.start()
        assert node.client_port == port
        async with connected(server) as client:
            assert (await client.jetstream().get_last_msg("S", "s")).data == b"kept"


async def test_a_cluster_outlives_a_stopped_node_and_takes_it_back() -> None:
    async with nats_server(3) as server:
        async with connected(server) as client:
            await client.jetstream().add_stream(StreamConfig(name="S", subjects=["s"], num_replicas=3))
        await server.nodes[2].stop()
        async with connected(server) as client:
            assert await stored(client, "s") == 1
        await server.nodes[2].start()
        assert server.nodes[2].pid is not None


async def test_a_paused_node_is_silent_until_it_is_resumed() -> None:
    async with nats_server() as server, connected(server) as client:
        echo = await client.subscribe("echo")
        await client.flush()
        server.nodes[0].pause()
        assert stopped(server.nodes[0].pid)
        await client.publish("echo", b"")
        with pytest.raises(nats_errors.TimeoutError):
            await echo.next_msg(timeout=0.2)
        server.nodes[0].resume()
        await echo.next_msg(timeout=DEADLINE_S)


async def test_a_paused_node_can_be_stopped_in_order(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server:
        server.nodes[0].pause()
    assert "Server Exiting" in server.nodes[0].log_tail()


async def test_a_node_that_does_not_heed_is_killed_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedServer(ServerOptions(directory=tmp_path, stop_deadline_s=0.1))
    await server.start()
    pid = server.nodes[0].pid
    assert pid is not None
    monkeypatch.setattr(Node, "resume", lambda _: None)  # stays paused, so SIGTERM is not heard
    server.nodes[0].pause()
    await asyncio.wait_for(server.stop(), DEADLINE_S)
    await gone(pid)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "node-1").mkdir()
    (tmp_path / "node-1" / "store").write_text("a file where the store should be")
    with pytest.raises(ServerError, match=r"(?s)ended with exit code 1.*storage directory"):
        await EmbeddedServer(ServerOptions(directory=tmp_path)).start()


async def test_a_server_that_is_not_ready_in_time_is_ended(tmp_path: Path) -> None:
    before = children()
    server = EmbeddedServer(ServerOptions(directory=tmp_path, start_deadline_s=0.001))
    with pytest.raises(ServerError, match=r"not ready after 0\.001 s"):
        await server.start()
    assert children() == before


async def test_a_cancelled_start_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    launched = asyncio.Event()

    async def wait_forever(_: Node) -> None:
        launched.set()
        await asyncio.Event().wait()

    server = EmbeddedServer(ServerOptions(directory=tmp_path, nodes=3))
    with monkeypatch.context() as patch:
        patch.setattr(Node, "wait_ready", wait_forever)
        start = asyncio.create_task(server.start())
        await asyncio.wait_for(launched.wait(), DEADLINE_S)
        assert len(children() - before) == 3
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    assert children() == before
    async with server:
        assert len(children() - before) == 3


PROGRAM = """
import asyncio, sys
from pathlib import Path
from aegis_sdk.server import EmbeddedServer, ServerOptions

async def main():
    async with EmbeddedServer(ServerOptions(directory=Path(sys.argv[1]))) as server:
        if "pause" in sys.argv:
            server.nodes[0].pause()
        print(server.nodes[0].pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
@pytest.mark.parametrize("paused", [False, True])
async def test_a_server_dies_with_a_killed_program(tmp_path: Path, paused: bool) -> None:
    arguments = [str(tmp_path), *(["pause"] if paused else [])]
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    pid = int(await asyncio.wait_for(program.stdout.readline(), DEADLINE_S))
    assert running(pid)
    program.kill()
    await program.wait()
    await gone(pid)
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as again:
        assert again.nodes[0].pid is not None


# The directory


async def test_two_servers_do_not_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_sdk.server.embedded._LOCK_WAIT_S", 0.05)
    async with EmbeddedServer(ServerOptions(directory=tmp_path)):
        with pytest.raises(ServerError, match="in use by another server"):
            await EmbeddedServer(ServerOptions(directory=tmp_path)).start()
    async with EmbeddedServer(ServerOptions(directory=tmp_path)):
        pass


async def test_a_node_holds_the_lock_of_its_directory_itself(tmp_path: Path) -> None:
    """So that a node which outlived its program keeps the next one off."""
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server:
        assert tmp_path / "lock" in open_files(server.nodes[0].pid)


async def test_a_directory_keeps_its_number_of_nodes(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path)):
        pass
    with pytest.raises(ServerError, match=r"belongs to a server of 1 node"):
        await EmbeddedServer(ServerOptions(directory=tmp_path, nodes=3)).start()


async def test_a_node_is_not_started_without_its_server(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path)) as server:
        pass
    with pytest.raises(ServerError, match="this server is stopped"):
        await server.nodes[0].start()


async def test_a_log_is_bounded(tmp_path: Path) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path, log_bytes=2_000)) as server:
        for _ in range(20):
            with pytest.raises(nats_errors.Error):
                await nats.connect(server.urls, user="aegis", password="wrong", allow_reconnect=False)
        logs = list((tmp_path / "node-1").glob("nats.log*"))
        assert len(logs) == 2
        assert all(log.stat().st_size < 4_000 for log in logs)
