"""Ticks as Arrow tables, and tables as Parquet bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from aegis.contracts.market import Tick
from aegis.recordings.columns import COLUMNS, Placed, columns_of

__all__ = ["ROW_GROUP", "SCHEMA", "UNFIT", "batch_of", "parquet", "split"]

ROW_GROUP: Final = 65_536
"""Rows that are read or left out together by what is known of their symbols: about the day of a busy instrument."""
COMPRESSION_LEVEL: Final = 3
UNFIT: Final = (pa.ArrowException, OverflowError, UnicodeError)
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
_PARTITION: Final = ["trading_day", "exchange"]
_SORTED_BY: Final = (*_PARTITION, "symbol", "stream_sequence")
_ENCODINGS: Final[dict[str, Any]] = {
    "use_dictionary": [field.name for field in SCHEMA if field.type == pa.string()],
    "column_encoding": {field.name: "DELTA_BINARY_PACKED" for field in SCHEMA if field.type == pa.int64()},
}


def batch_of(generation: int, placed: Sequence[Placed]) -> pa.RecordBatch:
    """Ticks as columns. Raises one of UNFIT where a number is larger than 64 bits, or a text no UTF-8."""
    columns = columns_of(generation, placed)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def split(batches: Sequence[pa.RecordBatch]) -> list[tuple[str, str, pa.Table]]:
    """(trading day, exchange, their rows by symbol and sequence) of all that are among the rows."""
    rows = pa.Table.from_batches(batches, SCHEMA).combine_chunks().sort_by([(name, "ascending") for name in _SORTED_BY])
    days = rows.select(_PARTITION).group_by(_PARTITION).aggregate([([], "count_all")]).to_pylist()
    found: list[tuple[str, str, pa.Table]] = []
    begin = 0
    for day, exchange, count in sorted((one["trading_day"], one["exchange"], one["count_all"]) for one in days):
        found.append((day, exchange, rows.slice(begin, count)))
        begin += count
    return found


def parquet(table: pa.Table) -> memoryview:
    """A table as a file's content: whole numbers as what they differ from the row before."""
    out = pa.BufferOutputStream()
    pq.write_table(
        table,
        out,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        row_group_size=ROW_GROUP,
        version="2.6",
        **_ENCODINGS,
    )
    return memoryview(out.getvalue())
