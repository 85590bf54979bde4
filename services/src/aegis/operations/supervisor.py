"""The supervisor: brings a desk up, keeps it running, and takes it down in reverse order."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis.operations import logfiles
from aegis.operations.keeper import Keeper, begin_in_turn, unless
from aegis.operations.notes import Note, Report
from aegis.operations.parts import NatsNode, ServiceProcess
from aegis.operations.plan import DeskOptions, ServicePlan, inherited
from aegis.operations.readiness import Registered
from aegis.operations.restarts import RestartPolicy
from aegis.operations.state import Access, DeskState, ProcessState, RunFile, StateDirectory
from aegis_sdk.server import EmbeddedServer, NodeExit, ServerOptions
from aegis_sdk.telemetry import LogTail
from aegis_sdk.transport_nats import NatsTransport

__all__ = ["Supervisor"]

_ROTATE_EVERY_S: Final = 1.0
_CONNECT_S: Final = 10.0


class Supervisor:
    """Runs a desk in a state directory that the caller has locked. `run` is called once."""

    def __init__(
        self,
        options: DeskOptions,
        services: Sequence[ServicePlan],
        directory: StateDirectory,
        run: RunFile,
        report: Report,
    ) -> None:
        self._options = options
        self._services = services
        self._directory = directory
        self._run = run
        self._report = report
        self._policy = RestartPolicy()
        self._monitors = ""
        self._nodes: dict[str, NatsNode] = {}
        self._keepers: list[Keeper] = []
        self._began = time.monotonic()

    async def run(self, stop: asyncio.Event, kill: asyncio.Event) -> bool:
        """Until `stop` is set; `kill` ends the orderly stop at once. Whether no process had to be given up.

        Raises AegisError where NATS cannot be started.
        """
        options = self._options
        server = EmbeddedServer(
            ServerOptions(
                directory=self._directory.nats,
                nodes=3 if options.nodes == 3 else 1,
                port=options.port,
                on_exit=self._node_exited,
            )
        )
        try:
            if await unless(stop, server.start()):
                self._note_nats(server)
                await self._run_on(server, stop, kill)
        finally:
            await server.stop()
        self._say("step", "", "everything is stopped")
        return all(keeper.status.state is not ProcessState.FAILED for keeper in self._keepers)

    def _note_nats(self, server: EmbeddedServer) -> None:
        user = server.credentials
        self._directory.write_password(user.password)
        access = Access(urls=server.urls, user=user.user, password_file=str(self._directory.password_file))
        self._run = msgspec.structs.replace(self._run, nats=access)
        self._monitors = ",".join(server.monitor_urls)
        single = len(server.nodes) == 1
        for i, node in enumerate(server.nodes, 1):
            self._nodes[node.name] = NatsNode(node, "nats" if single else f"nats-{i}")

    async def _run_on(self, server: EmbeddedServer, stop: asyncio.Event, kill: asyncio.Event) -> None:
        user = server.credentials
        async with AsyncExitStack() as listening:
            transport = await NatsTransport.connect(
                server.urls, user=user.user, password=user.password, name="supervisor", connect_timeout=_CONNECT_S
            )
            listening.push_async_callback(transport.close)
            listening.callback(LogTail(transport, "supervisor", "supervisor").close)
            registered = await listening.enter_async_context(Registered.open(transport))
            self._keepers = self._lay_out(registered)
            try:
                await self._keep(stop, kill, listening)
            finally:
                for keeper in self._keepers:
                    await keeper.part.kill()

    def _lay_out(self, registered: Registered) -> list[Keeper]:
        environment = self._environment(os.environ)
        services = [ServiceProcess(one, self._log_of(one), environment, registered) for one in self._services]
        return [Keeper(part, self._policy, self._say, self._publish) for part in (*self._nodes.values(), *services)]

    async def _keep(self, stop: asyncio.Event, kill: asyncio.Event, listening: AsyncExitStack) -> None:
        async with asyncio.TaskGroup() as group:
            rotation = group.create_task(self._rotate_logs())
            kept: list[tuple[Keeper, asyncio.Task[None]]] = []

            def keep(keeper: Keeper) -> None:
                kept.append((keeper, group.create_task(keeper.run(), name=keeper.part.name)))

            await unless(stop, begin_in_turn(self._keepers, keep, at_once=len(os.sched_getaffinity(0))))
            await unless(stop, self._wait_settled())
            if not stop.is_set():
                self._note_up()
            await stop.wait()
            self._become(DeskState.STOPPING)
            self._say("step", "", "stopping; Ctrl-C again kills at once")
            await listening.aclose()  # what follows is the end of NATS, not an outage
            killing = group.create_task(self._kill_when(kill))
            for keeper, task in reversed(kept):
                task.cancel()
                await asyncio.wait([task])
                await keeper.stop()
            killing.cancel()
            rotation.cancel()

    async def _wait_settled(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.ready_deadline_s):
                for keeper in self._keepers:
                    await keeper.settled.wait()

    def _note_up(self) -> None:
        self._become(DeskState.UP)
        late = [keeper.part.name for keeper in self._keepers if keeper.status.state is not ProcessState.RUNNING]
        if late:
            self._say("degraded", "", f"not ready: {', '.join(late)}; `aegis logs` tells why")
        else:
            self._say("up", "", "everything is ready")

    async def _kill_when(self, kill: asyncio.Event) -> None:
        await kill.wait()
        self._say("warning", "", "killing what still runs")
        await asyncio.gather(*(keeper.part.kill() for keeper in self._keepers))

    async def _rotate_logs(self) -> None:
        warned: set[Path] = set()
        while True:
            await asyncio.sleep(_ROTATE_EVERY_S)
            failed = await asyncio.to_thread(logfiles.rotate, self._directory.logs.glob("*.log"))
            for path in failed.keys() - warned:
                self._say("warning", "", f"{path} cannot be rotated, it goes on growing: {failed[path].strerror}")
            warned |= failed.keys()

    def _node_exited(self, end: NodeExit) -> None:
        if node := self._nodes.get(end.node):
            node.exited(end)

    def _log_of(self, service: ServicePlan) -> Path:
        return self._directory.logs / f"{service.instance}.log"

    def _environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        """What every service is told. The password stays out of it: an environment is shown, logged and inherited."""
        nats = self._run.nats
        assert nats
        return {
            **inherited(ours),
            "AEGIS_HOME": str(self._directory.path),
            "AEGIS_NATS_URL": ",".join(nats.urls),
            "AEGIS_NATS_USER": nats.user,
            "AEGIS_NATS_PASSWORD_FILE": nats.password_file,
            "AEGIS_NATS_REPLICAS": str(len(nats.urls)),
            "AEGIS_MANAGEMENT_NATS_MONITORS": self._monitors,
            "PYTHONUNBUFFERED": "1",
        }

    def _become(self, state: DeskState) -> None:
        self._run = msgspec.structs.replace(self._run, state=state)
        self._publish()

    def _publish(self) -> None:
        """Let the run file say what is; on a full disk it goes on saying what was."""
        processes = [keeper.status for keeper in self._keepers]
        self._run = msgspec.structs.replace(self._run, processes=processes)
        with suppress(OSError):
            self._directory.write(self._run)

    def _say(self, kind: Any, process: str, text: str, detail: Sequence[str] = ()) -> None:
        after = time.monotonic() - self._began
        self._report(Note(kind=kind, process=process, text=text, detail=detail, after_s=after))
