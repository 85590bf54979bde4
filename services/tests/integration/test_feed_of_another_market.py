"""A feed set whose instances have sources of other markets: which of them may take over, and what subscribers get."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from health_desk import hosted
from structlog.testing import capture_logs

from aegis.contracts.market import Tick
from aegis.contracts.marketdata import SERVICE, STATUS
from aegis.contracts.reasons import sentence_of
from aegis.marketdata.adapters.simulated import SimulatedFeed
from aegis.marketdata.bootstrap import build
from aegis.marketdata.endpoints import MarketData
from aegis.ticks import subscribe_ticks
from aegis_sdk.client import Client
from aegis_sdk.errors import Rejected
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active.operations import Handover, handover_of
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport

DEADLINE_S = 30.0


class Heard:
    """A subscriber of all ticks, who can be asked to wait for one."""

    def __init__(self) -> None:
        self.ticks: list[Tick] = []
        self._came = asyncio.Event()

    def take(self, tick: Tick) -> None:
        self.ticks.append(tick)
        self._came.set()

    async def of(self, source: str, count: int) -> list[Tick]:
        """The first so many of that source."""
        while len(found := [tick for tick in self.ticks if tick.source == source]) < count:
            self._came.clear()
            await self._came.wait()
        return found


async def connected(server: EmbeddedServer) -> NatsTransport:
    user = server.credentials
    return await NatsTransport.connect(server.urls, user=user.user, password=user.password)


def recorded(path: Path, symbol: str) -> Path:
    """An instrument that ticks each 10 ms, for some time."""
    header = "TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec"
    moments = (divmod(10 * number, 1_000) for number in range(2_000))
    rows = [f"20250102,{symbol},SHFE,10,{n},1,09:00:{s:02},{ms}" for n, (s, ms) in enumerate(moments, 1)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


async def test_a_replay_takes_over_from_a_simulated_market_and_a_live_feed_from_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with asyncio.timeout(DEADLINE_S), nats_server() as server, AsyncExitStack() as stack:

        async def started(instance: str, **settings: str) -> MarketData:
            made = build({"AEGIS_NATS_URL": server.urls[0], **settings})
            await stack.enter_async_context(hosted(await connected(server), made, instance))
            return made

        async def until_able(made: MarketData) -> None:
            while not await made.healthy():  # noqa: ASYNC110 (it is asked)
                await asyncio.sleep(0.01)

        transport = await connected(server)
        stack.push_async_callback(transport.close)
        client, heard, handover = Client(transport), Heard(), handover_of(SERVICE)
        await stack.enter_async_context(subscribe_ticks(transport, on_tick=heard.take))
        await started("simulated-1", AEGIS_RATE="500")
        symbol = next(tick.symbol for tick in await heard.of("simulated", 500) if tick.exchange == "SHFE")
        replay = await started("replay-1", AEGIS_REPLAY=str(recorded(tmp_path / "ticks.csv", symbol)))
        await until_able(replay)

        await client.call(handover, Handover(key="main", to="replay-1"), instance="simulated-1", timeout=10)
        played = await heard.of("replay:ticks.csv", 20)
        before = {tick.instrument_id: tick for tick in heard.ticks if tick.source == "simulated"}
        assert heard.ticks.index(played[0]) == sum(tick.source == "simulated" for tick in heard.ticks)
        assert played[0].epoch > before[played[0].instrument_id].epoch
        assert [(tick.env, tick.epoch, tick.sequence) for tick in played] == [
            ("sim", played[0].epoch, number) for number in range(1, len(played) + 1)
        ]
        assert [tick.volume for tick in played] == list(range(played[0].volume, played[-1].volume + 1))
        assert ["reset" in tick.flags for tick in played] == [True] + [False] * (len(played) - 1)

        monkeypatch.setattr(SimulatedFeed, "env", "live")
        with capture_logs() as logs:
            live = await started("live-1", AEGIS_RATE="500")
            while not live.env_guard.refusal:  # noqa: ASYNC110 (it is asked)
                await asyncio.sleep(0.01)
        assert [one["event"] for one in logs if one["log_level"] == "error"] == ["feed_set_of_another_env"]
        status = await client.call(STATUS, Empty(), instance="live-1", timeout=10)
        assert (status.role, status.state) == ("standby", "ready")
        assert "the feed set main is sim, and this feed is live" in sentence_of(status.why)
        assert not await live.healthy()
        with pytest.raises(Rejected):
            await client.call(handover, Handover(key="main", to="live-1"), instance="replay-1", timeout=10)
