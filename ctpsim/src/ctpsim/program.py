"""A counter as a program: its directory, its ready line, its end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import structlog
import uvloop

from aegis_sdk.errors import AegisError
from aegis_sdk.telemetry import configure_logging
from ctpsim.access import Access, write_access
from ctpsim.front.serving import Serving
from ctpsim.options import ServeOptions

__all__ = ["run"]

_log = structlog.get_logger("ctpsim")
_LOCK: Final = "lock"


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent. Raises AegisError where it cannot begin."""
    configure_logging()
    with _held(options.directory):
        uvloop.run(_serve(options))


async def _serve(options: ServeOptions) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if options.parent is not None:
        _watch(options.parent, stopping)
    async with Serving(options) as serving:
        path = write_access(options.directory, serving.access)
        print(_ready(serving.access, path), flush=True)
        try:
            await stopping.wait()
        finally:
            path.unlink(missing_ok=True)
    _log.info("counter_stopped")


def _ready(access: Access, path: Path) -> str:
    """One line for who started it; nothing in it is secret."""
    ready = {
        "pid": access.pid,
        "fronts": access.fronts,
        "control": str(path),
        "libraries": access.libraries,
        "users": [{"broker_id": user.broker_id, "user_id": user.user_id} for user in access.users],
    }
    return msgspec.json.encode(ready).decode()


def _watch(parent: int, stopping: asyncio.Event) -> None:
    """Stop when that process ends; at once, if it has."""
    try:
        descriptor = os.pidfd_open(parent)
    except ProcessLookupError:
        stopping.set()
        return
    asyncio.get_running_loop().add_reader(descriptor, stopping.set)


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """A directory is one counter's at a time."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (directory / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AegisError(f"another counter serves in {directory}") from None
        yield


def main() -> None:
    """For `python -m ctpsim.program`, with the options as JSON on standard input: secrets are in no argument."""
    run(msgspec.json.decode(sys.stdin.buffer.read(), type=ServeOptions, dec_hook=lambda type_, value: type_(value)))


if __name__ == "__main__":
    main()
