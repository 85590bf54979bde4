"""Processes as the kernel shows them in /proc. Linux only.

A pid alone is no name: it is used again. A `ProcessId` is one for good, and only by it is a process signalled.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

__all__ = ["ProcessId", "Usage", "end", "identify", "is_alive", "send", "usage", "wait_gone"]

_PROC: Final = Path("/proc")
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class ProcessId(msgspec.Struct, frozen=True):
    """A process: its pid, and when it was started as `<boot>:<clock tick since the boot>`."""

    pid: int
    started: str


class Usage(NamedTuple):
    """What a process has used: seconds of all cores since its start, and bytes of memory now."""

    cpu_s: float
    memory_bytes: int


def identify(pid: int) -> ProcessId | None:
    """The process that has this pid now; None where there is none, or only its remains."""
    fields = _stat(pid)
    if not fields or fields[0] in "ZX":
        return None
    return ProcessId(pid, f"{_boot()}:{fields[19]}")


def is_alive(process: ProcessId) -> bool:
    return identify(process.pid) == process


def usage(process: ProcessId) -> Usage | None:
    """None where it is gone."""
    if not is_alive(process) or not (fields := _stat(process.pid)):
        return None
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, int(fields[21]) * _PAGE_BYTES)


def send(process: ProcessId, number: signal.Signals) -> bool:
    """Signal exactly this process; False where it is gone."""
    with _held(process) as handle:
        if handle is None:
            return False
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        return True


def wait_gone(process: ProcessId, timeout_s: float) -> bool:
    """Wait until it has ended; False if it runs on after `timeout_s`."""
    with _held(process) as handle:
        if handle is None:
            return True
        ended = select.poll()
        ended.register(handle, select.POLLIN)
        return bool(ended.poll(max(0, int(timeout_s * 1000))))


def end(process: ProcessId, timeout_s: float) -> None:
    """SIGTERM, and SIGKILL after `timeout_s`."""
    send(process, signal.SIGTERM)
    send(process, signal.SIGCONT)
    if not wait_gone(process, timeout_s):
        send(process, signal.SIGKILL)
        wait_gone(process, timeout_s)


@contextmanager
def _held(process: ProcessId) -> Iterator[int | None]:
    """A handle of the process, None where it is gone. While it is held its pid is not used again."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle if is_alive(process) else None
    finally:
        os.close(handle)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third, `state`, on: the second may itself hold spaces and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
