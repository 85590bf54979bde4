"""Between two rounds the trading day of the paper venue ends, while who holds its accounts is struck."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Final

from trading_rounds.faults import Fault, kill, leave, paper_dies, strike_as_a_day_ends
from trading_rounds.house import House

from aegis.contracts.orders import OrderReported, Position
from aegis.contracts.trading import VenueUnavailable
from aegis.desk import Desk, Snapshot
from aegis_sdk.errors import DeadlineExceeded, NotExecuted, OutcomeUnknown, Unavailable

_DEADLINE_S: Final = 60.0
_RESTING: Final = 3
"""Orders of each account that wait far from the market when the day ends."""
_BESIDE: Final[tuple[Fault | None, ...]] = (None, None, kill, leave, paper_dies)
"""What else may happen meanwhile."""


async def a_day_ends(house: House, desks: Mapping[str, Desk], chance: Random, name: str) -> None:
    """Nothing works before, and all agree. Behind it orders have expired, and all lots are yesterday's."""
    resting = {account: [f"{account}-{name}-{number}" for number in range(_RESTING)] for account in desks}
    lots = {account: held(await desk.positions()) for account, desk in desks.items()}
    async with asyncio.TaskGroup() as group:
        following: list[asyncio.Event] = []
        for account, desk in desks.items():
            instrument, middle = house.traded[account]
            for one in resting[account]:
                (order,) = await desk.place(instrument, "buy", 1, price=middle - 100, client_order_id=one)
                assert order.status == "accepted", order
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
        positions = await desk.positions()
        assert held(positions) == lots[account]
        assert not [one for one in positions if one.today]
        assert await desk.orders() == []


async def expire(desk: Desk, names: list[str], begun: asyncio.Event) -> None:
    """Who follows the account hears of each that it has expired, once, and of all else before it."""
    expired: list[str] = []
    sequence = 0
    async with desk.follow() as changes, asyncio.timeout(_DEADLINE_S):
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
    """Return when the account is on that day, and takes orders."""
    said: object = None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            while said != day:
                try:
                    said = (await desk.account()).trading_day
                except (VenueUnavailable, NotExecuted, OutcomeUnknown, Unavailable, DeadlineExceeded) as error:
                    said = error
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{desk.account_name} has not come to {day}: {said}") from None


def held(positions: list[Position]) -> dict[tuple[str, str], int]:
    return {(one.instrument, one.direction): one.lots for one in positions if one.lots}
