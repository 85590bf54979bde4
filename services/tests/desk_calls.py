"""What tests of a trading service wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise

from aegis.contracts.alerts import ALERT
from aegis.contracts.trading import SERVICE, ReconcileReply, VenueUnavailable
from aegis.desk import Desk
from aegis_sdk import codec, subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import DeadlineExceeded, NotExecuted, OutcomeUnknown, Unavailable
from aegis_sdk.events import STREAM
from aegis_sdk.instances import InstanceStatus
from aegis_sdk.transport import Transport

DEADLINE_S = 30.0


async def serving(transport: Transport, instances: int = 1) -> None:
    """Return when so many instances trade, or stand by."""

    def count(known: Directory) -> int:
        return sum(one.record.status is not InstanceStatus.STARTING for one in known.instances(SERVICE))

    async with Directory.open(transport) as directory:
        await directory.wait_for(lambda known: count(known) == instances, DEADLINE_S)


async def compared(desk: Desk) -> ReconcileReply:
    """The comparison, once an instance has the account and its venue."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                return await desk.reconcile()
            except (VenueUnavailable, NotExecuted, OutcomeUnknown):
                await asyncio.sleep(0.05)


async def until_orders(desk: Desk, statuses: Mapping[str, str]) -> None:
    """Return when orders are so, and all of their trades are booked."""
    async with desk.follow() as changes, asyncio.timeout(DEADLINE_S):
        async for _ in changes:
            found = {one.client_order_id: one for one in await desk.orders()}
            if all(
                name in found and found[name].status == status and found[name].traded == found[name].filled
                for name, status in statuses.items()
            ):
                return


async def all_was_told(transport: Transport, desk: Desk) -> None:
    """The events of an account are in the stream, each once, without a hole; they are sent behind what they tell of."""
    last, numbers = (await desk.snapshot()).sequence, list[int]()
    async with asyncio.timeout(DEADLINE_S):
        while numbers[-1:] < [last]:
            with suppress(DeadlineExceeded, Unavailable):  # a node that is just back
                numbers = await _told(transport, desk.account_name, last)
    wrong = [(before, behind) for before, behind in pairwise([0, *numbers]) if behind != before + 1]
    assert not wrong, f"of {last} events these follow each other: {wrong[:10]}"


async def _told(transport: Transport, account: str, last: int) -> list[int]:
    """The numbers of an account's events up to `last`."""
    numbers = list[int]()
    async with transport.read(STREAM, subjects.event("trading", account, subjects.REST)) as messages:
        async for message in messages:
            if message is not None and subjects.split(message.subject)[-1] != ALERT:
                numbers.append(codec.decode_json(message.payload)["sequence"])
            if numbers[-1:] >= [last]:
                break
    return numbers
