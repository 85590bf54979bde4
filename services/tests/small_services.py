"""Services that do next to nothing, for what the management tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from management_stage import settings_of
from pydantic import BaseModel

from aegis.contracts.orders import Account
from aegis.contracts.trading import (
    ACCOUNT,
    ORDERS,
    POSITIONS,
    TRADES,
    AccountReply,
    AccountRequest,
    OrdersReply,
    OrdersRequest,
    PositionsReply,
    PositionsRequest,
    TradesReply,
    TradesRequest,
)
from aegis_sdk.handler import rpc
from aegis_sdk.program import serve
from aegis_sdk.service import Service
from aegis_sdk.single_active import ActiveContext, SingleActive, active
from aegis_sdk.testing import NatsAccess


class Word(BaseModel):
    text: str = ""


class Echo(Service):
    name = "echo"

    @rpc(idempotent=True)
    async def say(self, request: Word) -> Word:
        return request


MONEY = dict.fromkeys(Account.model_fields, 0) | {"account": "a1", "env": "paper", "trading_day": "20261128"}


class Books(SingleActive):
    """An account that has money, and never an order."""

    name = "trading"

    def configuration(self) -> dict[str, Any]:
        return {"accounts": {"a1": {"env": "paper"}}}

    def keys(self) -> Iterable[str]:
        return ["a1"]

    @active(ORDERS)
    async def orders(self, request: OrdersRequest, context: ActiveContext) -> OrdersReply:
        return OrdersReply(orders=[], next="", sequence=0)

    @active(TRADES)
    async def trades(self, request: TradesRequest, context: ActiveContext) -> TradesReply:
        return TradesReply(trades=[], next=0, sequence=0)

    @active(POSITIONS)
    async def positions(self, request: PositionsRequest, context: ActiveContext) -> PositionsReply:
        return PositionsReply(positions=[], sequence=0)

    @active(ACCOUNT)
    async def account(self, request: AccountRequest, context: ActiveContext) -> AccountReply:
        state = Account.model_validate(MONEY | {"mode": "normal", "armed": False})
        return AccountReply(state=state, sequence=0)


@asynccontextmanager
async def running(access: NatsAccess, instance: str, service: Service) -> AsyncIterator[None]:
    stop = asyncio.Event()
    served = asyncio.create_task(serve(service, settings_of(access, instance), stop))
    try:
        yield
    finally:
        stop.set()
        await served
