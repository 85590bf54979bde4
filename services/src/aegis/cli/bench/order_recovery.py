"""What of `aegis bench orders` is about instances that die: takeovers under orders, and an account that is replayed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from math import inf
from typing import Final, NamedTuple

from aegis.cli.bench.figures import Case, Figures, latencies, latencies_ms
from aegis.contracts.trading import SERVICE
from aegis.desk import Desk
from aegis.trading.keys import KeyState
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import AegisError
from aegis_sdk.instances import InstanceStatus
from aegis_sdk.ledger.ledger import Ledger
from aegis_sdk.single_active.tails import Tails
from aegis_sdk.transport_nats import NatsTransport

__all__ = ["Flow", "TradingDesk", "both_ready", "replay", "takeover"]

_DEADLINE_S: Final = 60.0
_AGAIN_S: Final = 0.02
_UNDER_WAY: Final = 8
_FLOW_S: Final = 1.0
_AT_ONCE: Final = 16


class TradingDesk(NamedTuple):
    """Trading instances as processes, by name; dead ones are among them. `start` adds another one."""

    trading: dict[str, asyncio.subprocess.Process]
    start: Callable[[], Awaitable[None]]


async def takeover(
    transport: NatsTransport, running: TradingDesk, desks: Sequence[Desk], instrument: str, price: Decimal, rounds: int
) -> Case:
    """From the kill of an instance until each account that it held has answered an order asked for behind it.

    Every account has 8 orders under way meanwhile, one after the other. `lost`: answered orders that the account does
    not have afterwards.
    """
    taken: list[float] = []
    failed = lost = 0
    for _ in range(rounds):
        held = await both_ready(transport, running)
        flows = {desk.account_name: Flow(desk, instrument, price) for desk in desks}
        tasks = [asyncio.create_task(flow.run()) for flow in flows.values() for _ in range(_UNDER_WAY)]
        await asyncio.sleep(_FLOW_S)
        holder = next(instance for instance, keys in held.items() if desks[0].account_name in keys)
        running.trading[holder].kill()
        killed = time.perf_counter()
        async with asyncio.timeout(_DEADLINE_S):
            answers = [flows[key].answered_behind(killed) for key in held[holder] & flows.keys()]
            taken += [answered - killed for answered in await asyncio.gather(*answers)]
        for flow in flows.values():
            flow.stops = True
        await asyncio.gather(*tasks)
        for desk in desks:
            known = {order.client_order_id for order in await desk.orders()}
            lost += len(flows[desk.account_name].names - known)
        failed += sum(flow.failed for flow in flows.values())
        await running.start()
    return Case("takeover", {**latencies_ms(taken), "failed": failed, "lost": lost}, bars={"lost": 0})


class Flow:
    """Orders of an account, one after the other, until `stops`, or `most` were answered."""

    def __init__(self, desk: Desk, instrument: str, price: Decimal, most: float = inf) -> None:
        self._desk = desk
        self._order = (instrument, price)
        self._most = most
        self._awaited: tuple[float, asyncio.Future[float]] | None = None
        self.names: set[str] = set()  # of those that were answered
        self.failed = 0
        self.stops = False

    async def run(self) -> None:
        instrument, price = self._order
        while not self.stops and len(self.names) < self._most:
            begun = time.perf_counter()
            try:
                (order,) = await self._desk.place(instrument, "buy", 1, price=price, type="fak")
            except AegisError:
                self.failed += 1
                await asyncio.sleep(_AGAIN_S)
                continue
            self.names.add(order.client_order_id)
            if self._awaited is not None and begun >= self._awaited[0] and not self._awaited[1].done():
                self._awaited[1].set_result(time.perf_counter())

    def answered_behind(self, moment: float) -> asyncio.Future[float]:
        """When the first order that was asked for behind that moment had its answer."""
        self._awaited = moment, asyncio.get_running_loop().create_future()
        return self._awaited[1]


async def replay(
    transport: NatsTransport,
    running: TradingDesk,
    desks: Sequence[Desk],
    instrument: str,
    price: Decimal,
    *,
    replicas: int,
    history: int,
    orders: int,
) -> Case:
    """An account with a history of orders, against one with few, after all instances were killed and one was started.

    `first_order_ms`: from when that one is listed as ready to the answer of an order: election, the journal read from
    NATS and replayed, and the comparison with the venue are in it. `replay_ms`: of that the journal alone, from NATS to
    the state, in a process of its own. `orders`: that the account has in the end; `failed`: calls that ended with an
    error while they were made. The rest is one order after the other: an account of many orders stores all of them with
    each snapshot.
    """
    full, few = desks[0], desks[-1]

    flow = Flow(full, instrument, price, most=history - len(await full.orders()))
    await asyncio.gather(*(flow.run() for _ in range(_AT_ONCE)))
    for process in running.trading.values():
        if process.returncode is None:
            process.kill()
            await process.wait()
    replays = [await _replayed_ms(transport, replicas, desk.account_name) for desk in (full, few)]
    await running.start()
    newest = list(running.trading)[-1]
    async with Directory.open(transport) as directory:
        await directory.wait_for(lambda known: newest in _ready(known), _DEADLINE_S)
    began = time.perf_counter()

    async def first(desk: Desk) -> float:
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                try:
                    await desk.place(instrument, "buy", 1, price=price, type="fak")
                    return (time.perf_counter() - began) * 1e3
                except AegisError:
                    await asyncio.sleep(_AGAIN_S)

    firsts = await asyncio.gather(first(full), first(few))
    figures = [await _paced(desk, instrument, price, orders) for desk in (full, few)]
    ours, plain = [
        {"replay_ms": replayed, "first_order_ms": took, "orders": float(len(await desk.orders())), **paced}
        for replayed, took, desk, paced in zip(replays, firsts, (full, few), figures, strict=True)
    ]
    ours["failed"] = flow.failed
    note = "plain is an account with few orders, replayed in the same moment"
    return Case("replay", ours, plain, note=note, bars={"replay_ms": 1000, "failed": 0})


async def _replayed_ms(transport: NatsTransport, replicas: int, account: str) -> float:
    """From knowing nothing: read the journals of all keys, as an instance does, and apply that of one account."""
    began = time.perf_counter()
    epochs: dict[str, int] = {}
    ledger = await Ledger.open(transport, SERVICE, replicas=replicas)
    tails = Tails(transport, ledger, lambda read: epochs.update({read.key: read.sequence}), lambda *_: None)
    reading = asyncio.create_task(tails.run())
    try:
        await tails.caught_up()
        journal = await tails.journal(account, epochs[account])
    finally:
        reading.cancel()
        await asyncio.wait([reading])
    state = KeyState(account, [account], journal.snapshot, lambda _: {}, lambda *_: None)
    for change in journal.changes:
        state.apply(change)
    return (time.perf_counter() - began) * 1e3


async def _paced(desk: Desk, instrument: str, price: Decimal, count: int) -> Figures:
    taken: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await desk.place(instrument, "buy", 1, price=price, type="fak")
        taken.append(time.perf_counter() - began)
    return latencies(taken)


async def both_ready(transport: NatsTransport, running: TradingDesk) -> dict[str, set[str]]:
    """The keys that each living instance holds, once all accounts are held and another instance stands by."""
    alive = {name for name, process in running.trading.items() if process.returncode is None}
    found: dict[str, set[str]] = {}

    def is_whole(known: Directory) -> bool:
        nonlocal found
        found = _ready(known)
        return alive == found.keys() and len(alive) > 1 and any(found.values())

    async with Directory.open(transport) as directory:
        await directory.wait_for(is_whole, _DEADLINE_S)
    return found


def _ready(known: Directory) -> dict[str, set[str]]:
    return {
        one.record.instance: set(one.record.keys)
        for one in known.instances(SERVICE)
        if one.record.status is not InstanceStatus.STARTING
    }
