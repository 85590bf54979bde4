"""A simulated CTP counter that tests share, and how a session logs in at one."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from aegis.ctp.frames import FrontAddresses, Login
from aegis.marketdata.adapters.ctp.frames import Start
from ctpsim.access import Access, read_access

__all__ = ["shared_counter", "start_at"]


@functools.cache
def shared_counter() -> Access:
    """One that ticks 2,000 times a second, started when it is first asked for; it ends with this process."""
    directory = Path(tempfile.mkdtemp(prefix="aegis-test-ctpsim-"))
    command = (
        *(sys.executable, "-m", "ctpsim", "serve", "--directory", str(directory), "--parent", str(os.getpid())),
        *("--day", "20250102", "--rate", "2000", "--query-interval-ms", "0"),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline(), "the counter did not start: make setup"
    return read_access(directory)


def start_at(access: Access, **changes: object) -> Start:
    """What a session of the counter's first user is started with."""
    user, front = access.users[0], access.fronts[0]
    login = {
        "broker_id": user.broker_id,
        "user_id": user.user_id,
        "password": user.password,
        "app_id": user.app_id,
        "auth_code": user.auth_code,
    }
    of_login = {name: changes.pop(name) for name in login.keys() & changes.keys()}
    given = {
        "login": Login(**{**login, **of_login}),
        "fronts": FrontAddresses(market=(front.market,), trader=(front.trader,)),
        "production": True,
        "libraries": access.libraries,
        **changes,
    }
    return Start(**given)  # type: ignore[arg-type]
