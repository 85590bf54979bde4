"""`aegis logs`: of a local desk from its files, of another one as they are written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aegis.cli.console import AsJson, fail, terminal
from aegis.cli.desk import connect, is_remote, run, state_directory
from aegis.cli.log_lines import LogLine, parse, shown

if TYPE_CHECKING:
    from aegis_sdk.messages import Message

_POLL_S: Final = 0.1
Show = Callable[[LogLine], None]


def logs(
    process: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="A service, an instance, nats or supervisor.")
    ] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with each new line.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the last log lines, of all processes or of one service.

    Of all: what nats-server says in passing is left out; `aegis logs nats` has it.
    """
    if is_remote():
        if not follow:
            fail("of a desk elsewhere there are only new lines: add -f", 2)
        run(_follow_remote(process, _show(as_json, single=False)))
        return
    files = _files(process)
    show = _show(as_json, single=len(files) == 1)
    ends = {name: FileEnd(path) for name, path in files.items()} if follow else {}
    for line in _last(files, lines, everything=bool(process)):
        show(line)
    while ends:
        news = [line for name, end in ends.items() for line in _parsed(end.new_lines(), name)]
        for line in _in_order(news, everything=bool(process)):
            show(line)
        sys.stdout.flush()
        time.sleep(_POLL_S)
        if not process:
            ends |= {name: FileEnd(path, 0) for name, path in _files("").items() if name not in ends}


class FileEnd:
    """The end of a file that another process writes, and may cut to nothing."""

    def __init__(self, path: Path, at: int | None = None) -> None:
        self._path = path
        self._at = path.stat().st_size if at is None else at
        self._begun = b""

    def new_lines(self) -> list[str]:
        """The whole lines written since the last time."""
        try:
            size = self._path.stat().st_size
            if size < self._at:
                self._at, self._begun = 0, b""
            if size == self._at:
                return []
            with self._path.open("rb") as file:
                file.seek(self._at)
                content = self._begun + file.read()
        except FileNotFoundError:
            return []
        self._at += len(content) - len(self._begun)
        *whole, self._begun = content.split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def _files(process: str) -> dict[str, Path]:
    """The log files by the name of their process; those of `process`, or of the instances of that service."""
    directory = state_directory()
    found = {path.stem: path for path in sorted(directory.logs.glob("*.log"))}
    nodes = sorted(directory.nats.glob("node-*/nats.log"))
    found |= {"nats" if len(nodes) == 1 else f"nats-{i}": path for i, path in enumerate(nodes, 1)}
    if not found:
        fail(f"there are no logs in {directory.path}: `aegis up` starts a desk")
    chosen = {name: path for name, path in found.items() if process in ("", name, name.rpartition("-")[0])}
    if not chosen:
        fail(f"there is no log of {process!r}, but of {', '.join(found)}")
    return chosen


def _last(files: dict[str, Path], count: int, everything: bool) -> list[LogLine]:
    from aegis.operations.logfiles import tail

    found = [line for name, path in files.items() for line in _parsed(tail(path, count), name)]
    return _in_order(found, everything)[-count:] if count else []


def _parsed(lines: Iterable[str], process: str) -> Iterator[LogLine]:
    """A line that tells no time of its own, such as one of a traceback, stays behind the one before it."""
    at = ""
    for raw in lines:
        if not raw:
            continue
        line = parse(raw, process)
        at = line.at or at
        yield line._replace(sort=at)


def _in_order(lines: Iterable[LogLine], everything: bool) -> list[LogLine]:
    wanted = (line for line in lines if everything or line.level != "info" or not line.process.startswith("nats"))
    return sorted(wanted, key=lambda line: line.sort)


def _show(as_json: bool, single: bool) -> Show:
    if as_json:
        import json

        def write(line: LogLine) -> None:
            known = {"process": line.process, "timestamp": line.at, "level": line.level, "event": line.event}
            sys.stdout.write(json.dumps({**known, **line.fields}, ensure_ascii=False) + "\n")

        return write
    console = terminal()
    return lambda line: console.print(shown(line, with_process=not single))


async def _follow_remote(process: str, show: Show) -> None:
    import asyncio

    from aegis_sdk import subjects

    def take(message: Message) -> None:
        _, service, instance = subjects.split(message.subject)
        if process in ("", service, instance):
            show(parse(message.payload.decode(errors="replace"), instance))
            sys.stdout.flush()

    async with connect() as transport:
        await transport.subscribe(subjects.log(subjects.ANY, subjects.ANY), take)
        await asyncio.Event().wait()
