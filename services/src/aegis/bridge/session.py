"""A gateway's connection to a desk, from connect to close: everything in the bridge's loop.

First the contracts, then the account as it is, then ticks and what changes, and orders from then on. When the
connection was lost, the account as it is comes again, and orders in doubt are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from vnpy.trader.object import (  # pyright: ignore[reportMissingImports]  # where CTP is not built
    BaseData,
    LogData,
    OrderData,
)

from aegis.bridge.market import contract_of, tick_of
from aegis.bridge.ordering import Ordering
from aegis.bridge.pacing import Pacer
from aegis.bridge.settings import BridgeSettings
from aegis.bridge.telling import ERROR, WARNING, Teller
from aegis.bridge.ticking import Ticking
from aegis.contracts.market import Tick
from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest, InstrumentView
from aegis.desk import Desk, Snapshot
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.transport import ConnectionState
from aegis_sdk.transport_nats import NatsTransport

__all__ = ["Hearer", "Session"]

INFO: Final = 20
_RETRY_S: Final = 0.5
_REFRESH_S: Final = 2.0
"""Profits move with the market, and no event tells that: they are asked for, as vnpy's own CTP gateway does."""

Hearer = Callable[[BaseData], None]


class Session:
    """`hear` is given what vnpy is to be told; `mark` puts a mark into its event engine, see `pacing`.

    `teller` knows what vnpy was told before. All of its methods are called in the bridge's loop; `is_ready` any thread
    may read.
    """

    def __init__(
        self, name: str, settings: BridgeSettings, teller: Teller, hear: Hearer, mark: Callable[[], None]
    ) -> None:
        self._name = name
        self._settings = settings
        self._hear = hear
        self._teller = teller
        self._names: dict[str, str] = {}  # of the contracts
        self._pacer = Pacer(self._hand_over, mark)
        self._ticking = Ticking(f"vnpy-{settings.account}", self._offer, self._say)
        self._desk: Desk | None = None
        self._stop = asyncio.Event()
        self._calls: set[asyncio.Task[None]] = set()
        self._ordering = Ordering(teller, hear, self._say)
        self._placing: dict[str, asyncio.Task[None]] = {}
        self._following: asyncio.Timeout | None = None
        self._new_day = asyncio.Event()
        self._lagged_at = 0  # ticks that were conflated when that was logged last
        self.is_ready = False  # the account was told

    async def run(self) -> None:
        """Until `stop`. Calls under way may then end, each by its own deadline."""
        serving = asyncio.create_task(self._serve(), name="bridge")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self.is_ready = False
        if self._calls:
            await asyncio.wait(self._calls, timeout=self._settings.timeout_s)
        left = {serving, stopped, *self._calls}
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error

    def stop(self) -> None:
        self._stop.set()

    # What vnpy asks for

    def want(self, instruments: Iterable[str]) -> None:
        self._ticking.want(instruments)

    def passed(self) -> None:
        """A mark has come back."""
        self._pacer.passed()
        left_out = self._pacer.conflated - self._lagged_at
        if left_out and not self._pacer.waiting:
            self._lagged_at = self._pacer.conflated
            self._say(
                f"the event engine was late; ticks left out for later ones of their contract: {left_out}", WARNING
            )

    def place(self, order: OrderData, arguments: dict[str, Any]) -> None:
        if self._stop.is_set():
            self._ordering.refuse(order, "the gateway was closed")
            return
        assert self._desk is not None
        name = order.orderid
        self._teller.sent(name, order.reference)
        task = self._placing[name] = self._begin(self._ordering.place(self._desk, order, arguments))
        task.add_done_callback(lambda _: self._placing.pop(name, None))

    def cancel(self, client_order_id: str) -> None:
        self._begin(self._cancel(client_order_id))

    def ask_account(self) -> None:
        self._begin(self._ask("the account", self._tell_account))

    def ask_positions(self) -> None:
        self._begin(self._ask("positions", self._tell_positions))

    async def _cancel(self, client_order_id: str) -> None:
        """Behind the order itself, where that is still on its way."""
        assert self._desk is not None
        placing = self._placing.get(client_order_id)
        if placing is not None:
            await asyncio.wait({placing})
        await self._ordering.cancel(self._desk, client_order_id)

    # Queries

    async def _ask(self, what: str, tell: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
        assert self._desk is not None
        try:
            await tell(self._desk)
        except AegisError as error:
            self._say(f"{what} cannot be asked for: {error}", WARNING)

    async def _tell_account(self, desk: Desk) -> None:
        self._tell(self._teller.asked_account(await desk.account()))

    async def _tell_positions(self, desk: Desk) -> None:
        self._tell(self._teller.asked_positions(await desk.positions()))

    # From connect to close

    async def _serve(self) -> None:
        nats = self._settings.nats
        transport = await self._until(
            lambda: NatsTransport.connect(
                nats.nats_url, user=nats.nats_user, password=nats.nats_password.get_secret_value(), name="vnpy"
            ),
            "NATS cannot be reached",
        )
        end_listening = transport.on_state(self._on_state)
        try:
            self._say("connected to NATS")
            desk = Desk.over(transport, self._settings.account, self._settings.timeout_s)
            self._desk = await self._until(desk.__aenter__, "the desk has no configuration")
            await self._tell_contracts(transport)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow(desk))
                group.create_task(self._ordering.clear_up(desk, self._settings.timeout_s))
                group.create_task(self._ticking.run(transport))
                group.create_task(self._refresh(desk))
                group.create_task(self._renew_contracts(transport))
        finally:
            end_listening()
            await transport.close()

    async def _until(self, what: Callable[[], Coroutine[Any, Any, Any]], problem: str) -> Any:
        """Its result, as soon as it has one; the first failure is logged."""
        failed = False
        while True:
            try:
                return await what()
            except AegisError as error:
                if not failed:
                    self._say(f"{problem}, tried again until it works: {error}", WARNING)
                failed = True
                await asyncio.sleep(_RETRY_S)

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.RECONNECTING:
            self._say("the connection to NATS is lost; it is made again", WARNING)
        elif state is ConnectionState.CONNECTED:
            self._say("the connection to NATS is back")
            self._ticking.wish_anew()
            if self._following is not None:
                self._following.reschedule(asyncio.get_running_loop().time())  # hence a TimeoutError there
                self._following = None

    async def _tell_contracts(self, transport: NatsTransport) -> None:
        views: list[InstrumentView] = await self._until(lambda: _listed(Client(transport)), "contracts are not known")
        told = 0
        for view in views:
            contract = contract_of(view, self._name)
            if contract is not None:
                self._teller.multipliers[view.instrument] = contract.size
                self._names[view.instrument] = contract.name
                self._hear(contract)
                told += 1
        self._say(f"contracts: {told}; not for vnpy: {len(views) - told}")

    async def _renew_contracts(self, transport: NatsTransport) -> None:
        while True:
            await self._new_day.wait()
            self._new_day.clear()
            await self._tell_contracts(transport)
            self._ticking.wish_anew()

    async def _follow(self, desk: Desk) -> None:
        failed = False
        while True:
            try:
                async with asyncio.timeout(None) as self._following, desk.follow() as changes:
                    async for change in changes:
                        day = self._teller.trading_day
                        if isinstance(change, Snapshot):
                            self._tell(self._teller.state(change))
                            self._told_state(change)
                            failed = False
                        else:
                            self._tell(self._teller.changed(change))
                        if day and day != self._teller.trading_day:
                            self._new_day.set()
            except (AegisError, TimeoutError) as error:
                if not failed and isinstance(error, AegisError):
                    self._say(f"the account cannot be followed, tried again until it works: {error}", WARNING)
                    failed = True
            self._following = None
            await asyncio.sleep(_RETRY_S)

    def _told_state(self, now: Snapshot) -> None:
        self.is_ready = True
        account = now.account
        armed = "" if account.armed else ", disarmed"
        self._say(f"account {account.account} ({account.env}) on {account.trading_day}: {account.mode}{armed}")

    async def _refresh(self, desk: Desk) -> None:
        """Failures are left to `_follow`, which meets and logs them too."""
        tellings: Sequence[Callable[[Desk], Coroutine[Any, Any, None]]] = (self._tell_account, self._tell_positions)
        number = 0
        while True:
            await asyncio.sleep(_REFRESH_S)
            number += 1
            try:
                if self.is_ready:
                    await tellings[number % 2](desk)
            except AegisError:
                continue

    # To vnpy

    def _offer(self, tick: Tick) -> None:
        self._pacer.offer(tick)

    def _hand_over(self, tick: Tick) -> None:
        instrument = str(tick.instrument_id)
        told = tick_of(tick, self._names.get(instrument, tick.symbol), self._name)
        self._ordering.limits[instrument] = told.limit_down, told.limit_up
        self._hear(told)

    def _tell(self, found: Iterable[BaseData]) -> None:
        for data in found:
            self._hear(data)

    def _say(self, text: str, level: int = INFO) -> None:
        self._hear(LogData(msg=text, level=level, gateway_name=self._name))

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._calls.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._say(f"a request failed: {error!r}", ERROR)


async def _listed(client: Client) -> list[InstrumentView]:
    """All contracts."""
    found: list[InstrumentView] = []
    after = ""
    while True:
        page = await client.call(INSTRUMENTS, InstrumentsRequest(after=after))
        found += page.instruments
        after = page.next
        if not after:
            return found
