"""`AegisGateway`: what vnpy calls, from any of its threads, and what calls vnpy.

Each connection has a thread of its own with an event loop; its methods put requests into that and return at once.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from copy import copy
from datetime import datetime
from itertools import count
from typing import Any, Final, cast

from vnpy.event import Event, EventEngine  # pyright: ignore[reportMissingImports]  # where CTP is not built
from vnpy.trader.constant import Status  # pyright: ignore[reportMissingImports]
from vnpy.trader.gateway import BaseGateway  # pyright: ignore[reportMissingImports]
from vnpy.trader.object import (  # pyright: ignore[reportMissingImports]
    AccountData,
    BaseData,
    CancelRequest,
    ContractData,
    LogData,
    OrderData,
    OrderRequest,
    PositionData,
    SubscribeRequest,
    TickData,
    TradeData,
)

from aegis.bridge.session import Session
from aegis.bridge.settings import DEFAULTS, BridgeSettings
from aegis.bridge.telling import ERROR, WARNING, Teller
from aegis.bridge.words import EXCHANGES, SHANGHAI, instrument_of, order_arguments
from aegis_sdk.errors import ConfigurationError

__all__ = ["AegisGateway"]

_CLOSE_S: Final = 10.0
"""Beyond the deadline of calls under way, for everything else to end."""


class AegisGateway(BaseGateway):
    """A desk's market data and one account of it, for vnpy's MainEngine."""

    default_name = "AEGIS"
    default_setting = DEFAULTS
    exchanges = list(EXCHANGES.values())  # noqa: RUF012  # as vnpy declares it

    def __init__(self, event_engine: EventEngine, gateway_name: str) -> None:
        super().__init__(event_engine, gateway_name)
        self._lock = threading.Lock()
        self._bridge: _Bridge | None = None
        self._wanted: dict[str, None] = {}  # also before connect, and over a close
        self._tellers: dict[tuple[tuple[str, ...], str], Teller] = {}  # of each desk and account, over a close
        self._prefix = secrets.token_hex(6)  # no other gateway has it, nor this one another day
        self._numbers = count(1)
        self._tell: Final[dict[type[BaseData], Callable[[Any], None]]] = {
            TickData: self.on_tick,
            OrderData: self.on_order,
            TradeData: self.on_trade,
            PositionData: self.on_position,
            AccountData: self.on_account,
            ContractData: self.on_contract,
            LogData: self.on_log,
        }

    def connect(self, setting: dict[str, Any]) -> None:
        """Begin; the log and the events tell how it goes on. A gateway that is connected stays as it is."""
        try:
            settings = BridgeSettings.from_vnpy(setting)
        except ConfigurationError as error:
            self._say(f"not connected: {error}", ERROR)
            return
        with self._lock:
            if self._bridge is not None and self._bridge.is_alive:
                self._say("connected already, just connecting, or not closed yet", WARNING)
                return
            of = settings.nats.nats_url, settings.account
            teller = self._tellers.setdefault(of, Teller(self.gateway_name))
            self._bridge = _Bridge(self.gateway_name, settings, teller, self.event_engine, self._hear)
            self._bridge.begin(tuple(self._wanted))

    def close(self) -> None:
        """Return when all is ended; calls under way may take their time for it."""
        bridge = self._bridge  # it stays until it has ended: what vnpy was told is known to one thread at a time
        if bridge is None:
            return
        if not bridge.end():
            self._say("the bridge's thread does not end", ERROR)
            return
        with self._lock:
            if self._bridge is bridge:
                self._bridge = None

    def subscribe(self, req: SubscribeRequest) -> None:
        try:
            instrument = instrument_of(req.symbol, req.exchange)
        except ValueError as error:
            self._say(f"not subscribed: {error}", WARNING)
            return
        with self._lock:
            self._wanted[instrument] = None
            if self._bridge is not None:
                self._bridge.put(lambda session: session.want([instrument]))

    def send_order(self, req: OrderRequest) -> str:
        """Empty where it is certain at once that it cannot be: the log says why."""
        try:
            arguments = order_arguments(req)
        except ValueError as error:
            return self._not_sent(req, str(error))
        bridge = self._bridge
        if bridge is None or not bridge.is_ready:
            return self._not_sent(req, "the account is not known yet: not connected")
        order = req.create_order_data(f"{self._prefix}_{next(self._numbers)}", self.gateway_name)
        order.datetime = datetime.now(SHANGHAI)
        self.on_order(order)
        if not bridge.put(lambda session: session.place(order, arguments)):
            refused = copy(order)
            refused.status = Status.REJECTED
            self.on_order(refused)
            self._not_sent(req, "the gateway was closed")
        return cast(str, order.vt_orderid)

    def cancel_order(self, req: CancelRequest) -> None:
        bridge = self._bridge
        if bridge is None or not bridge.is_ready or not bridge.put(lambda session: session.cancel(req.orderid)):
            self._say(f"not cancelled: {req.orderid}: not connected", WARNING)

    def query_account(self) -> None:
        self._query(lambda session: session.ask_account())

    def query_position(self) -> None:
        self._query(lambda session: session.ask_positions())

    def _query(self, ask: Callable[[Session], None]) -> None:
        bridge = self._bridge
        if bridge is None or not bridge.is_ready or not bridge.put(ask):
            self._say("not asked for: not connected", WARNING)

    def _not_sent(self, req: OrderRequest, why: str) -> str:
        self._say(f"order of {req.vt_symbol} not sent: {why}", WARNING)
        return ""

    def _hear(self, data: BaseData) -> None:
        self._tell[type(data)](data)

    def _say(self, text: str, level: int) -> None:
        self.on_log(LogData(msg=text, level=level, gateway_name=self.gateway_name))


class _Bridge:
    """The thread of one connection."""

    def __init__(
        self,
        name: str,
        settings: BridgeSettings,
        teller: Teller,
        event_engine: EventEngine,
        hear: Callable[[BaseData], None],
    ) -> None:
        self._name = name
        self._event_engine = event_engine
        self._hear = hear
        self._end_s = settings.timeout_s + _CLOSE_S
        self._mark = f"eAegisMark.{name}"
        self._session = Session(name, settings, teller, hear, lambda: event_engine.put(Event(self._mark)))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"bridge {name}", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def is_ready(self) -> bool:
        return self._session.is_ready

    def begin(self, wanted: tuple[str, ...]) -> None:
        self._thread.start()
        self.put(lambda session: session.want(wanted))

    def end(self) -> bool:
        """Whether it has ended within its time."""
        self.put(lambda session: session.stop())
        self._thread.join(self._end_s)
        return not self._thread.is_alive()

    def put(self, request: Callable[[Session], None]) -> bool:
        """Have the loop do it; False where that has ended."""
        try:
            self._loop.call_soon_threadsafe(request, self._session)
        except RuntimeError:  # it is closed
            return False
        return True

    def _run(self) -> None:
        self._event_engine.register(self._mark, self._passed)
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._session.run())
        except Exception as error:
            text = f"the bridge has ended by a mistake of its own: {error!r}"
            self._hear(LogData(msg=text, level=ERROR, gateway_name=self._name))
        finally:
            self._event_engine.unregister(self._mark, self._passed)

    def _passed(self, event: Event) -> None:
        """In the event engine's thread, which a handler that raises would end."""
        self.put(lambda session: session.passed())
