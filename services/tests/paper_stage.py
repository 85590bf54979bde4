"""The paper venue as a process, with market data beside it that lists instruments, and a market that a test moves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count

import msgspec
from samples import TICK
from venue_stage import DEADLINE_S, Heard

from aegis.contracts.market import Level, Tick
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
from aegis.contracts.paper import ACCOUNT, AccountRequest
from aegis.contracts.tick_codec import tick_codec
from aegis.exchanges.sessions import to_utc_ns
from aegis.trading.adapters.paper import PaperVenue
from aegis_sdk import Client, NatsTransport, subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.testing import NatsAccess

DAY, FEED = "20251201", "stage"
EPOCH = 1_000_000
"""Above any of the market data beside it, whose ticks of an instrument that somebody wants are void by that."""
_AFTERNOON_S, _BEGAN_NS = 13 * 3600 + 31 * 60, time.time_ns()
"""Its time is that of an afternoon, in which all products trade."""
_numbers = count(1)
_JSON = tick_codec("json")


@dataclass
class PaperHouse:
    """The processes: market data, which only lists, and the venue, which can be killed and started again."""

    access: NatsAccess
    accounts: list[str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    venue: subprocess.Popen[bytes] | None = None
    volumes: dict[str, int] = field(default_factory=dict)
    used: int = 0

    def start(self, module: str, log: str = os.devnull, **settings: str) -> subprocess.Popen[bytes]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
        environment = {
            **inherited,
            "AEGIS_NATS_URL": ",".join(self.access.urls),
            "AEGIS_NATS_USER": self.access.user,
            "AEGIS_NATS_PASSWORD": self.access.password,
            "AEGIS_NATS_REPLICAS": str(len(self.access.urls)),
            **settings,
        }
        command = [sys.executable, "-m", module]
        with open(log, "ab") as said:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said)
        self.processes.append(process)
        return process

    def start_venue(self, feed: str = FEED) -> None:
        self.venue = self.start(
            "aegis.paper",
            AEGIS_PAPER_ACCOUNTS=",".join(f"{account}=1000000" for account in self.accounts),
            AEGIS_PAPER_TICKS="sim",
            AEGIS_PAPER_FEED=feed,
            AEGIS_TIMERS="aggressive",
        )

    def kill_venue(self) -> None:
        assert self.venue is not None
        self.venue.send_signal(signal.SIGKILL)
        self.venue.wait()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@contextmanager
def paper_house(access: NatsAccess, accounts: int = 1, **market: str) -> Generator[PaperHouse]:
    """Both processes; they may still be starting. Without `market` settings no tick comes but those of a test."""
    house = PaperHouse(access, [f"P{number}" for number in range(accounts)])
    try:
        house.start("aegis.marketdata", **(market or {"AEGIS_WANTED": "nothing", "AEGIS_UNIVERSE": "core"}))
        house.start_venue("main" if market else FEED)
        yield house
    finally:
        house.end()


async def connect(access: NatsAccess) -> NatsTransport:
    return await NatsTransport.connect(access.urls, user=access.user, password=access.password)


def tick(
    instrument: str, bid: tuple[int, int], ask: tuple[int, int], last: float, volume: int, **other: object
) -> Tick:
    """Limits are 10 % around 3,000."""
    exchange, symbol = instrument.split(".")
    facts: dict[str, object] = {
        "feed": FEED,
        "epoch": EPOCH,
        "sequence": next(_numbers),
        "exchange": exchange,
        "symbol": symbol,
        "trading_day": DAY,
        "action_day": DAY,
        "ts_exchange_ns": to_utc_ns(DAY, _AFTERNOON_S) + time.time_ns() - _BEGAN_NS,
        "ts_received_ns": time.time_ns(),
        "last_price": float(last),
        "pre_settlement_price": 3000.0,
        "upper_limit_price": 3300.0,
        "lower_limit_price": 2700.0,
        "volume": volume,
        "bids": (Level(float(bid[0]), bid[1]),) if bid[1] else (),
        "asks": (Level(float(ask[0]), ask[1]),) if ask[1] else (),
    }
    return msgspec.structs.replace(TICK, **{**facts, **other})


class PaperStage:
    """See `venue_stage.Stage`."""

    def __init__(self, house: PaperHouse, transport: NatsTransport, account: str, rebar: str, meal: str) -> None:
        self._house = house
        self._transport = transport
        self._shown: dict[str, tuple[object, ...]] = {}
        self.account = account
        self.rebar = rebar
        self.meal = meal
        self.heard = Heard()
        self.venue = PaperVenue(transport, [account], timeout_s=5.0)

    async def quote(
        self, instrument: str, bid: tuple[int, int], ask: tuple[int, int], last: int | None = None, traded: int = 0
    ) -> None:
        volumes = self._house.volumes
        volumes[instrument] = volumes.get(instrument, 1000) + traded
        self._shown[instrument] = (bid, ask, last)
        self.publish(tick(instrument, bid, ask, last or bid[0], volumes[instrument]))
        await self._transport.flush()

    def publish(self, one: Tick) -> None:
        self._transport.publish(subjects.tick(one.exchange, one.symbol), _JSON.encode(one), _JSON.headers)

    async def interrupt(self) -> None:
        """The venue dies in the middle of whatever it does."""
        self._house.kill_venue()
        self._house.start_venue()
        await ready(self._transport, self.account)


async def ready(transport: NatsTransport, account: str, deadline_s: float = DEADLINE_S) -> None:
    """Return when the venue answers for an account, and has opened it."""
    client = Client(transport)
    async with asyncio.timeout(deadline_s):
        while True:
            try:
                await client.call_active(ACCOUNT, account, AccountRequest(account=account), timeout=5)
                return
            except AegisError:
                await asyncio.sleep(0.05)


async def instruments(
    transport: NatsTransport, exchange: str, product: str, deadline_s: float = DEADLINE_S
) -> list[str]:
    """What market data lists of a product; waits for it to start."""
    client = Client(transport)
    asked = InstrumentsRequest(exchange=exchange, product=product, kind="future")
    return [one.instrument for one in (await client.call(INSTRUMENTS, asked, timeout=deadline_s)).instruments]


@asynccontextmanager
async def paper_stage(house: PaperHouse) -> AsyncGenerator[PaperStage]:
    """The venue with an account that no test had before, and a market that is open."""
    transport = await connect(house.access)
    try:
        rebars, meals = await instruments(transport, "SHFE", "rb"), await instruments(transport, "DCE", "m")
        account = house.accounts[house.used]
        stage = PaperStage(house, transport, account, rebars[-1], meals[-1])
        house.used += 1
        for instrument in (stage.rebar, stage.meal):
            await stage.quote(instrument, (2999, 0), (3001, 0), 3000)
        await ready(transport, account)
        await stage.venue.open(stage.heard)
        try:
            yield stage
        finally:
            await stage.venue.close()
    finally:
        await transport.close()
