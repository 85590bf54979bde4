"""`aegis query`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, print_lines
from aegis.cli.desk import state_directory
from aegis.cli.moments import moments
from aegis.cli.record import Directory, default_directory

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN: Final = (
    *("trading_day", "ts_exchange_ns", "last_price", "bid_price_1", "bid_size_1", "ask_price_1", "ask_size_1"),
    *("volume", "open_interest", "flags"),
)
_NOT_RIGHT: Final = ("TIME", "DAY", "FLAGS", "SYMBOL", "EXCHANGE", "FEED", "SOURCE", "SESSION", "ENV", "ACTION_DAY")
_BATCH: Final = 10_000


def query(
    instrument: Annotated[str, typer.Argument(help="Such as SHFE.rb2505.")],
    directory: Directory = None,
    day: Annotated[str | None, typer.Option("--day", "-d", help="Only this trading day: YYYYMMDD.")] = None,
    since: Annotated[
        str, typer.Option("--from", help="From this time of the exchange on: 09:30, 2025-01-02, 2025-01-02T21:00:00.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Before this time.")] = "",
    columns: Annotated[str, typer.Option("--columns", "-c", help="Names with commas between; `all` for all.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="The first N ticks.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show recorded ticks of an instrument, in the order of the stream.

    Times are those of Shanghai. One without a day is meant on each trading day, which begins in the evening before.
    With --json an object a line, and with --csv, times are nanoseconds since 1970 in UTC.
    """
    from aegis.recordings.columns import COLUMNS
    from aegis.recordings.query import query as recorded
    from aegis_sdk.errors import ConfigurationError

    if as_json and as_csv:
        raise typer.BadParameter("is one way to print, --json another", param_hint="--csv")
    names = list(COLUMNS) if columns == "all" or (not columns and (as_json or as_csv)) else list(_SHOWN)
    if columns not in ("", "all"):
        names = [name.strip() for name in columns.split(",")]
    try:
        which = moments(since, until)
        where = directory or default_directory(state_directory())
        table = recorded(where, instrument, day, moments=which, columns=names, limit=limit)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        _print_objects(table)
    elif as_csv:
        _print_csv(table)
    elif table.num_rows:
        _print_table(table)
    else:
        print("No tick fits.")


def _print_objects(table: pa.Table) -> None:
    import msgspec

    encode = msgspec.json.Encoder().encode
    for rows in _rows(table):
        sys.stdout.buffer.write(
            b"".join(encode(dict(zip(table.column_names, row, strict=True))) + b"\n" for row in rows)
        )


def _print_csv(table: pa.Table) -> None:
    import csv

    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(table.column_names)
    for rows in _rows(table):
        out.writerows(rows)


def _print_table(table: pa.Table) -> None:
    headings: list[str] = [_heading(name) for name in table.column_names]
    lines = [
        [_text(name, value) for name, value in zip(table.column_names, row, strict=True)]
        for rows in _rows(table)
        for row in rows
    ]
    print_lines(headings, lines, right=tuple(name for name in headings if name not in _NOT_RIGHT))


def _heading(name: str) -> str:
    return {"ts_exchange_ns": "TIME", "trading_day": "DAY"}.get(name, name.upper())


def _rows(table: pa.Table) -> Iterator[list[tuple[Any, ...]]]:
    """Batches of rows, so that they need not all be Python's at once."""
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _text(name: str, value: Any) -> str:
    from aegis.cli.moments import shown

    if value is None:
        return "-"
    if name.endswith("_ns"):
        return shown(value)
    return f"{value:.4f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
