"""Ticks as Arrow tables, and tables as Parquet bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aegis.contracts.market import Tick
from aegis.recordings.columns import COLUMNS, Placed, columns_of

__all__ = ["ROW_GROUP", "SCHEMA", "UNFIT", "batch_of", "parquet", "split"]

ROW_GROUP: Final = 65_536
"""Rows that are read or left out together by what is known of their symbols: about the day of a busy instrument."""
COMPRESSION_LEVEL: Final = 3
UNFIT: Final = (pa.ArrowException, OverflowError)
"""What `batch_of` raises for a value that no column can hold."""

_TYPES: Final[dict[Any, Any]] = {int: pa.int64(), float: pa.float64(), str: pa.string()}


def _type(name: str) -> Any:
    hint = get_type_hints(Tick).get(name)
    if name in ("generation", "stream_sequence", "stored_ns") or "_size_" in name:
        return pa.int64()
    if "_price_" in name:
        return pa.float64()
    return _TYPES.get(hint, pa.float64() if hint == float | None else pa.string())


SCHEMA: Final = pa.schema([(name, _type(name)) for name in COLUMNS])


def batch_of(generation: int, placed: Sequence[Placed]) -> pa.RecordBatch:
    """Ticks as columns. Raises one of UNFIT where a number is larger than 64 bits."""
    columns = columns_of(generation, placed)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def split(batches: Sequence[pa.RecordBatch]) -> list[tuple[str, str, pa.Table]]:
    """(trading day, exchange, their rows by symbol and sequence) of all that are among the rows."""
    table = pa.Table.from_batches(batches, SCHEMA)
    pairs = table.select(["trading_day", "exchange"]).group_by(["trading_day", "exchange"]).aggregate([])
    found: list[tuple[str, str, pa.Table]] = []
    for pair in sorted(pairs.to_pylist(), key=lambda pair: (pair["trading_day"], pair["exchange"])):
        day, exchange = pair["trading_day"], pair["exchange"]
        ours = (pc.field("trading_day") == day) & (pc.field("exchange") == exchange)
        order = [("symbol", "ascending"), ("stream_sequence", "ascending")]
        found.append((day, exchange, table.filter(ours).sort_by(order)))
    return found


def parquet(table: pa.Table) -> memoryview:
    """A table as a file's content."""
    out = pa.BufferOutputStream()
    pq.write_table(
        table, out, compression="zstd", compression_level=COMPRESSION_LEVEL, row_group_size=ROW_GROUP, version="2.6"
    )
    return memoryview(out.getvalue())
