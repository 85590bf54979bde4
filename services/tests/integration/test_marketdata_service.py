"""The market data service as a process, against a real server that blinks."""

import asyncio
import os
import sys
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import pytest
import recorded_ticks
from marketdata_process import DEADLINE_S, Running, environment, figure, marketdata, port_of, replayed, scraped

from aegis.contracts.market import Tick
from aegis.contracts.marketdata import (
    INSTRUMENTS,
    LATEST,
    LOSSES,
    FeedChanged,
    InstrumentsRequest,
    LatestRequest,
    LossesRequest,
    LossesView,
)
from aegis.contracts.reference import CONTINUOUS, MAINS, ContinuousRequest, MainsRequest
from aegis.contracts.tick_codec import decode
from aegis_sdk import Client, Events, NatsTransport
from aegis_sdk.errors import NotFound, Rejected
from aegis_sdk.messages import Message
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import nats_server

OUTAGE_TICKS = int(os.environ.get("AEGIS_OUTAGE_TICKS", "40000"))
SOON_STORED = 4_000
"""So many may wait when it is told to stop: a busy machine too stores them before a stop is over."""


async def stored_ticks(transport: NatsTransport) -> list[Tick]:
    """All ticks of the stream, in its order."""
    async with transport.read("TICKS", "tick.>") as messages:
        ticks: list[Tick] = []
        async for message in messages:
            if message is None:
                return ticks
            ticks.append(decode(message.headers, message.payload))
    raise AssertionError("the stream was never read to its end")


def assert_complete(ticks: list[Tick]) -> None:
    """Per instrument, the sequences are 1, 2, 3, ..., each once and in order."""
    last: Counter[tuple[str, str]] = Counter()
    for tick in ticks:
        last[tick.exchange, tick.symbol] += 1
        assert tick.sequence == last[tick.exchange, tick.symbol], tick


async def test_ticks_reach_a_subscriber_and_the_service_can_be_asked() -> None:
    async with nats_server() as server, marketdata(server, AEGIS_RATE="500") as running, asyncio.timeout(DEADLINE_S):
        arrived: asyncio.Queue[Message] = asyncio.Queue()
        await running.transport.subscribe("tick.SHFE.*", arrived.put_nowait)
        tick = decode({}, (await arrived.get()).payload)
        assert (tick.env, tick.feed, tick.source, tick.exchange) == ("sim", "main", "simulated", "SHFE")

        name = str(tick.instrument_id)
        latest = await running.client.call(LATEST, LatestRequest(instruments=[name, "SHFE.none"]))
        assert [found["symbol"] for found in latest.ticks] == [tick.symbol]
        page = await running.client.call(INSTRUMENTS, InstrumentsRequest(exchange="CFFEX", limit=2))
        assert len(page.instruments) == 2
        following = await running.client.call(INSTRUMENTS, InstrumentsRequest(exchange="CFFEX", after=page.next))
        assert following.instruments[0].instrument > page.next
        status = await running.status()
        assert (status.state, status.epoch, status.lost, status.conflated) == ("ready", 1, 0, 0)

        async with Events(running.transport).follow("event.market.>", FeedChanged) as events:
            states = [(await anext(events)).body.state for _ in range(2)]
        assert states == ["connecting", "ready"]
        await running.stop()


async def test_a_stop_stores_all_that_was_received_and_the_next_start_has_a_higher_epoch() -> None:
    async with nats_server() as server:
        epoch = 0
        for _ in range(2):
            async with marketdata(server, AEGIS_RATE="2000", AEGIS_CODEC="msgpack") as running:
                async with asyncio.timeout(DEADLINE_S):
                    while (status := await running.status()).stored < 2000:
                        pass
                assert status.epoch > epoch
                epoch = status.epoch
                await running.stop()
                ticks = [tick for tick in await stored_ticks(running.transport) if tick.epoch == epoch]
                assert_complete(ticks)
                assert len(ticks) >= status.received


async def test_main_contracts_are_decided_at_the_close_and_can_be_asked(tmp_path: Path) -> None:
    """The first tick of the next night tells that the day is over."""
    rows = replayed(
        tmp_path / "close.csv",
        "20230615,rb2310,SHFE,3700,10,900,14:59:59,0",
        "20230615,rb2310,SHFE,3701,11,100,15:00:00,0",
        "20230615,rb2401,SHFE,3650,5,300,15:00:00,500",
        "20230615,rb2405,SHFE,3600,5,200,15:00:00,500",
        "20230616,ag2308,SHFE,5600,5,200,21:00:00,500",
    )
    async with nats_server() as server, marketdata(server, **rows) as running, asyncio.timeout(DEADLINE_S):
        while not (mains := (await running.client.call(MAINS, MainsRequest(product="rb"))).mains):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        [main] = mains
        assert (main.main, main.second, main.since, main.decided_day) == (
            "SHFE.rb2401",
            "SHFE.rb2405",
            "20230616",
            "20230615",
        )
        history = await running.client.call(CONTINUOUS, ContinuousRequest(product="rb", exchange="SHFE"))
        assert [(roll.contract, roll.new_price) for roll in history.rolls] == [("SHFE.rb2401", 3650.0)]
        assert (history.revision, history.contract_on("20230616")) == (main.revision, main.main)
        with pytest.raises(NotFound):
            await running.client.call(CONTINUOUS, ContinuousRequest(product="au"))
        with pytest.raises(Rejected):
            await running.client.call(MAINS, MainsRequest(exchange="S.H"))
        await running.stop()


async def blink(server: EmbeddedServer, running: Running, ticks: int) -> None:
    """NATS is away until so many more have come, however long that takes; all of them are stored afterwards."""
    before = await running.status()
    await without_nats(server, running, ticks)
    async with asyncio.timeout(DEADLINE_S):
        back = await running.status()
        assert back.received - before.received >= ticks  # the market did not wait
        while (status := await running.status()).stored < back.received or status.waiting > SOON_STORED:
            assert status.lost == 0
            await asyncio.sleep(0.02)
    assert status.repairs >= 1
    await running.stop()
    ticks_stored = await stored_ticks(running.transport)
    assert_complete(ticks_stored)
    assert len(ticks_stored) >= status.received


async def without_nats(server: EmbeddedServer, running: Running, ticks: int) -> None:
    """It is away, and back once so many more ticks have come than there were: the page of metrics says so."""
    port = await port_of(running)
    await server.nodes[0].kill()
    begun = figure(await scraped(port), "received_ticks_total")
    async with asyncio.timeout(DEADLINE_S):
        while figure(await scraped(port), "received_ticks_total") < begun + ticks:  # noqa: ASYNC110 (it is asked)
            await asyncio.sleep(0.05)
    await server.nodes[0].start()


async def test_nothing_is_lost_when_nats_is_away_for_a_second() -> None:
    async with nats_server() as server, marketdata(server, AEGIS_RATE="2000") as running:
        await blink(server, running, 2_000)


@pytest.mark.slow
async def test_nothing_is_lost_when_nats_is_away_for_tens_of_thousands_of_ticks() -> None:
    """With the ring at its default, which holds 66 s at 2,000 a second. AEGIS_OUTAGE_TICKS: how many."""
    async with nats_server() as server, marketdata(server, AEGIS_RATE="4000") as running:
        await blink(server, running, OUTAGE_TICKS)


async def all_losses(client: Client) -> list[LossesView]:
    """Page by page."""
    losses: list[LossesView] = []
    after = ""
    while True:
        page = await client.call(LOSSES, LossesRequest(after=after, limit=50))
        losses += page.losses
        if not (after := page.next):
            return losses


async def test_what_no_longer_fits_is_counted_by_instrument_and_nothing_else_is_missing() -> None:
    settings = {"AEGIS_RATE": "10000", "AEGIS_REPUBLISH_TICKS": "20000"}
    async with nats_server() as server, marketdata(server, **settings) as running:
        await running.status()
        await without_nats(server, running, 25_000)
        async with asyncio.timeout(DEADLINE_S):
            back = await running.status()
            while (status := await running.status()).stored + status.lost < back.received:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert status.lost > 0
        assert sum(loss.ticks for loss in status.lost_most) <= status.lost
        assert status.lost_most[0].ticks >= status.lost_most[-1].ticks
        assert status.published <= status.received - status.lost + status.lost_sent
        losses = await all_losses(running.client)
        assert (sum(one.lost for one in losses), sum(one.conflated for one in losses)) == (status.lost, 0)
        await running.stop()
        ticks = await stored_ticks(running.transport)
        holes: Counter[str] = Counter()
        last: Counter[str] = Counter()
        for tick in ticks:
            name = str(tick.instrument_id)
            assert tick.sequence > last[name]
            holes[name] += tick.sequence - last[name] - 1
            last[name] = tick.sequence
        for loss in status.lost_most:
            assert holes[loss.instrument] == loss.ticks
        lost = {one.instrument: one.lost for one in losses}
        assert holes.total() > 0
        for name, count in holes.items():  # what an instrument lost after its last stored tick is no hole
            assert count in (0, lost.get(name, 0))


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("AEGIS_CODEC", "xml", "Input should be 'json', 'msgpack' or 'pickle'"),
        ("AEGIS_RATE", "-1", "greater than 0"),
        ("AEGIS_REPUBLISH_TICKS", "many", "valid integer"),
        ("AEGIS_REPUBLISH_TICKS", "19999", "greater than or equal to 20000"),
        ("AEGIS_NATS_REPLICAS", "2", "Input should be 1 or 3"),
        ("AEGIS_NATS_URL", "http://127.0.0.1", "nats://host:port"),
    ],
)
async def test_wrong_configuration_is_one_line_that_names_the_setting(variable: str, value: str, problem: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aegis.marketdata",
        env={"AEGIS_NATS_URL": "nats://127.0.0.1:1", variable: value},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    [line] = errors.decode().splitlines()
    assert line.startswith(f"configuration: {variable}: ")
    assert problem in line


async def test_a_replay_that_cannot_be_read_ends_the_start_with_its_name(tmp_path: Path) -> None:
    async with nats_server() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aegis.marketdata",
            env=environment(server, AEGIS_REPLAY=str(tmp_path / "absent.csv")),
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert "absent.csv" in errors.decode().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("path", recorded_ticks.files() or [None], ids=lambda path: path.stem if path else "absent")
async def test_a_recorded_file_arrives_in_the_stream_row_by_row(path: Path | None) -> None:
    if path is None:
        pytest.skip(recorded_ticks.ABSENT)
    rows = sum(1 for _ in recorded_ticks.expected(path))
    settings = {"AEGIS_REPLAY": str(path), "AEGIS_SPEED": "0", "AEGIS_CODEC": "msgpack"}
    async with nats_server() as server, marketdata(server, **settings) as running, asyncio.timeout(120):
        while (status := await running.status()).stored < rows:  # noqa: ASYNC110 (asked now and then)
            await asyncio.sleep(0.05)
        assert (status.received, status.conflated, status.lost) == (rows, 0, 0)
        await running.stop()
        ticks = await stored_ticks(running.transport)
    assert_complete(ticks)
    for row, tick in zip_longest(recorded_ticks.expected(path), ticks):
        assert recorded_ticks.as_row(row.line, tick) == row
