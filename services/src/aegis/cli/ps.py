"""`aegis ps`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aegis.cli.console import AsJson, duration, print_json, table, terminal
from aegis.cli.desk import local_run, state_directory

if TYPE_CHECKING:
    from aegis.operations.processes import ProcessId
    from aegis.operations.state import RunFile

_SAMPLE_S: Final = 0.25
_STYLES: Final = {"RUNNING": "green", "UP": "green", "FAILED": "bold red"}


def ps(as_json: AsJson = False) -> None:
    """Show the processes of the desk."""
    directory = state_directory()
    run = local_run(directory)
    rows = _rows(run)
    if as_json:
        print_json(
            {
                "directory": str(directory.path),
                "state": run.state,
                "started_at": datetime.fromtimestamp(run.started_at, UTC).isoformat(),
                "nats_urls": run.nats.urls if run.nats else [],
                "processes": rows,
            }
        )
        return
    shown = table(
        "NAME",
        "PID",
        "STATE",
        "UP",
        "RESTARTS",
        "CPU",
        "MEMORY",
        "LAST EXIT",
        right=("PID", "RESTARTS", "CPU", "MEMORY"),
    )
    for row in rows:
        style = _STYLES.get(row["state"], "yellow")
        shown.add_row(
            row["name"],
            _or_dash(row["pid"], str),
            f"[{style}]{row['state']}[/]",
            _or_dash(row["uptime_s"], duration),
            str(row["restarts"]),
            _or_dash(row["cpu_percent"], "{:.0f} %".format),
            _or_dash(row["memory_bytes"], lambda size: f"{size / 2**20:.0f} MB"),
            row["last_exit"] or "-",
        )
    terminal().print(shown)


def _rows(run: RunFile) -> list[dict[str, Any]]:
    processes = [("supervisor", run.supervisor), *((one.name, one.process) for one in run.processes if one.process)]
    used = _sample({name: process for name, process in processes if process})
    return [
        _row("supervisor", run.supervisor, run.state, run.started_at, 0, "", used),
        *(
            _row(one.name, one.process, one.state, one.since, one.restarts, one.last_exit, used)
            for one in run.processes
        ),
    ]


def _row(
    name: str,
    process: ProcessId | None,
    state: str,
    since: float | None,
    restarts: int,
    last_exit: str,
    used: dict[str, tuple[float, int]],
) -> dict[str, Any]:
    cpu, memory = used.get(name, (None, None))
    return {
        "name": name,
        "pid": process.pid if process else None,
        "state": str(state),
        "uptime_s": round(max(0.0, time.time() - since), 1) if process and since else None,
        "restarts": restarts,
        "cpu_percent": cpu,
        "memory_bytes": memory,
        "last_exit": last_exit,
    }


def _sample(processes: dict[str, ProcessId]) -> dict[str, tuple[float, int]]:
    """Per cent of one core over a quarter of a second, and bytes of memory; of those that are alive."""
    from aegis.operations.processes import usage

    before = {name: usage(process) for name, process in processes.items()}
    began = time.monotonic()
    time.sleep(_SAMPLE_S)
    found: dict[str, tuple[float, int]] = {}
    for name, process in processes.items():
        then, now = before[name], usage(process)
        if then and now:
            share = (now.cpu_s - then.cpu_s) / (time.monotonic() - began)
            found[name] = (round(100 * share, 1), now.memory_bytes)
    return found


def _or_dash(value: Any, write: Any) -> str:
    return "-" if value is None else write(value)
