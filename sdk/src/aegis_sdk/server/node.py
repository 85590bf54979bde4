"""One nats-server process: started, watched, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from aegis_sdk.errors import ServerError
from aegis_sdk.server import ports, probe
from aegis_sdk.server.configuration import Layout
from aegis_sdk.server.options import NodeExit
from aegis_sdk.server.ports import HOST

_LAUNCH: Final = Path(__file__).with_name("launch.py")
_POLL_S: Final = 0.01
_TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16 * 1024


class Node:
    """A node of an embedded server. It keeps its ports, its store and its name through every restart."""

    def __init__(
        self,
        layout: Layout,
        binary: Path,
        lock: Callable[[], int],
        deadline_s: float,
        on_exit: Callable[[NodeExit], None] | None,
    ) -> None:
        self.layout = layout
        self._binary = binary
        self._lock = lock
        self._deadline_s = deadline_s
        self._on_exit = on_exit
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._expected = False  # that the process ends

    def __repr__(self) -> str:
        return f"Node({self.name!r}, client_port={self.client_port}, pid={self.pid})"

    @property
    def name(self) -> str:
        return self.layout.name

    @property
    def client_port(self) -> int:
        return self.layout.client_port

    @property
    def monitor_port(self) -> int:
        return self.layout.monitor_port

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self.client_port}"

    @property
    def monitor_url(self) -> str:
        return f"http://{HOST}:{self.monitor_port}"

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it again. Returns when it accepts clients and runs JetStream; raises ServerError otherwise.

        In a cluster it may still have to catch up with the others then.
        """
        if self.pid is not None:
            return
        ports.require_free(self.layout.ports)
        try:
            async with asyncio.timeout(self._deadline_s):
                await self.launch()
                await self.wait_ready()
        except TimeoutError:
            await self.kill()
            raise ServerError(f"{self.name} was not ready after {self._deadline_s:g} s\n{self.log_tail()}") from None
        except BaseException:
            await self.kill()
            raise

    async def launch(self) -> None:
        """Start the process, without waiting until it is ready."""
        self._expected = True  # until it is ready: wait_ready tells
        command = [str(self._binary), "-c", str(self.layout.configuration)]
        with self.layout.output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), *command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, who stop things in order
                pass_fds=(self._lock(),),
            )
        self._watch = asyncio.create_task(self._report_exit(self._process), name=f"watch {self.name}")

    async def wait_ready(self) -> None:
        """Wait until this very process accepts clients and runs JetStream. It has no deadline of its own."""
        while (found := await probe.server_name(self.client_port)) != self.name:
            self.require_alive()
            if found is not None:
                raise ServerError(
                    f"another server answers on port {self.client_port} ({found or 'not NATS'}): "
                    "stop it or choose another port"
                )
            await asyncio.sleep(_POLL_S)
        while not probe.is_on(await probe.jetstream(self.monitor_port)):
            self.require_alive()
            await asyncio.sleep(_POLL_S)
        self.require_alive()
        self._expected = False

    def require_alive(self) -> None:
        """Raise a ServerError with the end of its log if the process is gone."""
        if self.pid is None:
            code = self._process.returncode if self._process else None
            raise ServerError(f"{self.name} ended with exit code {code}\n{self.log_tail()}")

    async def stop(self, deadline_s: float | None = None) -> None:
        """SIGTERM, then SIGKILL after the deadline. A paused process is resumed to hear it."""
        self._expected = True
        self._signal(signal.SIGTERM)
        self._signal(signal.SIGCONT)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._deadline_s if deadline_s is None else deadline_s):
                    await self._ended()
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self._expected = True
        self._signal(signal.SIGKILL)
        await self._ended()

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and says nothing, from the moment that this returns."""
        self._signal(signal.SIGSTOP)
        if self.pid is not None and sys.platform == "linux":  # each of its threads goes on until it hears of it
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines of its log, and of what it said besides."""
        lines = [line for path in (self.layout.log, self.layout.output) for line in _tail(path)]
        return "\n".join(lines) or "(its log is empty)"

    def _signal(self, number: signal.Signals) -> None:
        # Not Process.send_signal: it reaps a process that just ended, and its exit code is lost.
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _ended(self) -> None:
        if self._watch:
            await asyncio.shield(self._watch)

    async def _report_exit(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        if not self._expected and self._on_exit:
            tail = self.log_tail()
            asyncio.get_running_loop().call_soon(self._on_exit, NodeExit(self.name, process.pid, code, tail))


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    except FileNotFoundError:
        return []
