"""What of `aegis bench orders` is at a simulated CTP counter that answers one query a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from aegis.cli.bench.figures import Case, latencies_ms
from aegis.cli.bench.order_recovery import Flow, TradingDesk, both_ready
from aegis.desk import Desk
from aegis.profiles.writing import write_profile
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

__all__ = ["CounterDesk", "at_counter", "counter_desk"]

_QUERY_MS: Final = 1000
_DEADLINE_S: Final = 60.0
_UNDER_WAY: Final = 4
_FLOW_S: Final = 1.0
_LOOK_S: Final = 0.05
_READ_S: Final = 8.0
"""Behind its login a session asks three questions, and a standby holds no key by which its being ready is seen."""
_STANDBY_MS: Final = 2_000.0
_COLD_MS: Final = 15_000.0
_NOTE: Final = f"a query each {_QUERY_MS:,} ms; from the kill to the answer of an order that was asked for behind it"

Start = Callable[[str, Mapping[str, str]], Awaitable[asyncio.subprocess.Process]]


class CounterDesk(NamedTuple):
    """A counter, its one account, and instances that trade there."""

    counter: RunningFront
    account: str
    running: TradingDesk


@asynccontextmanager
async def counter_desk(start: Start, way_in: Mapping[str, str]) -> AsyncGenerator[CounterDesk]:
    """Market data and two trading instances as processes, at a counter of their own; gone afterwards."""
    async with front(limits={"query_interval_ms": _QUERY_MS}) as counter:
        with TemporaryDirectory(prefix="aegis-bench-") as directory:
            profile, accounts = Path(directory) / "counter.toml", Path(directory) / "accounts.toml"
            write_profile(profile, counter.libraries, counter.access.login())
            account = counter.user.user_id
            accounts.write_text(_ACCOUNT.format(account=account, profile=profile))
            trading: dict[str, asyncio.subprocess.Process] = {}

            async def add() -> None:
                name = f"counter-{len(trading) + 1}"
                named = {"AEGIS_ACCOUNTS": str(accounts), "AEGIS_INSTANCE": name}
                trading[name] = await start("aegis.trading", {**way_in, **named})

            feed = await start("aegis.marketdata", {**way_in, "AEGIS_PROFILE": str(profile)})
            try:
                for _ in range(2):
                    await add()
                yield CounterDesk(counter, account, TradingDesk(trading, add))
            finally:
                for process in (feed, *trading.values()):
                    if process.returncode is None:
                        process.kill()
                    await process.wait()


_ACCOUNT: Final = """
[accounts.{account}]
env = "sim"
venue = "ctp"
profile = "{profile}"
rules = {{ closing = "average", close_holds_commission = false }}
[accounts.{account}.risk]
orders_per_s = 1000
stale_after_s = 60
max_position_lots = 1000000
day_limits = {{ SHFE = {{ cancels = 1000000 }} }}
"""


async def at_counter(
    transport: NatsTransport, at: CounterDesk, desk: Desk, instrument: str, price: Decimal, rounds: int
) -> list[Case]:
    """Until an order is answered that was asked for behind the kill of the instance that held the account.

    Case counter_standby: another one was logged in, and knows orders and trades from the private stream. Case
    counter_cold: there was none; from the start of a process, which logs in first. Four orders are under way each time,
    and the account holds a position. `lost`: answered orders that the account does not have afterwards.
    """
    await desk.place(instrument, "buy", 1, price=Decimal(int(price * Decimal("1.02"))), type="fak")
    measured: list[Case] = []
    for name, bar_ms in (("counter_standby", _STANDBY_MS), ("counter_cold", _COLD_MS)):
        taken: list[float] = []
        failed = lost = 0
        for _ in range(rounds):
            held = await _ready(transport, at)
            flow = Flow(desk, instrument, price)
            tasks = [asyncio.create_task(flow.run()) for _ in range(_UNDER_WAY)]
            await asyncio.sleep(_FLOW_S)
            for instance in held if name == "counter_cold" else [one for one, keys in held.items() if keys]:
                at.running.trading[instance].kill()
            killed = time.perf_counter()
            if name == "counter_cold":
                await at.running.start()
            probe = Flow(desk, instrument, price, most=1)  # those under way may wait for what became of theirs
            async with asyncio.timeout(_DEADLINE_S):
                await probe.run()
            taken.append(time.perf_counter() - killed)
            flow.stops = True
            await asyncio.gather(*tasks)
            lost += len(flow.names - {order.client_order_id for order in await desk.orders()})
            failed += flow.failed
            await at.running.start()
        figures = {**latencies_ms(taken), "failed": failed, "lost": lost}
        measured.append(Case(name, figures, note=_NOTE, bars={"max_ms": bar_ms, "lost": 0}))
    return measured


async def _ready(transport: NatsTransport, at: CounterDesk) -> dict[str, set[str]]:
    """The keys of two living instances, each with a session that has read the day."""
    held = await both_ready(transport, at.running)
    async with asyncio.timeout(_DEADLINE_S):
        while (await at.counter.control.send("status"))["clients"]["trader"] < 2:  # noqa: ASYNC110 (it is asked)
            await asyncio.sleep(_LOOK_S)
    await asyncio.sleep(_READ_S)
    return held
