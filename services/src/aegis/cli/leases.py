"""`aegis leases`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, print_json, table, terminal
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from rich.table import Table

_LOOK_S: Final = 0.1
_STYLES: Final = {"ACTIVE": "green", "RECOVERING": "cyan", "HANDOVER": "cyan", "LOST": "bold red", "VACANT": "red"}
_NO_LEDGER: Final = "This desk has no ledger: no single-active service has run here yet."
_UNHEARD: Final = "NATS does not answer: this is what was known last."

Rows = list[dict[str, Any]]
Show = Callable[[Rows, bool], None]


def leases(
    service: Annotated[str, typer.Argument(help="Only the keys of this service.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show each change; Ctrl-C ends it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show who holds which key, in which epoch, and since when.

    LAST GAP is for how long the holder before had been silent when the key was claimed; `-` where it was given back.
    """
    if watch:
        run(_watch(service, as_json))
        return
    rows = run(_read(service))
    if as_json:
        print_json(rows or [])
    else:
        _print(rows, service)


def _print(rows: Rows | None, service: str) -> None:
    nothing = _NO_LEDGER if rows is None else f"No key of {service or 'any service'} has ever had a holder."
    terminal().print(_table(rows) if rows else nothing)


def _table(rows: Rows) -> Table:
    columns = ("SERVICE", "KEY", "HOLDER", "EPOCH", "STATE", "SINCE", "LAST GAP")
    shown = table(*columns, right=("EPOCH", "LAST GAP"))
    for row in rows:
        since = datetime.fromisoformat(row["since"]).astimezone()
        shown.add_row(
            row["service"],
            row["key"],
            row["holder"] or (f"{row['last_holder']} → {row['successor']}" if row["successor"] else "-"),
            str(row["epoch"] or "-"),
            f"[{_STYLES.get(row['state'], 'yellow')}]{row['state']}[/]",
            f"{since:%Y-%m-%d %H:%M:%S}",
            f"{row['gap_ms']} ms" if row["gap_ms"] else "-",
        )
    return shown


async def _read(service: str) -> Rows | None:
    """The rows; None where there is no ledger."""
    from aegis_sdk.lease_view import LeaseView

    async with connect() as transport, LeaseView.open(transport, service) as view:
        return view.rows() if view.leases.shards else None


async def _watch(service: str, as_json: bool) -> None:
    import asyncio
    import signal

    from aegis_sdk.discovery import DirectoryState
    from aegis_sdk.lease_view import LeaseView

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    async with connect() as transport, LeaseView.open(transport, service) as view:
        if not view.leases.shards:
            print_json([]) if as_json else _print(None, service)
            return
        shown: tuple[Rows, bool] | None = None
        with _output(as_json) as show:
            while not stop.is_set():
                now = view.rows(), view.directory.state is DirectoryState.STALE
                if now != shown:
                    show(*now)
                    shown = now
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await stop.wait()


@contextmanager
def _output(as_json: bool) -> Iterator[Show]:
    """A table that changes in its place, or, for programs and pipes, all of it anew."""
    if as_json or not sys.stdout.isatty():
        yield _objects if as_json else _tables
        return
    from rich.console import Group
    from rich.live import Live

    with Live(console=terminal(), auto_refresh=False) as live:
        yield lambda rows, unheard: live.update(Group(_table(rows), _UNHEARD if unheard else ""), refresh=True)


def _objects(rows: Rows, unheard: bool) -> None:
    if unheard:
        sys.stderr.write(f"{_UNHEARD}\n")
    else:
        print_json(rows)
        sys.stdout.flush()


def _tables(rows: Rows, unheard: bool) -> None:
    terminal().print(_UNHEARD if unheard else _table(rows))
