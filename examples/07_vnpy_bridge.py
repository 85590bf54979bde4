"""A strategy of vnpy on a desk: vnpy's own MainEngine, and a gateway that is the desk.

It runs a desk of its own. With one that is up, `setting` is what `aegis env --json` prints, and the services are left
out. Into an existing run.py go two lines: the import of AegisGateway, and add_gateway(AegisGateway).

Prints:
    SUBMITTING
    ALLTRADED
    bought 2 in one order
    the position has 2 lots
"""

import asyncio
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from vnpy.event import Event
from vnpy.trader.constant import Direction, Exchange, Offset, OrderType
from vnpy.trader.event import EVENT_CONTRACT, EVENT_ORDER, EVENT_POSITION, EVENT_TICK, EVENT_TRADE
from vnpy.trader.object import OrderRequest, SubscribeRequest

from aegis.bridge import AegisGateway
from aegis.marketdata.bootstrap import build as market_data
from aegis.paper.bootstrap import build as paper
from aegis.trading.bootstrap import build as trading
from aegis_sdk import Settings, serve
from aegis_sdk.testing import nats_server


class BuyTwo:
    """Buys two lots of the first soybean meal that ticks."""

    def __init__(self, engine) -> None:
        self.engine = engine
        self.name = ""
        self.statuses: list[str] = []
        self.bought = 0.0
        self.done = threading.Event()
        handlers = {
            EVENT_CONTRACT: self.on_contract,
            EVENT_TICK: self.on_tick,
            EVENT_ORDER: self.on_order,
            EVENT_TRADE: self.on_trade,
            EVENT_POSITION: self.on_position,
        }
        for kind, handler in handlers.items():
            engine.event_engine.register(kind, handler)

    def on_contract(self, event: Event) -> None:
        contract = event.data
        if contract.exchange is Exchange.DCE and contract.symbol.startswith("m2"):
            self.engine.subscribe(SubscribeRequest(contract.symbol, contract.exchange), contract.gateway_name)

    def on_tick(self, event: Event) -> None:
        """Sends until an order could be sent: before the account is known there is no name for it."""
        tick = event.data
        if not self.name and tick.ask_volume_1:
            request = OrderRequest(
                symbol=tick.symbol,
                exchange=tick.exchange,
                direction=Direction.LONG,
                type=OrderType.LIMIT,
                volume=2,
                price=tick.ask_price_1 + 10,
                offset=Offset.OPEN,
                reference="BuyTwo",
            )
            self.name = self.engine.send_order(request, tick.gateway_name)

    def on_order(self, event: Event) -> None:
        self.statuses.append(event.data.status.name)

    def on_trade(self, event: Event) -> None:
        self.bought += event.data.volume

    def on_position(self, event: Event) -> None:
        if event.data.volume == 2:
            print(self.statuses[0], self.statuses[-1], sep="\n")
            print(f"bought {self.bought:g} in one order")
            print("the position has 2 lots")
            self.done.set()


def trade(setting: dict[str, str]) -> None:
    """What a run.py does, without a window."""
    from vnpy.trader.setting import SETTINGS

    SETTINGS["log.active"] = False
    from vnpy.trader.engine import MainEngine

    engine = MainEngine()
    engine.add_gateway(AegisGateway)
    strategy = BuyTwo(engine)
    engine.connect(setting, "AEGIS")
    strategy.done.wait(40)
    engine.close()


async def main() -> None:
    async with nats_server() as server, asyncio.TaskGroup() as group:
        environment = {
            "AEGIS_NATS_URL": server.urls[0],
            "AEGIS_NATS_USER": server.credentials.user,
            "AEGIS_NATS_PASSWORD": server.credentials.password,
            "AEGIS_UNIVERSE": "core",
            "AEGIS_PAPER_ACCOUNTS": "paper=1000000",
            "AEGIS_PAPER_TICKS": "sim",
        }
        stop = asyncio.Event()
        for build in (market_data, paper, trading):
            group.create_task(serve(build(environment), Settings.from_environment(environment), stop))
        await asyncio.to_thread(trade, environment)
        stop.set()


if __name__ == "__main__":
    with TemporaryDirectory() as directory:
        (Path(directory) / ".vntrader").mkdir()  # vnpy's files; else it makes one in the home directory
        os.chdir(directory)
        asyncio.run(main())
        os.chdir("/")
