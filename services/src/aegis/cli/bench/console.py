"""`aegis bench console`: what many open consoles get and cost, and what an order costs beside them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import msgspec

from aegis.cli.bench.console_clients import Crowd
from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.orders import desk_processes, market, started, with_settings
from aegis.contracts.market import Level, Tick
from aegis.contracts.tick_codec import MSGPACK
from aegis.desk import Desk
from aegis.marketdata.adapters.bus.stream import ticks_stream
from aegis_sdk import subjects
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.transport_nats import NatsTransport

_INSTRUMENTS: Final = 800
_EXCHANGES: Final = ("SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX")
_PER_S: Final = 2
_SLICES: Final = 20
"""So often a second some of the instruments tick."""
_CONSOLES: Final = 50
_USERS: Final = 21
_FOR: Final = timedelta(days=1)
_DEAF: Final = 10
_START_S: Final = 180.0
_BARS: Final = {"p99_ms": 300.0, "worst_tab_p50_ms": 300.0, "silent_tabs": 0.0, "server_grown_mb": 16.0}
"""Of the tabs. What is made for one that takes nothing would be some ten MB a second of ten of them."""
_ORDER_BARS: Final = {"p99_us": 1.2}
_PAGE: Final = ("instances", "leases", "beats", "metrics", "feeds")


class Extent(NamedTuple):
    """How much is measured."""

    tabs: int  # beside those that take nothing
    seconds: float
    rounds: int  # of orders
    orders: int  # one after the other, in each round


class Management(NamedTuple):
    """A management service, and the API tokens of some viewers."""

    address: str
    tokens: list[str]
    pid: int


SHORT: Final = Extent(200, 10.0, 5, 60)
LONG: Final = Extent(200, 30.0, 15, 100)


async def bench_console(server: EmbeddedServer, *, extent: Extent, say: Callable[[str], None]) -> Report:
    """What the tabs get, and in case order one order after the other beside 50 of them, `plain` without any."""
    say("the management service starts")
    async with _management(server) as management:
        cases = await _watched(server, management, extent, say)
        return Report("console", [*cases, await _orders(server, management, extent, say)])


async def bench_tabs(server: EmbeddedServer, *, extent: Extent, say: Callable[[str], None]) -> Report:
    """800 instruments, each of which ticks twice a second, and tabs, besides some that take nothing.

    Case exchange: each tab follows the instruments of one exchange. Case everything: each follows all. The age of a
    message is that of its oldest tick, from the publisher to the tab.
    """
    async with _management(server) as management:
        return Report("console", await _watched(server, management, extent, say))


async def _watched(
    server: EmbeddedServer, management: Management, extent: Extent, say: Callable[[str], None]
) -> list[Case]:
    cases: list[Case] = []
    transport = await _connected(server)
    await transport.ensure_stream(ticks_stream())
    ticking = asyncio.create_task(_tick(transport))
    try:
        for name, of_each in (("exchange", _EXCHANGES), ("everything", ("*",))):
            topics = [[*_PAGE, f"ticks.{of_each[number % len(of_each)]}.*"] for number in range(extent.tabs + _DEAF)]
            crowd = Crowd(management.address, management.tokens, topics, deaf=_DEAF)
            say(f"{name}: {len(topics)} tabs are opened")
            cases.append(Case(name, await _measured(crowd, management.pid, extent.seconds, say), bars=_BARS))
    finally:
        ticking.cancel()
        await asyncio.wait({ticking})
        await transport.close()
    return cases


async def _measured(crowd: Crowd, pid: int, seconds: float, say: Callable[[str], None]) -> Figures:
    opening = time.monotonic()
    async with _tabs(crowd, say) as tabs:
        opened: Figures = {"opened_s": time.monotonic() - opening}
        say(f"{seconds:g} s are measured")
        used_s, resident, began = _cpu_s(pid), _resident_mb(pid), time.monotonic()
        await asyncio.sleep(seconds)
        passed = time.monotonic() - began
        own: Figures = {"server_cpu": (_cpu_s(pid) - used_s) / passed, "server_mb": _resident_mb(pid)}
        grown = {"server_grown_mb": own["server_mb"] - resident}
        assert tabs.stdin
        tabs.stdin.close()
        assert tabs.stdout
        return {**json.loads(await tabs.stdout.readline()), **own, **grown, **opened}


async def _orders(server: EmbeddedServer, management: Management, extent: Extent, say: Callable[[str], None]) -> Case:
    taken: dict[bool, list[float]] = {True: [], False: []}
    crowd = Crowd(management.address, management.tokens, [[*_PAGE, "ticks.*.*", "orders.B0"]] * _CONSOLES)
    async with AsyncExitStack() as stack:
        transport = await _connected(server)
        stack.push_async_callback(transport.close)
        await stack.enter_async_context(desk_processes(server, ["B0"], 1))
        await with_settings(transport, ["B0"])
        desk = await stack.enter_async_context(Desk.over(transport, "B0"))
        instrument, price = await market(transport, [desk])
        for number in range(1, extent.rounds + 1):
            say(f"order: round {number} of {extent.rounds}")
            for is_watched in (True, False):
                async with AsyncExitStack() as watched:
                    if is_watched:
                        await watched.enter_async_context(_tabs(crowd, say))
                    taken[is_watched] += await _placed(desk, instrument, price, extent.orders)
    note = f"{_CONSOLES} tabs; plain: none"
    return Case("order", latencies(taken[True]), latencies(taken[False]), note, ratio_bars=_ORDER_BARS)


async def _placed(desk: Desk, instrument: str, price: Decimal, count: int) -> list[float]:
    taken: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await desk.place(instrument, "buy", 1, price=price, type="fak")
        taken.append(time.perf_counter() - began)
    return taken


# What ticks


async def _tick(transport: NatsTransport) -> None:
    names = [(_EXCHANGES[number % len(_EXCHANGES)], f"x{number}") for number in range(_INSTRUMENTS)]
    slices = [names[number :: _SLICES // _PER_S] for number in range(_SLICES // _PER_S)]
    loop, sequence, due = asyncio.get_running_loop(), 0, asyncio.get_running_loop().time()
    while True:
        for one in slices:
            sequence += 1
            transport.publish_many([_ticked(*name, sequence) for name in one], MSGPACK.headers)
            due += 1 / _SLICES
            await asyncio.sleep(due - loop.time())


def _ticked(exchange: str, symbol: str, sequence: int) -> tuple[str, bytes]:
    now, price = time.time_ns(), 3_000.0 + sequence % 100
    levels = tuple(Level(price + step, 10 + step) for step in range(5))
    given: dict[str, Any] = dict.fromkeys(Tick.__struct_fields__, price)
    given |= {"env": "sim", "feed": "bench", "source": "bench", "session": "1", "epoch": 1, "sequence": sequence}
    given |= {"exchange": exchange, "symbol": symbol, "trading_day": "20261127", "action_day": "20261127"}
    given |= {"ts_exchange_ns": now, "ts_received_ns": now, "volume": sequence, "volume_delta": 1}
    given |= {"bids": levels, "asks": levels, "flags": ()}
    return subjects.tick(exchange, symbol), MSGPACK.encode(Tick(**given))


# Processes


async def _connected(server: EmbeddedServer) -> NatsTransport:
    user = server.credentials
    return await NatsTransport.connect(server.urls, user=user.user, password=user.password)


@asynccontextmanager
async def _management(server: EmbeddedServer) -> AsyncGenerator[Management]:
    user = server.credentials
    with TemporaryDirectory(prefix="aegis-bench-") as directory:
        note = Path(directory) / "note"
        settings = {
            "AEGIS_NATS_URL": ",".join(server.urls),
            "AEGIS_NATS_USER": user.user,
            "AEGIS_NATS_PASSWORD": user.password,
            "AEGIS_MANAGEMENT_PORT": "0",
            "AEGIS_MANAGEMENT_NOTE": str(note),
        }
        process = await started("aegis.management", settings)
        try:
            async with asyncio.timeout(_START_S):
                while not note.exists():  # noqa: ASYNC110 (it is a file)
                    await asyncio.sleep(0.1)
            told: dict[str, str] = msgspec.json.decode(note.read_bytes())
            yield Management(told["address"], await _signed_up(server), process.pid)
        finally:
            process.kill()
            await process.wait()


async def _signed_up(server: EmbeddedServer) -> list[str]:
    """Tokens of so many viewers that none has more tabs than a user may have."""
    from aegis.management.access.roles import Role
    from aegis.management.access.tokens import ApiToken, Tokens
    from aegis.management.access.users import User, Users

    transport = await _connected(server)
    users, tokens, made = Users(transport), Tokens(transport), list[str]()
    now, end = datetime.now(UTC), datetime.now(UTC) + _FOR
    at: dict[str, Any] = {"created_at": now, "changed_at": now}
    for number in range(_USERS):
        user = User(name=f"bench-{number}", role=Role.VIEWER, password_hash="", must_change=False, **at)
        await users.create(user)
        token = ApiToken(name="bench", user=user.name, user_id=user.id, role=user.role, created_at=now, ends_at=end)
        made.append((await tokens.create(token))[0])
    await transport.close()
    return made


@asynccontextmanager
async def _tabs(crowd: Crowd, say: Callable[[str], None]) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The tabs, each with its snapshots, in a process of their own."""
    pipe = asyncio.subprocess.PIPE
    module = ("-m", "aegis.cli.bench.console_clients")
    process = await asyncio.create_subprocess_exec(sys.executable, *module, stdin=pipe, stdout=pipe)
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(msgspec.json.encode(crowd) + b"\n")
        served, all_of_them = 0, len(crowd.topics)
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                while served < all_of_them and (line := await process.stdout.readline()):
                    served = int(line)
                    say(f"{served} of {all_of_them} tabs have what they follow")
        if served < all_of_them:
            raise RuntimeError(f"only {served} of {all_of_them} tabs were served within {_START_S:g} s")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096 / 1e6
