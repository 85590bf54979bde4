"""Recorded ticks by instrument and time.

    table = query("recording", "SHFE.rb2505", day="20250102", columns=["ts_exchange_ns", "last_price"])

It is an Arrow table: `table.to_pandas()`, `polars.from_arrow(table)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from aegis.recordings.columns import COLUMNS
from aegis.recordings.manifest import Manifest, paths_of
from aegis.recordings.reading import IN_ORDER, ask, database, overlapping
from aegis.recordings.table import SCHEMA
from aegis_sdk.errors import ConfigurationError

__all__ = ["Moments", "query"]

_LONGEST_HOLIDAY: Final = timedelta(days=20)
"""The night before a holiday belongs to the first trading day after it."""
_SHANGHAI_S: Final = 8 * 3_600
_DAY_S: Final = 86_400
_DAY_BEGINS_S: Final = 18 * 3_600
"""Of a trading day the evening comes first; no market is open at 18:00."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Which times of the exchange; what is None has no bound. `until` is not included."""

    since_ns: int | None = None  # UTC
    until_ns: int | None = None
    since_clock_s: int | None = None  # of each trading day: seconds after midnight in Shanghai
    until_clock_s: int | None = None

    def may_be_of(self, trading_day: str) -> bool:
        """Whether ticks of these times may belong to a trading day (YYYYMMDD): their date, or soon after it."""
        begins = self.since_ns is None or _date(self.since_ns) <= trading_day
        return begins and (self.until_ns is None or trading_day <= _date(self.until_ns, later=_LONGEST_HOLIDAY))


def query(
    directory: Path | str,
    instrument: str,
    day: str | None = None,
    *,
    moments: Moments = Moments(),
    columns: Sequence[str] | None = None,
    limit: int | None = None,
) -> pa.Table:
    """The ticks of one instrument, `SHFE.rb2505`, in the order of the stream.

    `day` is a trading day, YYYYMMDD. Columns are those of `aegis.recordings.columns.COLUMNS`, all of them by default.
    Raises RecordingDamaged, ConfigurationError for what is no instrument, day or column, and AegisError where parts are
    away or cannot be read.
    """
    directory = Path(directory)
    exchange, symbol = _split(instrument)
    names = _known(columns)
    if day is not None and not (len(day) == 8 and day.isdecimal()):
        raise ConfigurationError("day", f"{day!r} is not a trading day as YYYYMMDD")
    conditions, values = _conditions(symbol, moments)
    wanted = f"SELECT {', '.join(names)} FROM read_parquet(?) WHERE {' AND '.join(conditions)}"  # noqa: S608 (our names)
    most = "" if limit is None else f" LIMIT {int(limit)}"

    def found(manifest: Manifest) -> pa.Table:
        parts = [part for part in manifest.of(day=day or "", exchange=exchange) if moments.may_be_of(part.trading_day)]
        if not parts:
            return SCHEMA.empty_table().select(names)
        groups = overlapping(parts)
        paths = paths_of(directory, (part for group in groups for part in group))
        order = "" if len(groups) == len(parts) else IN_ORDER  # by itself it is that of the parts, and of their rows
        with database(threads=1) as connection:  # as fast as two for one instrument, and the desk keeps a core
            return connection.sql(f"{wanted} {order}{most}", params=[paths, *values]).to_arrow_table()

    return ask(directory, found)


def _split(instrument: str) -> tuple[str, str]:
    exchange, dot, symbol = instrument.partition(".")
    if not (exchange and dot and symbol):
        raise ConfigurationError("instrument", f"{instrument!r} is not like SHFE.rb2505")
    return exchange, symbol


def _known(columns: Sequence[str] | None) -> list[str]:
    names = list(COLUMNS if columns is None else columns)
    if unknown := [name for name in names if name not in COLUMNS]:
        raise ConfigurationError("columns", f"{unknown[0]!r} is none of {', '.join(COLUMNS)}")
    return names


def _conditions(symbol: str, moments: Moments) -> tuple[list[str], list[Any]]:
    conditions: list[str] = ["symbol = ?"]
    values: list[Any] = [symbol]
    clock = f"((ts_exchange_ns // 1000000000 + {_SHANGHAI_S - _DAY_BEGINS_S}) % {_DAY_S})"
    for bound, comparison, what in (
        (moments.since_ns, ">=", "ts_exchange_ns"),
        (moments.until_ns, "<", "ts_exchange_ns"),
        (_in_trading_day(moments.since_clock_s), ">=", clock),
        (_in_trading_day(moments.until_clock_s), "<", clock),
    ):
        if bound is not None:
            conditions.append(f"{what} {comparison} ?")
            values.append(bound)
    return conditions, values


def _date(at_ns: int, later: timedelta = timedelta()) -> str:
    """The date in Shanghai, YYYYMMDD."""
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000 + _SHANGHAI_S, UTC) + later:%Y%m%d}"


def _in_trading_day(clock_s: int | None) -> int | None:
    """Seconds since the trading day began."""
    return None if clock_s is None else (clock_s - _DAY_BEGINS_S) % _DAY_S
