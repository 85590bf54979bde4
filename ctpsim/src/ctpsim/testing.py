"""A counter for tests and measurements: `async with front(market="load") as counter: ...`.

It is a process of its own. Which library a test's client has loaded is for the test to check: `loaded_libraries`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis_sdk.errors import AegisError
from ctpsim.access import Access, FrontAddress, UserAccess, read_access
from ctpsim.control import Control
from ctpsim.installed import LIBRARIES, LOCALE
from ctpsim.options import ServeOptions

__all__ = ["RunningFront", "front", "loaded_libraries"]

_READY_S: Final = 60.0
_STOP_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class RunningFront:
    """Where it is, and how to get in."""

    access: Access
    control: Control
    pid: int

    @property
    def address(self) -> FrontAddress:
        """The first front; `access.fronts` has all."""
        return self.access.fronts[0]

    @property
    def user(self) -> UserAccess:
        return self.access.users[0]

    @property
    def libraries(self) -> Path:
        """The directory of the drop-in libraries."""
        return Path(self.access.libraries)

    def environment(self) -> Mapping[str, str]:
        """What a client's process needs beside its own: the locale, and our libraries in place of CTP's."""
        return {"LOCPATH": self.access.locale, "LC_ALL": LOCALE, "LD_LIBRARY_PATH": self.access.libraries}


@asynccontextmanager
async def front(**options: Any) -> AsyncIterator[RunningFront]:
    """Start a counter with `ServeOptions`, in a directory of its own where none is given; stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="ctpsim-") as directory:
        chosen = ServeOptions(**{"directory": Path(directory), "parent": os.getpid(), **options})
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ctpsim.program"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if os.environ.get("CTPSIM_DEBUG") else asyncio.subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"},
        )
        try:
            access = await _ready(process, chosen)
            async with Control(access) as control:
                yield RunningFront(access=access, control=control, pid=process.pid)
        finally:
            await _stop(process)


async def _ready(process: asyncio.subprocess.Process, options: ServeOptions) -> Access:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(msgspec.json.encode(options, enc_hook=str))
    process.stdin.close()
    async with asyncio.timeout(_READY_S):
        line = await process.stdout.readline()
    if not line:
        raise AegisError(f"the counter did not start; it ended with {await process.wait()}")
    return read_access(options.directory)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def loaded_libraries() -> set[str]:
    """The paths of the CTP libraries that this process has loaded, by the kernel's word."""
    with Path("/proc/self/maps").open() as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps}
    return {path for path in paths if Path(path).name in LIBRARIES.values()}
