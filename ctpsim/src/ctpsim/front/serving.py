"""A counter put together and run: the only place that knows all of its parts."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import structlog

from aegis.contracts.market import Quote
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import to_shanghai
from ctpsim import installed
from ctpsim.access import Access, UserAccess
from ctpsim.front.client import Client
from ctpsim.front.commands import Commands
from ctpsim.front.control_port import ControlPort
from ctpsim.front.counter import Counter
from ctpsim.front.market_side import MarketSide
from ctpsim.front.ports import FrontPorts
from ctpsim.front.queries import Queries
from ctpsim.front.statuses import Statuses
from ctpsim.front.trader_side import TraderSide
from ctpsim.front.trading import Trading
from ctpsim.headers import Layout
from ctpsim.market.clock import Always, CounterClock, FrontState, Hours
from ctpsim.market.depth import Depth
from ctpsim.market.kept_time import keep_time, resumed
from ctpsim.market.load import LoadMarket
from ctpsim.market.ports import Market
from ctpsim.market.replay import ReplayMarket
from ctpsim.market.simulated import SimulatedMarket
from ctpsim.options import ServeOptions, moment_ns, random_user

__all__ = ["Serving"]

_log = structlog.get_logger("ctpsim")
_LOOK_S: Final = 0.02
_LOAD_RATE: Final = 5000.0
_READ_FAILED: Final = 0x1001


class Serving:
    """A running counter; a context manager. `access` is known once entered."""

    access: Access

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._layout = installed.layout()
        self._depth = Depth(self._layout, _multiplier)
        self._clock = _clock(options)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Serving:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        options = self._options
        market = await _market(options, self._layout, self._depth, self._clock)
        users = list(options.users) or [random_user()]
        self._counter = Counter(self._layout, market, users, options.limits, self._clock.front)
        recording = None if options.record is None else stack.enter_context(options.record.open("x"))
        self._market_side = MarketSide(self._counter, self._depth, recording)
        self._trader_side = TraderSide(self._counter)
        self._trading = Trading(self._counter, self._trader_side)
        self._statuses = Statuses(self._counter, self._trader_side)
        queries = Queries(self._counter, self._trader_side, self._trading.queries())
        for fault in options.faults:
            self._counter.faults.set(fault)
        ports = FrontPorts(self._counter, _numbers(options), {"M": self._market_client, "T": self._trader_client})
        commands = Commands(self._counter, self._market_side, ports, self._clock, self._trading)
        token = secrets.token_urlsafe(24)
        control = ControlPort(token, commands)
        stack.push_async_callback(queries.close)
        stack.push_async_callback(ports.close)
        stack.push_async_callback(control.close)
        await ports.start()
        await control.start()
        parts = {"market": market.run(_Hall(self._market_side, self._trading)), "hours": self._keep_hours()}
        if isinstance(self._clock, Always):
            parts["time"] = keep_time(options.directory, self._clock)
        for name, work in parts.items():
            task = asyncio.create_task(_loudly(name, work), name=name)
            stack.push_async_callback(_end, task)
        self.access = _access(ports, users, control.port, token)

    def _market_client(self, front: int) -> Client:
        side = self._market_side
        return Client("M", front, side.connected, side.requested, side.lost)

    def _trader_client(self, front: int) -> Client:
        side = self._trader_side
        return Client("T", front, side.connected, side.requested, side.lost)

    async def _keep_hours(self) -> None:
        """Drop everybody when the front closes, and who trades when the trading day ends: it has to log in anew."""
        market = self._counter.market
        state, day = self._clock.front(), market.trading_day()
        while True:
            self._statuses.look()
            await asyncio.sleep(_LOOK_S)
            before, state = state, self._clock.front()
            earlier, day = day, market.trading_day()
            if state is not before:
                _log.info("front_changed", state=state.value, trading_day=day)
            closed = state is FrontState.CLOSED and before is not FrontState.CLOSED
            jumped = state is FrontState.STARTING and before is FrontState.OPEN
            if closed or jumped:
                self._counter.drop("M", _READ_FAILED)
            if closed or jumped or day != earlier:
                self._trading.settle()
                self._counter.drop("T", _READ_FAILED)


class _Hall:
    """Everybody who hears the market: clients first, then the orders that wait."""

    def __init__(self, market_side: MarketSide, trading: Trading) -> None:
        self._trading = trading
        self._market_side = market_side
        self.publish_frames = market_side.publish_frames
        self.room = market_side.room

    def publish(self, quotes: Sequence[Quote]) -> None:
        self._market_side.publish(quotes)
        self._trading.publish(quotes)


async def _loudly(name: str, work: Coroutine[Any, Any, None]) -> None:
    """Clients see only that nothing happens any more; why is in the log."""
    try:
        await work
    except Exception as error:
        _log.exception("part_failed", part=name, reason=repr(error))


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


def _numbers(options: ServeOptions) -> list[tuple[int, int]]:
    ports = options.ports or (0,) * (2 * options.fronts)
    return list(zip(ports[::2], ports[1::2], strict=True))


def _clock(options: ServeOptions) -> CounterClock:
    if options.begin:
        return Hours(moment_ns(options.begin), options.speed, options.calendar)
    today, _, _ = to_shanghai(time.time_ns())
    return resumed(options.directory, day=options.day, today=today, speed=options.speed, calendar=options.calendar)


async def _market(options: ServeOptions, layout: Layout, depth: Depth, clock: CounterClock) -> Market:
    if options.path is not None:
        return await ReplayMarket.opened(options.path, options.speed)
    if options.market == "load":
        return LoadMarket(
            layout,
            depth,
            clock,
            universe=options.universe,
            instruments=options.instruments,
            rate=options.rate or _LOAD_RATE,
        )
    return SimulatedMarket(clock, universe=options.universe, seed=options.seed, rate=options.rate)


def _access(ports: FrontPorts, users: Sequence[Any], control_port: int, token: str) -> Access:
    return Access(
        pid=os.getpid(),
        fronts=ports.addresses,
        users=tuple(
            UserAccess(
                broker_id=user.broker_id,
                user_id=user.user_id,
                password=user.password,
                app_id=user.app_id,
                auth_code=user.auth_code,
            )
            for user in users
        ),
        libraries=str(installed.libraries()),
        locale=str(installed.locale_directory()),
        control_port=control_port,
        token=token,
    )


def _multiplier(exchange: str, symbol: str) -> float:
    product = product_of(exchange, symbol)
    return float(product.multiplier) if product else 1.0
