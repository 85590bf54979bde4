"""`aegis record`."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, print_json, print_lines
from aegis.cli.desk import address, is_remote, run, state_directory

if TYPE_CHECKING:
    from aegis.contracts.recorder import RecorderStatus
    from aegis.operations.state import StateDirectory
    from aegis.recorder.check import Findings, InstrumentDay
    from aegis.recorder.endpoints import Recorder
    from aegis_sdk.config import Settings

__all__ = ["Directory", "default_directory", "record"]

_DIRECTORY: Final = "AEGIS_RECORD_DIRECTORY"
_SHOWN: Final = 50
_PROGRESS_S: Final = 1.0

Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory", help=f"Of the recording; default: {_DIRECTORY}, or `recording` in the state directory."
    ),
]


class Begin(StrEnum):
    """Where a new recording begins."""

    all = "all"
    now = "now"


def record(
    directory: Directory = None,
    begin: Annotated[
        Begin, typer.Option("--from", help="Where a new recording begins: with all that the stream has, or now.")
    ] = Begin.all,
    check: Annotated[
        bool, typer.Option("--check", help="Record nothing, but say whether the recording is complete.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Record all ticks to Parquet files, until Ctrl-C. A recording that was begun goes on where it ended.

    With --check the exit code is 1 where something is lost, or is there twice.
    """
    where = directory or default_directory(state_directory())
    if check:
        return _check(where, as_json)
    return run(_record(where.absolute(), begin, as_json))


def default_directory(state: StateDirectory) -> Path:
    """Where a desk records to."""
    return Path(os.environ.get(_DIRECTORY) or state.path / "recording")


async def _record(directory: Path, begin: Begin, as_json: bool) -> None:
    """Be an instance of the recorder, and tell once a second how far it is."""
    import asyncio
    import logging

    from aegis.recorder.bootstrap import build
    from aegis_sdk.program import serve
    from aegis_sdk.telemetry import configure_logging

    configure_logging(level=logging.WARNING)
    recorder = build({**os.environ, _DIRECTORY: str(directory), "AEGIS_RECORD_FROM": begin})
    telling = asyncio.create_task(_tell(recorder, as_json))
    try:
        await serve(recorder, _settings())
    finally:
        telling.cancel()
        await asyncio.wait({telling})


def _settings() -> Settings:
    """How to join the desk as an instance of its own."""
    from aegis_sdk.config import Settings

    if is_remote():
        return Settings.from_environment(os.environ)
    desk = address()
    return Settings.from_environment(
        {
            "AEGIS_NATS_URL": ",".join(desk.urls),
            "AEGIS_NATS_USER": desk.user,
            "AEGIS_NATS_PASSWORD": desk.password,
            "AEGIS_NATS_REPLICAS": str(len(desk.urls)),
        }
    )


async def _tell(recorder: Recorder, as_json: bool) -> None:
    """One line a second: over the one before on a terminal, an object for programs."""
    import asyncio

    before = 0
    is_terminal = sys.stdout.isatty() and not as_json
    try:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            now = recorder.look()
            if now is None:
                continue
            if as_json:
                print_json(now.model_dump())
            else:
                read = now.recorded + now.waiting
                sys.stdout.write(("\r\033[2K" if is_terminal else "") + _line(now, max(0, read - before)))
                sys.stdout.write("" if is_terminal else "\n")
                before = read
            sys.stdout.flush()
    finally:
        sys.stdout.write("\n" if is_terminal else "")


def _line(now: RecorderStatus, rate: int) -> str:
    lost = f", {now.lost:,} lost" if now.lost else ""
    state = f"BLOCKED: {now.blocked}" if now.blocked else f"{now.behind:,} behind{lost}"
    return f"{now.recorded:,} ticks in {now.parts:,} files of {now.size / 1e6:,.1f} MB; {rate:,} ticks/s, {state}"


def _check(directory: Path, as_json: bool) -> None:
    from aegis.recorder.check import check

    findings = check(directory)
    if as_json:
        print_json(_as_json(findings))
    else:
        _show(findings)
    raise typer.Exit(0 if findings.is_complete else 1)


def _as_json(findings: Findings) -> dict[str, Any]:
    from dataclasses import asdict

    from msgspec import to_builtins

    return {
        "complete": findings.is_complete,
        "ticks": findings.ticks,
        "duplicates": findings.duplicates,
        "lost": findings.lost,
        "unaccounted": list(findings.unaccounted),
        "damaged": list(findings.damaged),
        "stretches": to_builtins(findings.stretches),
        "days": [asdict(day) for day in findings.days],
    }


def _show(findings: Findings) -> None:
    for stretch in findings.stretches:
        counts = ("ticks", "markers", "void", "malformed", "repeated", "other", "lost")
        told = ", ".join(f"{number:,} {what}" for what in counts if (number := getattr(stretch, what)))
        print(f"Stream sequences {stretch.first:,} to {stretch.last:,}: {told or 'nothing'}.")
        for first, last in stretch.gaps:
            print(f"  lost: {first:,} to {last:,}, discarded by the stream before they were read")
    for generation in findings.unaccounted:
        print(f"The messages of generation {generation} do not add up.")
    for path in findings.damaged:
        print(f"Damaged: {path}")
    worth_telling = [day for day in findings.days if day.missing or day.duplicates]
    if worth_telling:
        columns = ("INSTRUMENT", "DAY", "FEED", "EPOCH", "TICKS", "FIRST", "LAST", "MISSING", "TWICE")
        print_lines(columns, [_row(day) for day in worth_telling[:_SHOWN]], right=columns[3:])
        if len(worth_telling) > _SHOWN:
            print(f"and {len(worth_telling) - _SHOWN:,} more: --json has all")
        print("Missing are sequences that no tick has. Where nothing is lost above, the feed itself left them out.")
    verdict = "Complete" if findings.is_complete else "NOT complete"
    print(f"{verdict}: {findings.ticks:,} ticks of {len({day.instrument for day in findings.days}):,} instruments.")


def _row(day: InstrumentDay) -> tuple[str, ...]:
    numbers = (day.epoch, day.ticks, day.first, day.last, day.missing, day.duplicates)
    return (day.instrument, day.trading_day, day.feed, *map(str, numbers))
