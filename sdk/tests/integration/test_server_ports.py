"""The ports of the embedded server: named where they are taken, and no stranger on them taken for ours."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_sdk.errors import ServerError
from aegis_sdk.server import EmbeddedServer, ServerOptions, ports


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.mark.parametrize("which", ["port", "monitor_port", "cluster_port"])
async def test_a_port_in_use_is_named_before_anything_starts(tmp_path: Path, which: str) -> None:
    with listener() as taken:
        port = taken.getsockname()[1]
        server = EmbeddedServer(ServerOptions(directory=tmp_path, **{which: port}))
        with pytest.raises(ServerError, match=f"port {port} .* is in use: stop the program"):
            await server.start()
    assert not (tmp_path / "node-1" / "nats.log").exists()


async def test_given_ports_are_used_by_the_nodes_in_a_row(tmp_path: Path) -> None:
    row = in_a_row(3)
    async with EmbeddedServer(ServerOptions(directory=tmp_path, nodes=3, port=row.start)) as server:
        assert [node.client_port for node in server.nodes] == [*row]


def in_a_row(count: int) -> range:
    """Free ports where nobody is given any."""
    rows = (range(base, base + count) for base in random.sample(range(18_000, 19_900), 100))
    return next(row for row in rows if all_free(row))


def all_free(row: range) -> bool:
    with suppress(ServerError):
        ports.require_free(row)
        return True
    return False


async def test_a_server_that_took_the_port_meanwhile_is_not_mistaken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with EmbeddedServer(ServerOptions(directory=tmp_path / "foreign")) as foreign:
        monkeypatch.setattr(ports, "require_free", lambda _: None)  # it came after the look
        server = EmbeddedServer(ServerOptions(directory=tmp_path / "ours", port=foreign.nodes[0].client_port))
        with pytest.raises(ServerError, match=r"another server answers on port|ended with exit code"):
            await server.start()
        assert server.nodes[0].pid is None


async def test_a_listener_that_does_not_speak_nats_is_not_mistaken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    foreign = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with foreign:
        monkeypatch.setattr(ports, "require_free", lambda _: None)
        server = EmbeddedServer(ServerOptions(directory=tmp_path, port=foreign.sockets[0].getsockname()[1]))
        with pytest.raises(ServerError, match=r"another server answers on port|ended with exit code"):
            await server.start()


async def test_the_name_tells_a_foreign_server_while_our_process_still_lives(tmp_path: Path) -> None:
    """The guard alone: a living process of ours, and somebody else on its client port."""
    theirs, ours = (EmbeddedServer(ServerOptions(directory=tmp_path / name)) for name in ("theirs", "ours"))
    async with theirs, ours:
        node = ours.nodes[0]
        node.layout = replace(node.layout, client_port=theirs.nodes[0].client_port)
        with pytest.raises(ServerError, match="another server answers on port"):
            await node.wait_ready()


async def test_the_ports_of_a_server_are_given_to_nobody_else_also_while_a_node_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = in_a_row(4)
    monkeypatch.setattr(ports, "_RANGE", row)
    server = EmbeddedServer(ServerOptions(directory=tmp_path))
    for _ in range(2):  # also when it is started again
        async with server:
            [node] = server.nodes
            [left] = {*row} - {*node.layout.ports}
            await node.kill()
            assert ports.pick(1) == [left]
            with pytest.raises(ServerError, match="no 2 free ports"):
                ports.pick(2)
            await node.start()
    assert {*ports.pick(4)} == {*row}
