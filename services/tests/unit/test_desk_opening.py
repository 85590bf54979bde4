"""A client of an account that is there before anybody trades it."""

from __future__ import annotations

import asyncio

import pytest

from aegis.contracts.trading_stores import group_name
from aegis.desk import Desk
from aegis_sdk.errors import Unavailable
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


async def test_it_waits_for_what_names_the_group_of_its_account() -> None:
    transport = MemoryTransport(MemoryBroker())
    opening = asyncio.create_task(Desk.over(transport, "A1").__aenter__())
    await asyncio.sleep(0)
    bucket = KeyValue(transport, "aegis_config")
    await bucket.ensure()
    await bucket.put(group_name("A1"), b"G")
    assert (await opening)._key == "G"
    async with Desk.over(transport, "A2") as alone:
        assert alone._key == "A2"


async def test_where_nobody_trades_in_time_it_says_so() -> None:
    with pytest.raises(Unavailable, match="is an instance of `trading` running"):
        await Desk.over(MemoryTransport(MemoryBroker()), "A1", timeout_s=0.01).__aenter__()
