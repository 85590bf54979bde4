"""`aegis bench record`: the recorder under a steady stream, killed in the middle; its backlog; and one query.

Ticks go through the pipeline into the stream TICKS, as live ones do, while the recorder, a process of its own, writes
them to Parquet files. In the middle it is killed with SIGKILL and started again; its processor time is that of both
processes, their starts included. *Behind* is from the last tick in the stream to the last one in a file. Then all is
looked through: what the stream had and the files lack is lost; what was offered and did not reach the stream, since the
machine cannot do it, is not stored. A second recording begins when all is there, so that it is all backlog.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.recorded_day import REAL_DAY, bench_day
from aegis.cli.bench.workers import worker
from aegis.operations.processes import ProcessId, identify, usage
from aegis.recorder.check import Findings, check
from aegis.recordings import is_recording, load
from aegis.recordings.query import query
from aegis_sdk.errors import AegisError
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

_STREAM: Final = "TICKS"
_LOOK_S: Final = 0.01
_DEADLINE_S: Final = 120.0
_QUERIES: Final = 30
_PART_S: Final = "2"
_COMPLETE: Final = {"not_stored": 0.0, "lost": 0.0, "duplicated": 0.0}
_OFFERED_SHARE: Final = 0.95
_QUERY_US: Final = 200_000.0


async def bench_record(
    server: EmbeddedServer, *, nodes: int, seconds: float, rate: int, replay: Path | None = None, day: int = REAL_DAY
) -> Report:
    """Cases sustained, backlog, query, and query_day of so many ticks."""
    with TemporaryDirectory(prefix="aegis-bench-") as directory:
        first, second = Path(directory) / "sustained", Path(directory) / "backlog"
        sustained = await _sustained(server, first, nodes, seconds, rate, str(replay or ""))
        backlog = await _backlog(server, second)
        asked, which = _asked(second)
        note = f"{seconds:g} s at {rate:,} ticks/s, SIGKILL in the middle"
        offered = {"offered_per_s": _OFFERED_SHARE * rate}  # else it was no stream of that rate
        return Report(
            "record",
            [
                Case("sustained", sustained, note=note, bars=_COMPLETE, least=offered),
                Case("backlog", backlog, note="from a process that is ready to the last file", bars={"lost": 0.0}),
                Case("query", asked, note=which, bars={"p99_us": _QUERY_US}),
                await bench_day(day),
            ],
        )


async def _sustained(
    server: EmbeddedServer, directory: Path, nodes: int, seconds: float, rate: int, source: str
) -> Figures:
    arguments = ("msgpack", str(seconds), str(rate), source, str(nodes))
    async with worker(server, "aegis.cli.bench.tick_publisher", *arguments) as publisher:
        async with _recorder(server, directory) as killed:
            await _until(lambda: is_recording(directory))
            await publisher.say("go")
            await asyncio.sleep(seconds / 2)
            cpu_s = killed.cpu_s()
        restarted = time.monotonic()
        async with _recorder(server, directory) as recorder:
            settled = _settled(directory)
            await _until(lambda: _settled(directory) > settled)
            resumed_s = time.monotonic() - restarted
            sent: dict[str, Any] = await publisher.hear(seconds * 4 + 60)
            last = await _last(server)
            await _until(lambda: _settled(directory) == last)
            ended_ns = time.time_ns()
            cpu_s += recorder.cpu_s()
    findings = await asyncio.to_thread(check, directory)
    return {
        "offered_per_s": sent["ticks"] / ((sent["last_stored_ns"] - sent["first_offered_ns"]) / 1e9),
        "rate_per_s": findings.ticks / ((ended_ns - sent["first_offered_ns"]) / 1e9),
        "behind_ms": (ended_ns - sent["last_stored_ns"]) / 1e6,
        "ticks": findings.ticks,
        "not_stored": sent["ticks"] - sent["stored"],
        "lost": _lost(findings, sent["stored"]),
        "duplicated": findings.duplicates + sum(day.duplicates for day in findings.days),
        "cpu_us_per_item": cpu_s * 1e6 / max(findings.ticks, 1),
        "resumed_ms": resumed_s * 1e3,
        "bytes_per_item": _size(directory) / max(findings.ticks, 1),
    }


async def _backlog(server: EmbeddedServer, directory: Path) -> Figures:
    last = await _last(server)
    async with _recorder(server, directory) as recorder:
        await _until(lambda: is_recording(directory))
        began, cpu_s = time.monotonic(), recorder.cpu_s()
        await _until(lambda: _settled(directory) == last)
        took_s, cpu_s = time.monotonic() - began, recorder.cpu_s() - cpu_s
        memory_mb = recorder.memory_mb()
    findings = await asyncio.to_thread(check, directory)
    return {
        "rate_per_s": findings.ticks / took_s,
        "lost": findings.lost + len(findings.unaccounted),
        "cpu_us_per_item": cpu_s * 1e6 / max(findings.ticks, 1),
        "memory_mb": memory_mb,
    }


def _asked(directory: Path) -> tuple[Figures, str]:
    """All columns of the busiest instrument's day, again and again."""
    days = check(directory).days
    busiest = max(days, key=lambda day: day.ticks)
    taken: list[float] = []
    rows = 0
    for _ in range(_QUERIES):
        started = time.perf_counter()
        rows = query(directory, busiest.instrument, busiest.trading_day).num_rows
        taken.append(time.perf_counter() - started)
    which = f"a day of {busiest.instrument}, all columns, in a recording of {sum(day.ticks for day in days):,} ticks"
    return {**latencies(taken), "ticks": rows}, which


class _Recorder:
    def __init__(self, process: ProcessId) -> None:
        self._process = process

    def cpu_s(self) -> float:
        return self._usage().cpu_s

    def memory_mb(self) -> float:
        return self._usage().memory_bytes / 1e6

    def _usage(self) -> Any:
        if (found := usage(self._process)) is None:
            raise AegisError("the recorder has ended")
        return found


@asynccontextmanager
async def _recorder(server: EmbeddedServer, directory: Path) -> AsyncGenerator[_Recorder]:
    """The real program; killed with SIGKILL at the end."""
    user = server.credentials
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_NATS_REPLICAS": str(len(server.urls)),
        "AEGIS_RECORD_DIRECTORY": str(directory),
        "AEGIS_RECORD_PART_S": _PART_S,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aegis.recorder"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        known = identify(process.pid)
        if known is None:
            raise AegisError("the recorder cannot be started")
        yield _Recorder(known)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _settled(directory: Path) -> int:
    """Up to which sequence of the stream."""
    return load(directory).stretches[-1].last


def _size(directory: Path) -> int:
    return sum(part.size for part in load(directory).parts)


def _lost(findings: Findings, stored: int) -> int:
    """Ticks that the stream had and are not there, or messages that are not accounted for."""
    return max(stored - findings.ticks, findings.lost + len(findings.unaccounted))


async def _last(server: EmbeddedServer) -> int:
    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        return await transport.last_sequence(_STREAM)
    finally:
        await transport.close()


async def _until(holds: Any) -> None:
    """What is awaited happens in another process, on the disk: it can only be looked for."""
    async with asyncio.timeout(_DEADLINE_S):
        while not holds():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(_LOOK_S)
