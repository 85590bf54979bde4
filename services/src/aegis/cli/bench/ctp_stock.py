"""A benchmark process: what is usually built. vnpy's own gateway and EventEngine, a coroutine for each tick, JSON.

It is told its login on standard input, and runs in a directory of its own, since vnpy writes where it runs.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from aegis.cli.bench.plain import connect
from aegis.cli.bench.workers import asked, run, tell


async def _main() -> None:
    tell("started")
    setting: dict[str, str] = msgspec.json.decode(await asked())
    nc = await connect()
    loop = asyncio.get_running_loop()
    encode = msgspec.json.encode

    async def publish(tick: Any) -> None:
        body = {
            "symbol": tick.symbol,
            "exchange": tick.exchange.value,
            "datetime": tick.datetime.isoformat(),
            "last_price": tick.last_price,
            "volume": tick.volume,
            "turnover": tick.turnover,
            "bid_price_1": tick.bid_price_1,
            "ask_price_1": tick.ask_price_1,
            "bid_volume_1": tick.bid_volume_1,
            "ask_volume_1": tick.ask_volume_1,
        }
        await nc.publish(f"stock.{tick.symbol}", encode(body))

    gateway = _gateway(lambda event: asyncio.run_coroutine_threadsafe(publish(event.data), loop))
    tell(await asyncio.to_thread(_connected, gateway, setting))
    await asked()  # until we are ended


def _gateway(on_tick: Any) -> Any:
    directory = Path(tempfile.mkdtemp(prefix="aegis-bench-stock-"))
    (directory / ".vntrader").mkdir()
    os.chdir(directory)
    from vnpy.event import EventEngine  # pyright: ignore[reportMissingImports]
    from vnpy.trader.event import EVENT_TICK  # pyright: ignore[reportMissingImports]
    from vnpy_ctp import CtpGateway  # pyright: ignore[reportMissingImports]

    engine = EventEngine()
    engine.register(EVENT_TICK, on_tick)
    engine.start()
    return CtpGateway(engine, "CTP")


def _connected(gateway: Any, setting: dict[str, str]) -> int:
    """Connect, and subscribe to all contracts; how many there are."""
    import time

    from vnpy.trader.object import SubscribeRequest  # pyright: ignore[reportMissingImports]
    from vnpy_ctp.gateway.ctp_gateway import symbol_contract_map  # pyright: ignore[reportMissingImports]

    gateway.connect(setting)
    known = -1
    while known != len(symbol_contract_map) or not known:
        known = len(symbol_contract_map)
        time.sleep(1.0)
    for contract in list(symbol_contract_map.values()):
        gateway.subscribe(SubscribeRequest(contract.symbol, contract.exchange))
    return known


if __name__ == "__main__":
    run(_main())
