"""vnpy's own MainEngine in this process, with the gateway, and all of its events for a test to wait for."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vnpy.event import Event
from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Status
from vnpy.trader.event import EVENT_ACCOUNT, EVENT_CONTRACT, EVENT_LOG, EVENT_ORDER, EVENT_POSITION, EVENT_TICK
from vnpy.trader.event import EVENT_TRADE as EVENT_TRADE
from vnpy.trader.object import (
    ContractData,
    LogData,
    OrderData,
    OrderRequest,
    PositionData,
    SubscribeRequest,
    TickData,
    TradeData,
)

from aegis.bridge import AegisGateway

KINDS = (EVENT_TICK, EVENT_ORDER, EVENT_TRADE, EVENT_POSITION, EVENT_ACCOUNT, EVENT_CONTRACT, EVENT_LOG)
GATEWAY = AegisGateway.default_name
DEADLINE_S = 30.0


class Terminal:
    """Keeps each event that the engine has handled, in its order."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.events: list[tuple[str, Any]] = []
        self._news = threading.Condition()
        for kind in KINDS:
            engine.event_engine.register(kind, self._heard)
        engine.add_gateway(AegisGateway)

    def _heard(self, event: Event) -> None:
        with self._news:
            self.events.append((event.type, event.data))
            self._news.notify_all()

    def until(self, holds: Callable[[], Any], timeout: float = DEADLINE_S) -> Any:
        """What `holds` gives once that is true; asked at each event."""
        found: list[Any] = []
        with self._news:
            if not self._news.wait_for(lambda: found.append(holds()) or found[-1], timeout):
                raise TimeoutError(self.logs()[-10:])
        return found[-1]

    def of(self, kind: str, since: int = 0) -> list[Any]:
        return [data for each, data in self.events[since:] if each == kind]

    def logs(self, since: int = 0) -> list[str]:
        return [log.msg for log in self.of(EVENT_LOG, since) if isinstance(log, LogData)]

    def until_logged(self, text: str, since: int = 0, timeout: float = DEADLINE_S) -> str:
        return self.until(lambda: next((log for log in self.logs(since) if text in log), ""), timeout)

    def subscribe(self, *contracts: ContractData) -> None:
        for one in contracts:
            self.engine.subscribe(SubscribeRequest(symbol=one.symbol, exchange=one.exchange), GATEWAY)

    def tick(self, contract: ContractData) -> TickData:
        """The latest, of a contract that is subscribed."""
        return self.until(lambda: self.engine.get_tick(contract.vt_symbol))

    def send(self, contract: ContractData, volume: float, price: float, **other: Any) -> str:
        facts: dict[str, Any] = {
            "symbol": contract.symbol,
            "exchange": contract.exchange,
            "direction": Direction.LONG,
            "type": OrderType.LIMIT,
            "offset": Offset.OPEN,
            "reference": "test",
        }
        return self.engine.send_order(OrderRequest(volume=volume, price=price, **{**facts, **other}), GATEWAY)

    def cancel(self, vt_orderid: str) -> None:
        self.engine.cancel_order(self.engine.get_order(vt_orderid).create_cancel_request(), GATEWAY)

    def until_status(self, vt_orderid: str, status: Status, timeout: float = DEADLINE_S) -> OrderData:
        def found() -> OrderData | None:
            order = self.engine.get_order(vt_orderid)
            return order if order and order.status is status else None

        return self.until(found, timeout)

    def statuses(self, vt_orderid: str) -> list[Status]:
        """Each that it had, once."""
        told = [one.status for one in self.of(EVENT_ORDER) if one.vt_orderid == vt_orderid]
        return list(dict.fromkeys(told))

    def trades(self, vt_orderid: str) -> list[TradeData]:
        return [one for one in self.of(EVENT_TRADE) if one.vt_orderid == vt_orderid]

    def contract(self, exchange: Exchange, product: str) -> ContractData:
        """The second of a product's futures: it ticks."""
        found = sorted(
            (one for one in self.engine.get_all_contracts() if _is_of(one, exchange, product)),
            key=lambda one: one.symbol,
        )
        return found[1]


@contextmanager
def terminal(directory: Path) -> Iterator[Terminal]:
    """vnpy keeps its files in `directory`, and goes there: afterwards we are back where we were."""
    home = directory / ".vntrader"
    home.mkdir(exist_ok=True)
    quiet = {"log.active": False, "log.console": False, "log.file": False}
    (home / "vt_setting.json").write_text(json.dumps(quiet))
    before = Path.cwd()
    os.chdir(directory)
    try:
        from vnpy.trader.engine import MainEngine

        engine = MainEngine()
    finally:
        os.chdir(before)
    made = Terminal(engine)
    try:
        yield made
    finally:
        engine.close()


def setting_of(house: Any, **other: Any) -> dict[str, Any]:
    """For the paper account of a desk."""
    setting = json.loads(house.aegis("env", "--json").stdout)
    return {**setting, "AEGIS_ACCOUNT": "paper", "AEGIS_TIMEOUT_S": 3.0, **other}


def below(tick: TickData) -> float:
    """A price at which nothing is bought today."""
    return int(tick.last_price * 0.985)


def above(tick: TickData) -> float:
    return int(tick.last_price * 1.01)


def lots(vnpy: Terminal, contract: ContractData, direction: Direction = Direction.LONG) -> float:
    told: PositionData | None = vnpy.engine.get_position(f"{GATEWAY}.{contract.vt_symbol}.{direction.value}")
    return told.volume if told else 0


def until_bought(vnpy: Terminal, contract: ContractData, volume: float = 1) -> str:
    name = vnpy.send(contract, volume, above(vnpy.tick(contract)))
    vnpy.until_status(name, Status.ALLTRADED)
    return name


def _is_of(contract: ContractData, exchange: Exchange, product: str) -> bool:
    return contract.exchange is exchange and contract.symbol.rstrip("0123456789") == product
