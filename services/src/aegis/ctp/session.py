"""One CTP session as the service sees it: a process that is started, heard, told and ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, cast

import msgspec
import structlog

from aegis.contracts.reasons import Reason
from aegis.ctp.directories import SessionDirectory, sweep
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Ended, Reassembly, Stop, encoded
from aegis.ctp.libraries import locale_path
from aegis_sdk.errors import CodecError
from aegis_sdk.server import launch

__all__ = ["Session"]

_log = structlog.get_logger("aegis.ctp")

_INHERITED: Final = ("PATH", "HOME", "TZ", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV")
_BUFFER: Final = 48 * 1024
"""Of the socket: some hundred quotes. What waits longer than it takes to read them waits in the session's process."""

_LAST_WORDS_S: Final = 1.0


class Session(asyncio.Protocol):
    """`program` is its module, `frames` reads what it says; `heard` is called in the event loop with each frame. Where
    it cannot be read, that is its end, and its process finds nobody there any more.

    `beside` has what it writes to a second socket, if it is to have one. Start it once.
    """

    def __init__(
        self,
        program: str,
        frames: msgspec.msgpack.Decoder[Any],
        heard: Callable[[Any], None],
        beside: asyncio.Protocol | None = None,
    ) -> None:
        self._program = program
        self._frames = frames
        self._heard = heard
        self._incoming = Reassembly()
        self._protocols = (self,) if beside is None else (self, beside)
        self._transports: list[asyncio.Transport] = []  # as the protocols: the first one is ours
        self._process: asyncio.subprocess.Process | None = None
        self._directory: SessionDirectory | None = None
        self.was_killed = False
        self.exit_code: int | None = None  # once it is gone

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self, start: msgspec.Struct) -> None:
        """Begin it. Raises OSError where that cannot be."""
        if swept := sweep():
            _log.info("session_directories_swept", count=len(swept), reason="their service was killed")
        self._directory = SessionDirectory()
        pairs = [_pair() for _ in self._protocols]
        try:
            self._process = await self._spawn([theirs.fileno() for _, theirs in pairs], self._directory)
        except BaseException:
            for ours, _ in pairs:
                ours.close()
            raise
        finally:
            for _, theirs in pairs:
                theirs.close()
        loop = asyncio.get_running_loop()
        for protocol, (ours, _) in zip(self._protocols, pairs, strict=True):
            transport, _ = await loop.create_connection(lambda protocol=protocol: protocol, sock=ours)
            self._transports.append(cast("asyncio.Transport", transport))
        self.tell(start)

    async def _spawn(self, descriptors: list[int], directory: SessionDirectory) -> asyncio.subprocess.Process:
        own = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
            *(sys.executable, "-m", self._program, *map(str, descriptors)),
            stdin=asyncio.subprocess.DEVNULL,
            env={**own, "MALLOC_ARENA_MAX": "1", **({"LOCPATH": locale_path()} if locale_path() else {})},
            cwd=directory.path,
            pass_fds=descriptors,
            start_new_session=True,
        )

    # Heard and told

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._incoming.take(data):
                self._heard(self._frames.decode(body))
        except (CodecError, msgspec.DecodeError) as error:  # it is of another version: so would be the next
            cause = Reason.of("process_unreadable", text=str(error))
            self._heard(Ended(Failure(step=Step.START, kind=Kind.SETUP, cause=cause)))
            for transport in self._transports:
                transport.abort()

    def tell(self, frame: msgspec.Struct) -> None:
        """What is said to one that has ended is lost; its end is known by `ended`."""
        if self._transports and not self._transports[0].is_closing():
            self._transports[0].write(encoded(frame))

    def pause(self) -> None:
        """Hear no more for now; what it has waits with it."""
        for transport in self._open():
            transport.pause_reading()

    def resume(self) -> None:
        for transport in self._open():
            transport.resume_reading()

    def _open(self) -> Iterator[asyncio.Transport]:
        return (transport for transport in self._transports if not transport.is_closing())

    # The end

    async def ended(self) -> Reason:
        """How its process ended, once it has."""
        assert self._process is not None
        code = await self._process.wait()
        if code < 0:
            return Reason.of("process_killed", signal=signal.Signals(-code).name)
        return Reason.of("process_exited", status=code)

    async def stop(self, deadline_s: float) -> None:
        """Tell it to end; kill it where it has not after `deadline_s`. Returns when its process is gone."""
        self.tell(Stop())
        try:
            if self._process is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(deadline_s):
                        await self._process.wait()
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, if it still runs; returns when its process is gone, what it had said was heard, and its directory
        is gone, too. Whoever has paused it resumes it first."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                self.was_killed = True
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            self.exit_code = await process.wait()
            await self._hear_out()
        for transport in self._transports:
            transport.close()
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.remove()

    async def _hear_out(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                while any(True for _ in self._open()):  # noqa: ASYNC110 (the end of each is there already)
                    await asyncio.sleep(0)


def _pair() -> tuple[socket.socket, socket.socket]:
    """Ours and theirs."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return ours, theirs
