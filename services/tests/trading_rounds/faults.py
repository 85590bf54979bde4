"""What may befall a round: each fault happens, lasts, and is undone."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import product
from random import Random
from typing import Final

from paper_stage import ready
from trading_rounds.house import DEADLINE_S, PAPERS, SETTLE_S, House, go_on, is_stopped
from trading_rounds.struck import OF_A_DAY, OF_A_KEY, OF_AN_ACCOUNT

Fault = Callable[[House, Random], Awaitable[str]]
"""Does harm; returns what it was."""

Strike = tuple[str, str, str, signal.Signals]
"""At an account of which venue, at which step, before or behind it, and how."""

_WAYS: Final = (("before", "after"), (signal.SIGKILL, signal.SIGSTOP))
STRIKES: Final = tuple(product(("paper", "ctp"), OF_A_KEY | OF_AN_ACCOUNT, *_WAYS))
"""Of an account at that venue. Each round begins with the next of them, so all happen in some forty rounds or more."""
STRIKES_OF_A_DAY: Final = tuple(product(("paper",), OF_A_DAY, *_WAYS))
STRUCK: Final[Counter[Strike]] = Counter()
"""How often each of them has happened, in all rounds so far."""
_SOON_S: Final = 3.0
"""For so long a step is waited for at which somebody is to be struck."""
_SHORT_S: Final = (0.2, 0.8, 2.0)
_LONG_S: Final = SETTLE_S + 2
"""Whoever stops for so long exactly where it sends an order sends it when others have called it not sent: the window
that a counter leaves open. Nobody is stopped there for so long."""

_SILENT_S: Final = SETTLE_S + 7
"""By then an order that was sent at its beginning is overdue: 3 s for its answer, SETTLE_S, and looks in between."""


async def _holder(house: House, chance: Random) -> str:
    return await house.holder(chance.choice([*PAPERS, house.ctp]))


async def strike(house: House, chance: Random) -> str:
    """The holder of an account is killed or stopped right before or behind a step of an order."""
    way = next(house.strikes)
    return await _strike(house, chance, way, 1 if way[1] == "snapshot" else chance.randint(1, 4))


async def strike_as_a_day_ends(house: House, chance: Random) -> str:
    """The same at a step of that, for one of the accounts at the paper venue."""
    return await _strike(house, chance, next(house.strikes_of_a_day), 1, lambda: house.next_day(chance))


async def _strike(
    house: House,
    chance: Random,
    way: Strike,
    at: int,
    begin: Callable[[], None] = lambda: None,
) -> str:
    """At that time of that step; `begin` what leads there."""
    venue, step, when, how = way
    account = chance.choice(PAPERS) if venue == "paper" else house.ctp
    of = house.key(account) if step in OF_A_KEY else account
    name = await house.holder(account)
    async with house.harming[name]:
        process = house.instances[name]
        with suppress(TimeoutError):
            async with asyncio.timeout(_SOON_S):
                house.order(name, f"{of} {step} {when} {how.name} {at}")
                begin()
                while process.poll() is None and not is_stopped(process):  # noqa: ASYNC110 (nobody tells)
                    await asyncio.sleep(0.005)
        struck = process.poll() is not None or is_stopped(process)
        lasts_s = chance.choice(_SHORT_S if (step, when) == ("submit", "before") else (*_SHORT_S, _LONG_S))
        await _undone(house, name, lasts_s)
    if struck:
        STRUCK[venue, step, when, how] += 1
    what = f"{how.name} of {name} {when} {step} at {venue}"
    return f"{what} for {lasts_s:g} s" if struck else f"no {what}: it took no such step"


async def kill(house: House, chance: Random) -> str:
    name, lasts_s = await _holder(house, chance), chance.choice((0.0, *_SHORT_S))
    async with house.harming[name]:
        house.instances[name].kill()
        await _undone(house, name, lasts_s)
    return f"SIGKILL of {name} for {lasts_s:g} s"


async def stop(house: House, chance: Random) -> str:
    name, lasts_s = await _holder(house, chance), chance.choice(_SHORT_S)
    async with house.harming[name]:
        house.instances[name].send_signal(signal.SIGSTOP)
        await _undone(house, name, lasts_s)
    return f"SIGSTOP of {name} for {lasts_s:g} s"


async def leave(house: House, chance: Random) -> str:
    """In order."""
    name = await _holder(house, chance)
    async with house.harming[name]:
        house.instances[name].terminate()
        await asyncio.to_thread(house.instances[name].wait)
        await house.restart(name)
    return f"SIGTERM of {name}"


async def _undone(house: House, name: str, seconds: float) -> None:
    await asyncio.sleep(seconds)
    process = house.instances[name]
    if process.poll() is None:
        house.order(name, "none none none SIGCONT 0")
        go_on(process)
        await asyncio.sleep(0.1)  # it may have been killed a moment ago
    if process.poll() is not None:
        await house.restart(name)


async def paper_dies(house: House, chance: Random) -> str:
    lasts_s = chance.choice((0.0, 1.0, 3.0))
    async with house.harming["paper"]:
        house.paper.kill_venue()
        await asyncio.sleep(lasts_s)
        house.paper.start_venue()
        await ready(house.transport, PAPERS[0], DEADLINE_S)
    return f"the paper venue died for {lasts_s:g} s"


async def counter_drops(house: House, chance: Random) -> str:
    await house.counter.control.send("drop", side="trader", reason=0x1001)
    return "the counter closed all connections"


async def counter_hangs(house: House, chance: Random) -> str:
    """It reads nothing; what was sent meanwhile it takes later, also if nobody waits for its answer any more."""
    lasts_s = chance.choice((*_SHORT_S, _SILENT_S))
    await house.counter.control.fault("hang@trader")
    await asyncio.sleep(lasts_s)
    await house.counter.control.clear("hang@trader")
    return f"the counter hung for {lasts_s:g} s"


async def node_dies(house: House, chance: Random) -> str:
    node, lasts_s = chance.choice(house.server.nodes), chance.choice(_SHORT_S)
    async with house.harming["node"]:
        await node.kill()
        await asyncio.sleep(lasts_s)
        await node.start()
    return f"SIGKILL of {node.name} for {lasts_s:g} s"


FAULTS: Final[tuple[Fault, ...]] = (
    strike, strike, strike, strike, kill, stop, leave, paper_dies, counter_drops, counter_hangs, node_dies,
)  # fmt: skip
