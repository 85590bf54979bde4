"""The recorder over a real nats-server: killed, cut off, with a full disk, and with a stream that is another one."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from publishing import publishing
from recordings import tick
from samples import QUOTE
from structlog.testing import capture_logs

from aegis.contracts.market import Level, Quote, Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.marketdata.adapters.bus import StreamPublisher, ticks_stream
from aegis.marketdata.adapters.replay import read_quotes
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis.recorder import endpoints
from aegis.recorder.check import check
from aegis.recorder.endpoints import Recorder
from aegis.recorder.settings import RecorderSettings
from aegis.recordings import is_recording, load
from aegis.recordings.manifest import path_of
from aegis.recordings.reading import quotes
from aegis_sdk import subjects
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport
from aegis_sdk.transport_nats.streams import api

DEADLINE_S = 60.0
STREAM = "TICKS"
ORIGIN = Origin(env="sim", feed="main", source="test", session="s1", epoch=7)
INSTRUMENTS = [(exchange, f"x25{n:02}") for exchange in ("SHFE", "DCE", "CZCE") for n in range(7)]


async def connect(server: EmbeddedServer) -> NatsTransport:
    user = server.credentials
    return await NatsTransport.connect(server.urls, user=user.user, password=user.password)


async def until(holds: Callable[[], bool]) -> None:
    """What is awaited is on a disk, or in another process: it can only be looked for."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def settled(directory: Path) -> int:
    """Up to which sequence."""
    return load(directory).stretches[-1].last if is_recording(directory) else 0


def quote(number: int) -> Quote:
    exchange, symbol = INSTRUMENTS[number % len(INSTRUMENTS)]
    bids = tuple(Level(3310.0 - place, number) for place in range(number % 6))
    return replace(QUOTE, exchange=exchange, symbol=symbol, volume=number, ts_received_ns=number, bids=bids)


async def publish(transport: NatsTransport, *ticks: Tick) -> None:
    """Into the stream, one after the other."""
    for one in ticks:
        subject = subjects.tick(one.exchange, one.symbol)
        await transport.append(subject, MSGPACK.encode(one), MSGPACK.headers)


@asynccontextmanager
async def recording(transport: NatsTransport, directory: Path, **settings: object) -> AsyncGenerator[Recorder]:
    """The service in this process, stopped in order."""
    made = Recorder(RecorderSettings(directory=directory, **{"part_s": 0.05, **settings}))
    host = ServiceHost(transport, made, HostOptions(instance="recorder-test"))
    await host.start()
    try:
        yield made
    finally:
        await host.stop()


def start(server: EmbeddedServer, directory: Path) -> subprocess.Popen[bytes]:
    user = server.credentials
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    environment = {
        **inherited,
        "AEGIS_NATS_URL": server.urls[0],
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_RECORD_DIRECTORY": str(directory),
        "AEGIS_RECORD_PART_S": "0.05",
        "AEGIS_RECORD_PART_TICKS": "1000",
    }
    return subprocess.Popen([sys.executable, "-m", "aegis.recorder"], env=environment, stderr=subprocess.DEVNULL)


@pytest.mark.slow
async def test_killed_at_any_moment_it_records_everything_once_and_what_it_recorded_can_be_replayed(
    tmp_path: Path,
) -> None:
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    moments = random.Random(seed)
    offered: list[Quote] = []
    async with nats_server() as server:
        transport = await connect(server)
        pipeline = Pipeline(MSGPACK, StreamPublisher(transport, MSGPACK.headers))
        running = asyncio.create_task(publishing(pipeline, ORIGIN))

        async def offer() -> None:
            while True:
                for _ in range(20):
                    offered.append(quote(len(offered)))
                    pipeline.bridge.offer(offered[-1])
                await pipeline.bridge.room()
                await asyncio.sleep(0.01)

        offering = asyncio.create_task(offer())
        for _ in range(2):
            process = start(server, tmp_path)
            begun = settled(tmp_path)
            await until(lambda begun=begun: settled(tmp_path) > begun)
            await asyncio.sleep(moments.uniform(0, 0.3))
            process.kill()
            process.wait()
        offering.cancel()
        pipeline.stop(DEADLINE_S)
        await running
        process = start(server, tmp_path)
        last = await transport.last_sequence(STREAM)
        await until(lambda: settled(tmp_path) == last)
        process.terminate()
        assert process.wait() == 0
        await transport.close()
    findings = check(tmp_path)
    assert findings.is_complete
    assert (findings.ticks, findings.lost) == (len(offered), 0)
    assert sum(day.missing for day in findings.days) == 0
    assert list(read_quotes(tmp_path, lambda *problem: pytest.fail(str(problem)))) == offered


async def test_ticks_of_a_deposed_feed_are_void_also_after_a_restart(tmp_path: Path) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, tmp_path):
            await publish(transport, tick(1, epoch=1), tick(1, epoch=2), tick(2, epoch=1))
        async with recording(transport, tmp_path):
            await publish(transport, tick(3, epoch=1), tick(2, epoch=2))
            await until(lambda: settled(tmp_path) == 5)
        await transport.close()
    [stretch] = load(tmp_path).stretches
    assert (stretch.ticks, stretch.void) == (3, 2)
    assert [quote.ts_received_ns // 10**9 for quote in quotes(tmp_path)] == [1, 1, 2]


async def test_a_stream_made_anew_begins_a_generation_and_what_comes_again_is_left_out(tmp_path: Path) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, tmp_path) as recorder:
            await publish(transport, *(tick(n) for n in (1, 2, 3)))
            await until(lambda: settled(tmp_path) == 3)
            await api(transport, f"STREAM.DELETE.{STREAM}")
            await transport.ensure_stream(ticks_stream())
            await publish(transport, tick(3), tick(4), tick(1, epoch=0, session="s2"))
            await until(lambda: len(load(tmp_path).stretches) == 2 and settled(tmp_path) == 3)
            now = recorder.look()
            assert now is not None
            assert (now.generation, now.repeated, now.void, now.lost) == (2, 1, 1, 0)
        await transport.close()
    assert check(tmp_path).is_complete
    assert [quote.ts_received_ns // 10**9 for quote in quotes(tmp_path)] == [1, 2, 3, 4]


async def test_what_the_stream_discarded_meanwhile_is_lost_and_said(tmp_path: Path) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, tmp_path):
            await publish(transport, tick(1))
        await publish(transport, tick(2), tick(3), tick(4))
        await transport.purge(STREAM, "tick.>", 4)
        async with recording(transport, tmp_path):
            await until(lambda: settled(tmp_path) == 4)
        await transport.close()
    findings = check(tmp_path)
    assert (findings.lost, findings.stretches[0].gaps, findings.is_complete) == (2, ((2, 3),), False)
    assert [day.missing for day in findings.days] == [2]


async def test_a_recording_that_begins_now_leaves_out_what_the_stream_has_and_nothing_else_when_it_is_killed(
    tmp_path: Path,
) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        await publish(transport, tick(1), tick(2))
        async with recording(transport, tmp_path / "first", begin="now", part_s=60) as recorder:
            await until(lambda: (now := recorder.look()) is not None and now.sequence == 2)
            shutil.copytree(tmp_path / "first", tmp_path / "left")  # what a kill would leave
            await publish(transport, tick(3))
            await until(lambda: (now := recorder.look()) is not None and now.sequence == 3)
        async with recording(transport, tmp_path / "left", begin="now"):
            await until(lambda: settled(tmp_path / "left") == 3)
        await transport.close()
    for directory in (tmp_path / "first", tmp_path / "left"):
        [stretch] = load(directory).stretches
        assert (stretch.first, stretch.ticks, stretch.lost) == (3, 1, 0)
        assert check(directory).is_complete


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk of one's own: only root may mount one")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_while_the_disk_is_full_it_waits_and_loses_nothing(small_disk: Path) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, small_disk) as recorder:
            await publish(transport, tick(1))
            await until(lambda: settled(small_disk) == 1)
            filler = fill(small_disk)
            await publish(transport, *(tick(n) for n in (2, 3, 4)))
            await until(lambda: bool((now := recorder.look()) and now.blocked))
            assert any(metric.name == "aegis_recorder_blocked" for metric in recorder.metrics())
            assert [quote.ts_received_ns // 10**9 for quote in quotes(small_disk)] == [1]
            filler.unlink()
            await until(lambda: settled(small_disk) == 4)
            assert (now := recorder.look()) is not None
            assert now.blocked == ""
        await transport.close()
    assert check(small_disk).is_complete
    assert [quote.ts_received_ns // 10**9 for quote in quotes(small_disk)] == [1, 2, 3, 4]


async def test_parts_that_a_full_disk_kept_from_being_merged_are_merged_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "_MERGE_AGAIN_S", 0.1)
    monkeypatch.setattr(endpoints, "_PUT_ASIDE_S", 0.2)
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, small_disk):
            for sequence, day in enumerate(("20250102", "20250102", "20250103"), start=1):
                await publish(transport, tick(sequence, trading_day=day))
                await until(lambda sequence=sequence: settled(small_disk) == sequence)
        filler = fill(small_disk)
        with capture_logs() as said:
            async with recording(transport, small_disk):
                await until(lambda: any(one["event"] == "parts_not_merged" for one in said))
                assert [part.merges for part in load(small_disk).of(day="20250102")] == [0, 0]
                filler.unlink()
                await until(lambda: [part.merges for part in load(small_disk).of(day="20250102")] == [1])
        await transport.close()
    assert check(small_disk).is_complete


def fill(disk: Path) -> Path:
    """A file that takes all the room that there is."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)
    return filler


async def test_a_tick_that_no_column_can_hold_costs_no_other(tmp_path: Path) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        async with recording(transport, tmp_path):
            await publish(transport, tick(1), tick(2, volume=2**63), tick(3))
            await until(lambda: settled(tmp_path) == 3)
        await transport.close()
    [stretch] = load(tmp_path).stretches
    assert (stretch.ticks, stretch.malformed) == (2, 1)
    assert check(tmp_path).is_complete


async def test_parts_of_a_day_that_ended_are_merged_at_the_next_start_and_damaged_ones_put_aside(
    tmp_path: Path,
) -> None:
    async with nats_server() as server:
        transport = await connect(server)
        await transport.ensure_stream(ticks_stream())
        days = ("20250101", "20250102", "20250101", "20250102", "20250103")
        async with recording(transport, tmp_path):
            for sequence, day in enumerate(days, start=1):
                await publish(transport, tick(sequence, trading_day=day))
                await until(lambda sequence=sequence: settled(tmp_path) == sequence)
        [damaged, _] = load(tmp_path).of(day="20250101")
        path_of(tmp_path, damaged).write_bytes(b"x")
        async with recording(transport, tmp_path):
            await until(lambda: [part.merges for part in load(tmp_path).of(day="20250102")] == [1])
            await publish(transport, tick(6, trading_day="20250103"))
            await until(lambda: settled(tmp_path) == 6)
        await transport.close()
    findings = check(tmp_path)
    assert findings.damaged == (str(path_of(tmp_path, damaged)),)
    assert [(day.trading_day, day.ticks) for day in findings.days] == [
        ("20250102", 2),
        ("20250101", 1),
        ("20250103", 2),
    ]
