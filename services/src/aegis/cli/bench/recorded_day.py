"""A day of one contract as long as a real one, asked of a recording: by the library, and by the command."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from aegis.cli.bench.figures import Case, Figures, latencies
from aegis.contracts.market import Level, Tick
from aegis.recorder.adapters.directory import RecordingDirectory
from aegis.recordings.manifest import Stretch
from aegis.recordings.query import query
from aegis.recordings.table import batch_of
from aegis_sdk.errors import AegisError

__all__ = ["REAL_DAY", "bench_day"]

REAL_DAY: Final = 41_736
"""Two a second over the night and the day of a contract that trades until 2:30."""
_PARTS: Final = 10
_SYMBOLS: Final = ("rb2505", "hc2505", "cu2505", "ag2506")
_DAY: Final = "20250102"
_BEGIN_NS: Final = 1_735_779_600_000_000_000
_STEP_NS: Final = 500_000_000
_QUERIES: Final = 30
_COMMANDS: Final = 3
_QUERY_US: Final = 200_000.0
_AEGIS: Final = str(Path(sys.executable).with_name("aegis"))


async def bench_day(ticks: int) -> Case:
    """Case query_day: all columns of a day of `ticks` five-level ticks, in ten parts of four contracts each.

    `command_ms` is the median of `aegis query` as a process of its own, which prints the day as CSV.
    """
    with TemporaryDirectory(prefix="aegis-bench-") as directory:
        await asyncio.to_thread(_record, Path(directory), ticks)
        figures = await asyncio.to_thread(_asked, Path(directory))
    note = f"a day of {ticks:,} ticks of five levels, all columns, {_PARTS} parts that are not merged"
    return Case("query_day", figures, note=note, bars={"p99_us": _QUERY_US})


def _record(path: Path, ticks: int) -> None:
    directory, chance, sequence = RecordingDirectory(path), Random(1), 0
    for part in range(_PARTS):
        placed: list[tuple[Tick, int, int]] = []
        for number in range(ticks * part // _PARTS, ticks * (part + 1) // _PARTS):
            for symbol in _SYMBOLS:
                sequence += 1
                placed.append((_tick(symbol, number, chance), sequence, _BEGIN_NS + number * _STEP_NS))
        stretch = Stretch(generation=1, first=1, last=sequence, stored_ns=placed[-1][2], ticks=sequence)
        directory.write([batch_of(1, placed)], stretch)
    directory.close()


def _tick(symbol: str, number: int, chance: Random) -> Tick:
    price, lots = 3300.0 + chance.randrange(100), chance.randrange(1, 500)
    at_ns = _BEGIN_NS + number * _STEP_NS
    return Tick(
        env="sim",
        feed="main",
        source="bench",
        session="1",
        epoch=1,
        sequence=number + 1,
        exchange="SHFE",
        symbol=symbol,
        trading_day=_DAY,
        action_day=_DAY,
        ts_exchange_ns=at_ns,
        ts_received_ns=at_ns + 1_000_000,
        last_price=price,
        open_price=3350.0,
        high_price=3400.0,
        low_price=3300.0,
        pre_close_price=3340.0,
        pre_settlement_price=3345.0,
        settlement_price=None,
        upper_limit_price=3600.0,
        lower_limit_price=3100.0,
        volume=number * 7,
        turnover=number * 7 * price,
        volume_delta=7,
        turnover_delta=7 * price,
        open_interest=1_000_000.0 + lots,
        pre_open_interest=1_000_000.0,
        bids=tuple(Level(price - step, lots + step) for step in range(5)),
        asks=tuple(Level(price + 1 + step, lots - step) for step in range(5)),
    )


def _asked(directory: Path) -> Figures:
    taken: list[float] = []
    rows = 0
    for _ in range(_QUERIES):
        began = time.perf_counter()
        rows = query(directory, f"SHFE.{_SYMBOLS[0]}", _DAY).num_rows
        taken.append(time.perf_counter() - began)
    commands = sorted(_command_s(directory, rows) for _ in range(_COMMANDS))
    return {**latencies(taken), "ticks": rows, "command_ms": commands[_COMMANDS // 2] * 1e3}


def _command_s(directory: Path, rows: int) -> float:
    """Raises AegisError where it does not print the day."""
    began = time.perf_counter()
    command = (_AEGIS, "query", f"SHFE.{_SYMBOLS[0]}", "--directory", str(directory), "--day", _DAY, "--csv")
    done = subprocess.run(command, capture_output=True, check=False)
    took_s = time.perf_counter() - began
    if done.returncode or done.stdout.count(b"\n") != rows + 1:
        raise AegisError(f"{' '.join(command)} did not print {rows:,} ticks: {done.stderr.decode()[-200:]}")
    return took_s
