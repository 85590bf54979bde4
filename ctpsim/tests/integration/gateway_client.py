"""vnpy's own CTP gateway, unmodified, on the drop-in libraries: connects, subscribes, buys, says what it has seen."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

settings: dict[str, str] = json.loads(sys.stdin.readline())
for library in ("libthostmduserapi_se.so", "libthosttraderapi_se.so"):
    ctypes.CDLL(str(Path(settings["libraries"]) / library))

from vnpy.event import Event, EventEngine  # noqa: E402
from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Product  # noqa: E402
from vnpy.trader.object import OrderRequest, SubscribeRequest  # noqa: E402
from vnpy_ctp import CtpGateway  # noqa: E402

seen: dict[str, list[Any]] = {"eContract.": [], "eTick.": [], "eOrder.": [], "eTrade.": [], "eAccount.": [], "eLog": []}
engine = EventEngine()


def keep(event: Event) -> None:
    seen[event.type].append(event.data)


def wait(what: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not what():
        if time.monotonic() > until:
            sys.exit(f"nothing came; the log says {[log.msg for log in seen['eLog']]}")
        time.sleep(0.01)


for kind in seen:
    engine.register(kind, keep)
engine.start()
gateway = CtpGateway(engine, "CTP")
gateway.connect(settings)
wait(lambda: any("合约信息查询成功" in log.msg for log in seen["eLog"]))
wait(lambda: gateway.md_api.login_status)
gateway.subscribe(SubscribeRequest("rb2605", Exchange.SHFE))
wait(lambda: seen["eTick."])
gateway.send_order(
    OrderRequest("rb2605", Exchange.SHFE, Direction.LONG, OrderType.LIMIT, 3, price=3081.0, offset=Offset.OPEN)
)
wait(lambda: seen["eTrade."])
wait(lambda: seen["eAccount."])
wait(lambda: seen["eOrder."] and seen["eOrder."][-1].status.name == "ALLTRADED")
contracts = seen["eContract."]
summary = {
    "futures": sum(contract.product is Product.FUTURES for contract in contracts),
    "options": sum(contract.product is Product.OPTION for contract in contracts),
    "exchanges": sorted({contract.exchange.value for contract in contracts}),
    "portfolios": {contract.symbol: contract.option_portfolio for contract in contracts if contract.option_strike},
    "tick": seen["eTick."][-1].name,
    "statuses": [order.status.name for order in seen["eOrder."]],
    "trade": [seen["eTrade."][0].price, seen["eTrade."][0].volume],
}
print(json.dumps(summary, ensure_ascii=False), flush=True)
os._exit(0)  # its close() hangs now and then while ticks flow
