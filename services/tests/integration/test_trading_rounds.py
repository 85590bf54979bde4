"""Orders flow at both venues while processes die, stop and come back, on a cluster of which nodes die."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Final

import pytest
from ctp_counter import trading_at
from desk_calls import all_was_told
from trading_rounds.faults import FAULTS, STRIKES, STRIKES_OF_A_DAY, STRUCK, Strike, strike
from trading_rounds.flow import Told, Trader
from trading_rounds.house import PAPERS, House, begun
from trading_rounds.judging import wrong_figures, wrong_orders, wrong_trades
from trading_rounds.rolling import a_day_ends, patiently
from trading_rounds.struck import PACE
from venue_stage import Heard

from aegis.contracts.orders import Order
from aegis.contracts.trading import VenueUnavailable
from aegis.desk import Desk
from aegis.operations.counter import is_built
from aegis.trading.adapters.ctp import CtpVenue
from aegis.trading.adapters.paper import PaperVenue
from aegis.trading.ports import Venue
from aegis_sdk.errors import DeadlineExceeded, NotExecuted, OutcomeUnknown, Rejected, Unavailable
from aegis_sdk.testing import nats_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

SEED: Final = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
ROUNDS: Final = int(os.environ.get("AEGIS_TRADING_ROUNDS") or 2)
OF_A_HOUSE: Final = 10
"""Rounds of the same accounts; then there are others, that have traded nothing."""
ROUNDS_OF_ALL: Final = 200
"""In so many each fault at each step and each venue happens."""
LEAST: Final = 5
SPLITS: Final[Counter[str]] = Counter()
"""By venue: answers with two orders, in all rounds so far."""
_DEADLINE_S: Final = 60.0


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS, OF_A_HOUSE))
async def test_no_order_is_lost_or_sent_twice_and_every_answer_is_true(tmp_path: Path, seed: int) -> None:
    """AEGIS_TRADING_ROUNDS of them, seeded by CHAOS_SEED; each reads all that its accounts did since they began."""
    async with nats_server(3) as server, begun(server, tmp_path) as house, AsyncExitStack() as stack:
        desks = {
            account: await stack.enter_async_context(Desk.over(house.transport, account)) for account in house.traded
        }
        told = {account: Told() for account in desks}
        ended: dict[str, list[Order]] = {account: [] for account in desks}
        for number in range(seed, min(seed + OF_A_HOUSE, SEED + ROUNDS)):
            print(f"CHAOS_SEED={number} AEGIS_TRADING_ROUNDS=1")
            house.strikes, house.strikes_of_a_day = begun_at(STRIKES, number), begun_at(STRIKES_OF_A_DAY, number // 2)
            if (number - seed) % 2:
                for account in PAPERS:
                    ended[account] += await patiently(desks[account].orders)
                    told[account] = Told()
                day_ends = random.Random(f"the day before {number}")
                await a_day_ends(house, {account: desks[account] for account in PAPERS}, day_ends, f"r{number}")
                await all_is_right(house, desks, told)
            await a_round(house, desks, told, random.Random(number), f"r{number}")
            await all_is_right(house, desks, told)
        for account, desk in desks.items():
            has_traded([*ended[account], *await patiently(desk.orders)])
            await all_was_told(house.transport, desk)
    print(*sorted(STRUCK.items()), sorted(SPLITS.items()), sep="\n")


def begun_at(strikes: Sequence[Strike], number: int) -> Iterator[Strike]:
    """One after the other, for ever."""
    number %= len(strikes)
    return cycle((*strikes[number:], *strikes[:number]))


async def all_is_right(house: House, desks: Mapping[str, Desk], told: Mapping[str, Told]) -> None:
    """Nothing works, and what was told, what the journal has and what the venue has are the same."""
    for account, desk in desks.items():
        await stands_still(desk)
        wrong = await judged(house, desk, told[account])
        assert not wrong, (account, wrong[:20])


@pytest.mark.skipif(ROUNDS < ROUNDS_OF_ALL, reason=f"too few rounds: less than {ROUNDS_OF_ALL}")
def test_somebody_was_struck_at_every_step() -> None:
    assert {*STRIKES, *STRIKES_OF_A_DAY} - STRUCK.keys() == set()
    assert SPLITS["paper"]


def has_traded(ours: Sequence[Order]) -> None:
    """That nothing was wrong says something only of rounds in which something happened."""
    assert sum(order.filled > 0 for order in ours) >= LEAST
    assert sum(order.status == "cancelled" and order.cancel_asked for order in ours) >= 1


async def a_round(
    house: House, desks: dict[str, Desk], told: dict[str, Told], chance: random.Random, name: str
) -> None:
    """Two who trade at each account, and some faults, one after the other or together."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for account, desk in desks.items():
            for number in range(2):
                own = random.Random(chance.random())
                trader = Trader(desk, house.traded[account], f"{name}-{number}", own, told[account])
                group.create_task(trader.run(stop))
        harms = [*(chance.choice(FAULTS) for _ in range(chance.randint(0, 2))), strike]
        while harms:
            together = [harms.pop() for _ in range(min(len(harms), chance.choice((1, 1, 2))))]
            await asyncio.sleep(chance.uniform(0.3, 1.0))
            for what in await asyncio.gather(*(harm(house, chance) for harm in together)):
                print(f"  {what}")
        await asyncio.sleep(0.3)
        stop.set()
    for account, one in told.items():
        split = [own for own, order in one.orders.items() if own == f"{order.request_id}-2" and own.startswith(name)]
        SPLITS["paper" if account in PAPERS else "ctp"] += len(split)


async def stands_still(desk: Desk) -> None:
    """Nothing works any more, and the account agrees with its venue."""
    said: object = None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                try:
                    works = [one.client_order_id for one in await desk.orders(working=True)]
                    for one in works:
                        await desk.cancel(one)
                    said = reply = await desk.reconcile()
                    if not works:
                        break
                except (VenueUnavailable, NotExecuted, OutcomeUnknown, Rejected) as error:
                    said = error
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError((said, await desk.orders(working=True))) from None
    assert reply.verdict == "agreed", [str(one) for one in reply.differences]


async def judged(house: House, desk: Desk, told: Told) -> list[str]:
    """What is wrong; asked for again where somebody does not answer."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            try:
                return [one async for one in wrong_things(house, desk, told)]
            except (Unavailable, DeadlineExceeded, NotExecuted, OutcomeUnknown):
                await asyncio.sleep(0.1)


async def wrong_things(house: House, desk: Desk, told: Told) -> AsyncIterator[str]:
    ours, trades, account = await desk.orders(), await desk.trades(), await desk.account()
    async with seen_from_outside(house, desk.account_name, told.names) as venue:
        theirs = await venue.orders(desk.account_name)
        found: list[Iterator[str]] = [
            wrong_orders(told, ours, theirs),
            wrong_trades(trades, await venue.trades(desk.account_name)),
            wrong_figures(
                (await desk.positions(), account),
                (await venue.positions(desk.account_name), await venue.account(desk.account_name)),
            ),
        ]
    for each in found:
        for one in each:
            yield one
    if account.mode != "normal":
        yield f"the account is {account.mode}"


@asynccontextmanager
async def seen_from_outside(house: House, account: str, names: set[str]) -> AsyncIterator[Venue]:
    """A venue by a connection of our own, which no instance has a part in."""
    venue: Venue = PaperVenue(house.transport, [account])
    if account not in PAPERS:
        venue = CtpVenue(trading_at(house.counter.access), PACE, known=lambda: names)
        await venue.open(Heard())
    try:
        yield venue
    finally:
        await venue.close()
