"""Lines of logs: JSON as Aegis writes them, the lines of nats-server, and anything else as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["LogLine", "parse", "shown"]

_NATS: Final = re.compile(r"\[\d+\] (\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d\.\d+) \[(\w+)\] (.*)")
_NATS_LEVELS: Final = {
    "INF": "info",
    "WRN": "warning",
    "ERR": "error",
    "FTL": "critical",
    "DBG": "debug",
    "TRC": "debug",
}
_STYLES: Final = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red", "critical": "bold red"}
_SHORT: Final = {"warning": "WARN", "critical": "FATAL"}
_OWN_PLACE: Final = ("timestamp", "level", "event", "exception", "detail")


class LogLine(NamedTuple):
    """One line. `at` is UTC in ISO form, empty where the line does not tell; so is `level`. `sort` is its place."""

    process: str
    at: str
    level: str
    event: str
    fields: Mapping[str, Any]
    sort: str = ""


def parse(raw: str, process: str) -> LogLine:
    """What a line of a process's log says; never fails."""
    if raw.startswith("{"):
        try:
            found: Any = json.loads(raw)
        except ValueError:
            found = None
        if isinstance(found, dict):
            rest = {name: value for name, value in found.items() if name not in _OWN_PLACE[:3]}
            at, level = str(found.get("timestamp", "")), str(found.get("level", ""))
            return LogLine(process, at, level, str(found.get("event", "")), rest)
    if match := _NATS.fullmatch(raw):
        year, month, day, time, level, event = match.groups()
        return LogLine(process, f"{year}-{month}-{day}T{time}Z", _NATS_LEVELS.get(level, "info"), event, {})
    return LogLine(process, "", "", raw, {})


def shown(line: LogLine, with_process: bool = False) -> Text:
    """The line for a terminal, in the time of this machine; what has lines of its own follows indented."""
    from rich.text import Text

    text = Text()
    if line.at:
        text.append(f"{_local_time(line.at)} ", style="dim")
    if line.level:
        text.append(f"{_SHORT.get(line.level, line.level.upper()):<5} ", style=_STYLES.get(line.level, ""))
    if with_process:
        text.append(f"{line.process:<14} ", style="cyan")
    text.append(line.event, style="bold" if line.level in ("warning", "error", "critical") else "")
    for name, value in line.fields.items():
        if name not in _OWN_PLACE and value not in ("", None):
            text.append(f" {name}=", style="dim")
            text.append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    detail = line.fields.get("detail", [])
    for below in [*(detail if isinstance(detail, list) else []), *str(line.fields.get("exception", "")).splitlines()]:
        text.append(f"\n    {below}", style="dim")
    return text


def _local_time(at: str) -> str:
    try:
        return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except ValueError:
        return at
