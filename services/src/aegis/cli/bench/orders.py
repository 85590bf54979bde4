"""`aegis bench orders`: what an order costs from its caller to its durable acknowledgement, on the paper venue."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TypeVar

import nats

from aegis.cli.bench.clerk import PLAIN_SUBJECT
from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.order_recovery import TradingDesk, replay, takeover
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
from aegis.contracts.trading_stores import risk_name
from aegis.desk import Desk
from aegis.operations.counter import is_built
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.kv import KeyValue
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport

Value = TypeVar("Value")

_ACCOUNTS: Final = 10
_INSTANCES: Final = 2
_START_S: Final = 30.0
_AGAIN_S: Final = 0.1
_RISK: Final = {
    "tick_feeds": ["sim/main"],
    "orders_per_s": 1000,
    "stale_after_s": 60,
    "max_position_lots": 1_000_000,
    "day_limits": {"SHFE": {"cancels": 1_000_000}},
}


class Extent(NamedTuple):
    """How much is measured."""

    rounds: int
    orders: int  # one after the other, in each round
    seconds: float  # of throughput
    takeovers: int
    history: int  # orders of the account that is replayed
    at_counter: int  # takeovers of each kind at a CTP counter


SHORT: Final = Extent(5, 60, 5.0, 2, 1_000, 1)
LONG: Final = Extent(15, 200, 20.0, 10, 10_000, 10)


async def bench_orders(server: EmbeddedServer, *, nodes: int, extent: Extent) -> Report:
    """Case durable_ack: one order after the other, against one plain acknowledged publish as long as its intent.

    Case throughput: 10 accounts, of which each has 8 orders under way. Orders are FAK below the market: the venue
    takes them, and they end at once. `failed` are calls that ended with an error, OutcomeUnknown among them.

    Cases takeover and replay are told in `order_recovery`, those at a counter, where CTP is built, in `order_counter`.
    Faults at each step of an order are `make chaos`.
    """
    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    await transport.ensure_stream(
        StreamConfig(
            name="PLAIN_LEDGER", subjects=[PLAIN_SUBJECT], replicas=nodes, allow_direct=False, rollup=True, atomic=True
        )
    )
    try:
        cases = await _on_paper(server, transport, nodes, extent)
        if extent.at_counter and is_built():
            cases += await _at_counter(server, transport, nodes, extent.at_counter)
    finally:
        await transport.close()
    return Report("orders", cases)


async def _on_paper(server: EmbeddedServer, transport: NatsTransport, nodes: int, extent: Extent) -> list[Case]:
    accounts = [f"B{number}" for number in range(_ACCOUNTS)]
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(desk_processes(server, accounts, nodes))
        await with_settings(transport, accounts)
        desks = [await stack.enter_async_context(Desk.over(transport, account)) for account in accounts]
        instrument, price = await market(transport, desks)
        durable, plain = await _durable(server, desks[0], instrument, price, extent)
        flow = await _throughput(desks, instrument, price, extent.seconds)
        taken_over = await takeover(transport, running, desks, instrument, price, extent.takeovers)
        replayed = await replay(
            transport, running, desks, instrument, price, replicas=nodes, history=extent.history, orders=extent.orders
        )
    return [
        Case("durable_ack", durable, plain, ratio_bars={"p50_us": 3} if nodes > 1 else {}),
        Case("throughput", flow, bars={"failed": 0}, least={"rate_per_s": 1000} if nodes == 1 else {}),
        taken_over,
        replayed,
    ]


async def _at_counter(server: EmbeddedServer, transport: NatsTransport, nodes: int, rounds: int) -> list[Case]:
    from aegis.cli.bench.order_counter import at_counter, counter_desk

    async with (
        counter_desk(started, _way_in(server, nodes)) as there,
        Desk.over(transport, there.account, timeout_s=10) as desk,
    ):
        instrument, price = await market(transport, [desk])
        return await at_counter(transport, there, desk, instrument, price, rounds)


async def _durable(
    server: EmbeddedServer, desk: Desk, instrument: str, price: Decimal, extent: Extent
) -> tuple[Figures, Figures]:
    user = server.credentials
    nc = await nats.connect(server.urls, user=user.user, password=user.password)
    stream = nc.jetstream()
    (order,) = await desk.place(instrument, "buy", 1, price=price, type="fak")
    intent = order.model_dump_json().encode()
    ours: list[float] = []
    plain: list[float] = []
    for _ in range(extent.rounds):
        for taken, act in (
            (ours, lambda: desk.place(instrument, "buy", 1, price=price, type="fak")),
            (plain, lambda: stream.publish(PLAIN_SUBJECT, intent)),
        ):
            for _ in range(extent.orders):
                started = time.perf_counter()
                await act()
                taken.append(time.perf_counter() - started)
    await nc.close()
    return latencies(ours), latencies(plain)


async def _throughput(desks: list[Desk], instrument: str, price: Decimal, seconds: float) -> Figures:
    taken: list[float] = []
    failed = 0
    ends = time.perf_counter() + seconds

    async def trade(desk: Desk) -> None:
        nonlocal failed
        while (started := time.perf_counter()) < ends:
            try:
                await desk.place(instrument, "buy", 1, price=price, type="fak")
            except AegisError:
                failed += 1
            else:
                taken.append(time.perf_counter() - started)

    began = time.perf_counter()
    await asyncio.gather(*(trade(desk) for desk in desks for _ in range(8)))
    rate = len(taken) / (time.perf_counter() - began)
    return {"rate_per_s": rate, **latencies(taken), "failed": failed}


async def market(transport: NatsTransport, desks: list[Desk]) -> tuple[str, Decimal]:
    """An instrument that ticks, with a price below all that happens to it; returns when every account trades."""
    asked = InstrumentsRequest(exchange="SHFE", product="rb", kind="future")
    found = (await _until(lambda: Client(transport).call(INSTRUMENTS, asked))).instruments[1].instrument
    last = None
    async with desks[0].ticks(found) as ticks:
        while last is None:
            last = (await anext(ticks)).last_price
    price = Decimal(int(last * 0.985))
    for desk in desks:
        await _until(lambda desk=desk: desk.place(found, "buy", 1, price=price, type="fak"))
    return found, price


async def _until(call: Callable[[], Awaitable[Value]]) -> Value:
    """What it returns once it does not fail any more."""
    async with asyncio.timeout(_START_S):
        while True:
            try:
                return await call()
            except AegisError:
                await asyncio.sleep(_AGAIN_S)


async def with_settings(transport: NatsTransport, accounts: list[str]) -> None:
    bucket = KeyValue(transport, "aegis_config")
    await _until(lambda: bucket.ensure())
    for account in accounts:
        await bucket.put(risk_name(account), json.dumps(_RISK).encode())


@asynccontextmanager
async def desk_processes(server: EmbeddedServer, accounts: list[str], nodes: int) -> AsyncGenerator[TradingDesk]:
    """Market data, the paper venue and trading instances as processes; gone afterwards."""
    with TemporaryDirectory(prefix="aegis-bench-") as directory:
        file = Path(directory) / "accounts.toml"
        file.write_text("".join(f'[accounts.{name}]\nenv = "paper"\n' for name in accounts))
        way_in = _way_in(server, nodes)
        balances = ",".join(f"{name}=100000000" for name in accounts)
        programs: list[tuple[str, Mapping[str, str]]] = [
            ("aegis.marketdata", {"AEGIS_INSTANCE": "marketdata-1"}),
            ("aegis.paper", {"AEGIS_PAPER_ACCOUNTS": balances, "AEGIS_PAPER_TICKS": "sim"}),
        ]
        trading: dict[str, asyncio.subprocess.Process] = {}

        async def start() -> None:
            name = f"trading-{len(trading) + 1}"
            settings = {"AEGIS_ACCOUNTS": str(file), "AEGIS_INSTANCE": name}
            trading[name] = await started("aegis.trading", {**way_in, **settings})

        processes = [await started(module, {**way_in, **settings}) for module, settings in programs]
        try:
            for _ in range(_INSTANCES):
                await start()
            yield TradingDesk(trading, start)
        finally:
            for process in (*processes, *trading.values()):
                if process.returncode is None:
                    process.kill()
                await process.wait()


def _way_in(server: EmbeddedServer, nodes: int) -> Mapping[str, str]:
    user = server.credentials
    return {
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": user.user,
        "AEGIS_NATS_PASSWORD": user.password,
        "AEGIS_NATS_REPLICAS": str(nodes),
    }


async def started(module: str, settings: Mapping[str, str]) -> asyncio.subprocess.Process:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module), stdin=quiet, stdout=quiet, stderr=quiet, env={**ours, **settings}
    )
