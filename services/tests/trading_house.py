"""Instances of the trading service that follow each other, on one ledger and at one venue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trading_desk import REBAR
from trading_stage import Instance, Stored
from trading_venue import ACCOUNT, Fate, Killed, ScriptedVenue

from aegis.contracts.trading import OrderRequest
from aegis.contracts.venue import Submit
from aegis_sdk import codec


class House:
    """Whoever is active now, and what outlives it."""

    def __init__(self) -> None:
        self.stored = Stored()
        self.venue = ScriptedVenue()
        self.active: Instance | None = None

    async def take(self, fate: Fate | None = None, file: Mapping[str, Any] = {}, **risk: Any) -> Instance:
        """The next instance takes over; the one before is gone. `file`: of the account, in the accounts file."""
        await self.end()
        self.active = Instance(self.stored, self.venue, fate, file, **risk)
        try:
            return await self.active.take()
        except Killed:  # while it settled what the one before had begun
            return await self.take(None, file, **risk)

    async def end(self) -> None:
        if self.active is not None:
            await self.active.end()
            self.active = None

    async def events(self) -> list[tuple[str, int, bytes]]:
        """All that is stored: kind, sequence, payload."""
        instance = self.active
        assert instance is not None
        async with asyncio.timeout(30):
            while instance.account.outbox:  # noqa: ASYNC110 - a test's own poll of pure state
                await asyncio.sleep(0.001)
        stored = await self._stored(instance)
        return [(kind, body["sequence"], payload) for kind, body, payload in stored if kind != "alert"]

    async def alerts(self, least: int = 1) -> list[tuple[str, str]]:
        """What somebody was told to look at: what it is, and the text. Waits for so many."""
        instance = self.active
        assert instance is not None
        async with asyncio.timeout(30):
            while True:
                stored = await self._stored(instance)
                found = [(body["what"], body["text"]) for kind, body, _ in stored if kind == "alert"]
                if len(found) >= least:
                    return found
                await asyncio.sleep(0.001)

    async def _stored(self, instance: Instance) -> list[tuple[str, Any, bytes]]:
        found: list[tuple[str, Any, bytes]] = []
        async with instance.transport.read("EVENTS", f"event.trading.{ACCOUNT}.>") as messages:
            async for message in messages:
                if message is None:
                    break
                body = codec.decode_json(message.payload)
                found.append((message.subject.rsplit(".", 1)[1], body, message.payload))
        return found


def request(name: str, side: str = "buy", price: int | None = 2990, volume: int = 2, **other: Any) -> OrderRequest:
    facts: dict[str, Any] = {"offset": "open", "instrument": REBAR}
    at = None if price is None else Decimal(price)
    return OrderRequest(account=ACCOUNT, client_order_id=name, side=side, price=at, volume=volume, **{**facts, **other})


def at_venue(name: str) -> Submit:
    return Submit(
        account=ACCOUNT,
        client_order_id=name,
        instrument=REBAR,
        side="buy",
        offset="open",
        hedge="speculation",
        type="limit",
        price=Decimal(2980),
        volume=1,
    )


def as_placed(name: str) -> Submit:
    """What the venue is sent by `place`."""
    return at_venue(name).model_copy(update={"price": Decimal(2990), "volume": 2})


async def place(instance: Instance, name: str, **other: Any) -> Any:
    return await instance.call("place_order", request(name, **other), name)


async def agreed(instance: Instance) -> None:
    reply = await instance.service.comparing.now(instance.service.states[ACCOUNT], instance.account)
    assert reply.differences == []
