"""The embedded server: one nats-server, or a cluster of three."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aegis_sdk.errors import ServerError
from aegis_sdk.server import ports, probe
from aegis_sdk.server.binary import find_binary
from aegis_sdk.server.configuration import Access, Layout, render
from aegis_sdk.server.node import Node
from aegis_sdk.server.options import Credentials, ServerOptions

_POLL_S: Final = 0.02
_LOCK_WAIT_S: Final = 2.0


class EmbeddedServer:
    """nats-server as a part of this program, on 127.0.0.1, with credentials of its own.

        async with EmbeddedServer(ServerOptions(directory=path)) as server:
            await nats.connect(server.urls, user=server.credentials.user, password=server.credentials.password)

    It ends with this program, also with one that is killed; on Linux exactly: with the thread that started it. Ports
    and credentials stay the same when it is stopped and started again; what streams hold stays in the directory.
    """

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._access = Access(
            client=options.credentials(),
            system=options.system_credentials(),
            route=Credentials("route", secrets.token_urlsafe(24)),
        )
        self._nodes: list[Node] = []
        self._reserved = ports.Reserved()
        self._lock: int | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def nodes(self) -> list[Node]:
        """Empty before the start."""
        return list(self._nodes)

    @property
    def urls(self) -> list[str]:
        """Where clients connect, without credentials."""
        return [node.url for node in self._nodes]

    @property
    def monitor_urls(self) -> list[str]:
        """The HTTP monitors of the nodes; they ask for no credentials."""
        return [node.monitor_url for node in self._nodes]

    @property
    def credentials(self) -> Credentials:
        return self._access.client

    @property
    def system_credentials(self) -> Credentials:
        return self._access.system

    async def start(self) -> None:
        """Return when JetStream answers on every node, and a cluster has a leader.

        Raises ServerError, with the end of the log where there is one: the program is missing, a port or the directory
        is in use, another server answers, a node died, or it was not ready in time. Nothing is left running then.
        """
        if self._lock is not None:
            raise ServerError("this server is started already")
        directory = self._options.directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = await _locked(directory)
        try:
            self._nodes = self._nodes or self._lay_out(find_binary())
            self._reserved.keep(port for node in self._nodes for port in node.layout.ports)
            self._write_configurations()
            await self._launch()
        except BaseException:
            await self._stop_all(0)
            raise

    async def stop(self) -> None:
        """Stop the nodes in reverse order. Returns when all are gone; stopping twice is fine."""
        await self._stop_all(self._options.stop_deadline_s)

    async def _launch(self) -> None:
        # All before the first starts: a cluster is not begun that cannot be completed.
        ports.require_free(port for node in self._nodes for port in node.layout.ports)
        limit = self._options.start_deadline_s
        try:
            async with asyncio.timeout(limit):
                for node in self._nodes:
                    await node.launch()
                for node in self._nodes:
                    await node.wait_ready()
                if len(self._nodes) > 1:
                    await self._wait_leader()
        except TimeoutError:
            tails = "\n".join(f"{node.name}:\n{node.log_tail()}" for node in self._nodes)
            raise ServerError(f"nats-server was not ready after {limit:g} s\n{tails}") from None

    async def _wait_leader(self) -> None:
        while not probe.has_quorum({node.name: await probe.jetstream(node.monitor_port) for node in self._nodes}):
            for node in self._nodes:
                node.require_alive()
            await asyncio.sleep(_POLL_S)

    async def _stop_all(self, deadline_s: float) -> None:
        end = time.monotonic() + deadline_s
        try:
            for node in reversed(self._nodes):
                await node.stop(max(0.0, end - time.monotonic()))
        finally:
            for node in self._nodes:
                await node.kill()
            self._reserved.release()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _held_lock(self) -> int:
        if self._lock is None:
            raise ServerError("this server is stopped: start it, not a node of it")
        return self._lock

    def _lay_out(self, binary: Path) -> list[Node]:
        options = self._options
        layouts = _layouts(options, self._reserved)
        return [Node(one, binary, self._held_lock, options.start_deadline_s, options.on_exit) for one in layouts]

    def _write_configurations(self) -> None:
        layouts = [node.layout for node in self._nodes]
        for layout in layouts:
            layout.directory.mkdir(mode=0o700, exist_ok=True)
            layout.configuration.unlink(missing_ok=True)
            with open(layout.configuration, "x", opener=_private) as file:
                file.write(render(self._options, self._access, layouts, layout))


def _layouts(options: ServerOptions, reserved: ports.Reserved) -> list[Layout]:
    directory = options.directory.absolute()
    given = [options.port, options.cluster_port, options.monitor_port]
    numbers = range(options.nodes)
    free = iter(reserved.pick(len(given) * options.nodes, avoid={port + i for port in given for i in numbers}))
    _require_nodes(directory, options.nodes)
    identity = _identity(directory)
    return [
        Layout(
            name=f"aegis-{identity}-{i + 1}",
            client_port=options.port + i if options.port else next(free),
            cluster_port=options.cluster_port + i if options.cluster_port else next(free),
            monitor_port=options.monitor_port + i if options.monitor_port else next(free),
            directory=directory / f"node-{i + 1}",
        )
        for i in numbers
    ]


def _require_nodes(directory: Path, nodes: int) -> None:
    """A cluster cannot read what a single server stored, nor the other way round: they would start empty."""
    existing = len(list(directory.glob("node-*")))
    if existing not in (0, nodes):
        raise ServerError(f"{directory} belongs to a server of {existing} node(s), not {nodes}: choose another one")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _identity(directory: Path) -> str:
    """A random word that belongs to the directory: by it we know our own server, and a cluster its members."""
    file = directory / "identity"
    known = file.read_text() if file.exists() else ""
    if not known:
        known = secrets.token_hex(6)
        file.write_text(known)
    return known


async def _locked(directory: Path) -> int:
    """A lock on the directory, inherited by the nodes: two servers on one store would destroy it.

    Waits a moment for the nodes of a program that was just killed.
    """
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + _LOCK_WAIT_S
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise ServerError(f"{directory} is in use by another server: stop it first") from None
                await asyncio.sleep(_POLL_S)
            else:
                return lock
    except BaseException:
        os.close(lock)
        raise
