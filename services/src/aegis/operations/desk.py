"""A desk from its start to its end, in this process: lock, remains of a killed run, log, signals, supervisor."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOBase
from pathlib import Path
from typing import Final, TextIO, cast

import structlog
from msgspec.structs import replace

from aegis.operations import logfiles, processes
from aegis.operations.counter import Counter
from aegis.operations.notes import Note, Report
from aegis.operations.plan import MARKETDATA, DeskOptions, ServicePlan, plan
from aegis.operations.processes import ProcessId
from aegis.operations.state import RunFile, StateDirectory
from aegis.operations.supervisor import Supervisor
from aegis.operations.withholding import withhold
from aegis_sdk.errors import AegisError
from aegis_sdk.server.ports import Reserved
from aegis_sdk.telemetry import configure_logging

__all__ = ["end_remains", "run"]

_log = structlog.get_logger("aegis.supervisor")
_END_S: Final = 5.0
_BAD: Final = ("failure", "degraded", "aborted")


def run(options: DeskOptions, report: Report) -> bool:
    """Bring the desk up and keep it up until SIGINT or SIGTERM; whether all went well.

    Raises DeskInUse where it is up already, another AegisError where it cannot come up.
    """
    services = withhold(plan(options), os.environ)
    os.umask(0o077)  # for NATS and the services too, which inherit it
    directory = StateDirectory(Path(options.directory))
    directory.create()
    held, reserved = directory.lock(), Reserved()
    try:
        with _Steady(directory.logs / "supervisor.log") as log:
            configure_logging(cast("TextIO", log))
            for process in end_remains(directory):
                report(Note(kind="warning", process=process, text="ended: it was left over by a run that was killed"))
            if options.counter:
                services = _behind(Counter.on_free_ports(directory.path / "ctpsim", reserved), services)
            us = processes.identify(os.getpid())
            assert us
            begun = RunFile(supervisor=us, started_at=time.time())
            directory.write(begun)
            try:
                return asyncio.run(_until_signalled(Supervisor(options, services, directory, begun, _logged(report))))
            finally:
                directory.clear()
    except OSError as error:
        raise AegisError(f"the state directory {directory.path} cannot be used: {error.strerror}") from None
    finally:
        reserved.release()
        os.close(held)


def _behind(counter: Counter, services: Sequence[ServicePlan]) -> list[ServicePlan]:
    """With a counter in front of them, at which market data logs in."""
    counter.write()
    return [
        counter.service(),
        *(
            replace(one, environment={**one.environment, **counter.environment()}) if one.service == MARKETDATA else one
            for one in services
        ),
    ]


class _Steady(TextIOBase):
    """A log file that takes what there is room for: a full disk must not end a desk."""

    def __init__(self, path: Path) -> None:
        self._file = logfiles.open_log(path)

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            self._file.write(text.encode())
        return len(text)

    def close(self) -> None:
        self._file.close()
        super().close()


def end_remains(directory: StateDirectory) -> list[str]:
    """End what still runs of a desk whose supervisor is gone; the names of those processes."""
    left = directory.read()
    if left is None or processes.is_alive(left.supervisor):
        return []
    found: list[tuple[str, ProcessId]] = [
        (one.name, one.process) for one in left.processes if one.process and processes.is_alive(one.process)
    ]
    for _, process in reversed(found):
        processes.end(process, _END_S)
    directory.clear()
    return [name for name, _ in found]


async def _until_signalled(supervisor: Supervisor) -> bool:
    stop, kill = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (kill if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    return await supervisor.run(stop, kill)


def _logged(report: Report) -> Report:
    """To the log, too."""

    def both(note: Note) -> None:
        write = _log.warning if note.kind == "warning" else _log.error if note.kind in _BAD else _log.info
        text = f"{note.process}: {note.text}" if note.process else note.text
        write(text, **({"detail": list(note.detail)} if note.detail else {}))
        report(note)

    return both
