"""Simulated CTP counters that tests share, and how a session logs in at one."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis.ctp.frames import FrontAddresses, Login
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.trading.adapters.ctp.frames import Start as TradingStart
from ctpsim.access import Access, UserAccess, read_access
from ctpsim.control import Control
from ctpsim.testing import RunningFront

__all__ = ["end_shared_counter", "login_of", "quiet_counter", "shared_counter", "start_at", "trading_at"]


_LEFT_S: Final = 30.0
"""Within this time a counter has seen the end of the test before."""

_started: list[tuple[subprocess.Popen[bytes], Path]] = []


def shared_counter() -> Access:
    """One that ticks 2,000 times a second, started when it is first asked for; it ends with the tests."""
    return _shared("--rate", "2000", "--query-interval-ms", "0")


@asynccontextmanager
async def quiet_counter(*faults: str) -> AsyncIterator[RunningFront]:
    """One of 40 contracts that ticks 200 times a second; a test may have faults there, and leaves all else as it is."""
    access = _shared("--market", "load", "--instruments", "40", "--rate", "200")
    async with Control(access) as control:
        async with asyncio.timeout(_LEFT_S):
            while any((await control.status())["clients"].values()):  # noqa: ASYNC110 (it tells nobody)
                await asyncio.sleep(0.01)
        try:
            for fault in faults:
                await control.fault(fault)
            yield RunningFront(access=access, control=control, pid=access.pid)
        finally:
            await control.clear()


@functools.cache
def _shared(*options: str) -> Access:
    directory = Path(tempfile.mkdtemp(prefix="aegis-test-ctpsim-"))
    command = (
        *(sys.executable, "-m", "ctpsim", "serve", "--directory", str(directory), "--parent", str(os.getpid())),
        *("--day", "20250102", *options),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    _started.append((process, directory))
    assert process.stdout is not None
    assert process.stdout.readline(), "the counter did not start: make setup"
    return read_access(directory)


def end_shared_counter() -> None:
    for process, directory in _started:
        process.terminate()
        process.communicate()
        shutil.rmtree(directory)


def login_of(user: UserAccess, **changed: str) -> Login:
    return Login(**{**msgspec.structs.asdict(user), **changed})


def start_at(access: Access, **changes: Any) -> Start:
    """What a session of market data is started with, of the counter's first user."""
    front = access.fronts[0]
    of_login = {name: changes.pop(name) for name in Login.__struct_fields__ if name in changes}
    given = {
        "login": login_of(access.users[0], **of_login),
        "fronts": FrontAddresses(market=(front.market,), trader=(front.trader,)),
        "production": True,
        "libraries": access.libraries,
        **changes,
    }
    return Start(**given)


def trading_at(access: Access, number: int = 0, **changed: str) -> TradingStart:
    """What a session that trades is started with, of one of the counter's users."""
    return TradingStart(
        login=login_of(access.users[number], **changed),
        fronts=FrontAddresses(market=(), trader=(access.fronts[0].trader,)),
        production=True,
        libraries=access.libraries,
    )
