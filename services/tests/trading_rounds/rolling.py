"""Between two rounds the trading day of the paper venue ends, while who holds its accounts is struck."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from random import Random
from typing import Final, TypeVar

from trading_rounds.faults import Fault, kill, leave, paper_dies, strike_as_a_day_ends
from trading_rounds.house import House

from aegis.contracts.orders import Order, OrderReported, Position
from aegis.contracts.trading import VenueUnavailable
from aegis.desk import Desk, Snapshot
from aegis_sdk.errors import DeadlineExceeded, NotExecuted, OutcomeUnknown, Unavailable

Answer = TypeVar("Answer")

_DEADLINE_S: Final = 60.0
_RESTING: Final = 3
"""Orders of each account that wait far from the market when the day ends."""
_BESIDE: Final[tuple[Fault | None, ...]] = (None, None, kill, leave, paper_dies)
"""What else may happen meanwhile."""


async def a_day_ends(house: House, desks: Mapping[str, Desk], chance: Random, name: str) -> None:
    """Nothing works before, and all agree. Behind it orders have expired, and all lots are yesterday's."""
    lots = {account: held(await patiently(desk.positions)) for account, desk in desks.items()}
    resting = {
        account: [await rests(desk, house.traded[account], f"{name}-{number}") for number in range(_RESTING)]
        for account, desk in desks.items()
    }
    print(f"  {house.day} is about to end")
    async with asyncio.TaskGroup() as group:
        following: list[asyncio.Event] = []
        for account, desk in desks.items():
            following.append(asyncio.Event())
            group.create_task(expire(desk, resting[account], following[-1]))
        for begun in following:
            await begun.wait()
        beside = chance.choice(_BESIDE)
        for what in await asyncio.gather(
            strike_as_a_day_ends(house, chance), *([beside(house, chance)] if beside is not None else [])
        ):
            print(f"  as the day ends: {what}")
    for account, desk in desks.items():
        await until_day(desk, house.day)
        positions = await patiently(desk.positions)
        assert held(positions) == lots[account]
        assert not [one for one in positions if one.today]
        assert await patiently(desk.orders) == []


async def rests(desk: Desk, market: tuple[str, int], name: str) -> str:
    """The name of an order that waits; another one where nobody had time to send it: such a name is used."""
    instrument, middle = market
    async with asyncio.timeout(_DEADLINE_S):
        for attempt in count():
            own = f"{desk.account_name}-{name}-{attempt}"
            try:
                (order,) = await _placed(partial(desk.place, instrument, "buy", 1, price=middle - 100), own)
            except (NotExecuted, VenueUnavailable):
                await asyncio.sleep(0.1)
                continue
            if order.status == "accepted":
                return own
            assert order.status == "not_sent", order
    raise AssertionError


async def _placed(place: Callable[..., Awaitable[list[Order]]], name: str) -> list[Order]:
    """The answer, asked for by the same name until there is one."""
    while True:
        try:
            return await place(client_order_id=name)
        except OutcomeUnknown:
            await asyncio.sleep(0.1)


async def expire(desk: Desk, names: list[str], begun: asyncio.Event) -> None:
    """Who follows the account hears of each that it has expired, once, and of all else before it."""
    expired: list[str] = []
    sequence = 0
    async with AsyncExitStack() as stack, asyncio.timeout(2 * _DEADLINE_S):  # what befalls the others takes its time
        changes = await patiently(lambda: stack.enter_async_context(desk.follow()))
        async for change in changes:
            if not begun.is_set():
                assert isinstance(change, Snapshot)
                begun.set()
            else:
                assert change.sequence == sequence + 1, (change, sequence)
            sequence = change.sequence
            if isinstance(change, OrderReported) and change.order.status == "expired":
                expired.append(change.order.client_order_id)
                if len(expired) == len(names):
                    break
    assert sorted(expired) == sorted(names)


async def until_day(desk: Desk, day: str) -> None:
    """Return when the account is on that day."""
    async with asyncio.timeout(_DEADLINE_S):
        while (await patiently(desk.account)).trading_day != day:  # noqa: ASYNC110 - its events are followed elsewhere
            await asyncio.sleep(0.05)


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, asked for again while nobody has time for it."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            try:
                return await ask()
            except (VenueUnavailable, NotExecuted, OutcomeUnknown, Unavailable, DeadlineExceeded):
                await asyncio.sleep(0.1)


def held(positions: list[Position]) -> dict[tuple[str, str], int]:
    return {(one.instrument, one.direction): one.lots for one in positions if one.lots}
