"""A trader's way to a desk: ticks, orders, positions and money of one account.

    async with Desk("paper", ["nats://127.0.0.1:4222"], user="desk", password=...) as desk:
        async with desk.ticks("SHFE.rb2605") as ticks:
            async for tick in ticks:
                await desk.place("SHFE.rb2605", "buy", 1, price=3000)
                break
        print(await desk.positions())

What a call raises says what became of it: OrderRejected and other Rejected (no, for good), VenueUnavailable and
NotExecuted (nothing was done), OutcomeUnknown (ask again with the same client_order_id: it is done once), OrderExpired
(the order's day has ended: what it traded the venue's statement says).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from decimal import Decimal
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from aegis.contracts.orders import (
    Account,
    AccountReported,
    Hedge,
    Mode,
    Offset,
    Order,
    OrderReported,
    OrderType,
    Position,
    PositionReported,
    Side,
    Trade,
    TradeReported,
)
from aegis.contracts.reasons import explained
from aegis.contracts.trading import (
    ACCOUNT,
    CANCEL_ORDER,
    KILL,
    ORDERS,
    POSITIONS,
    RECONCILE,
    SET_MODE,
    TAKE_BOOKS,
    TRADES,
    AccountRequest,
    CancelOrder,
    FlattenReply,
    FlattenRequest,
    KillReply,
    KillRequest,
    OrderRequest,
    OrdersRequest,
    PositionsRequest,
    ReconcileReply,
    ReconcileRequest,
    SetMode,
    SplitPolicy,
    TakeBooks,
    TradesRequest,
)
from aegis.contracts.trading_stores import STATEMENTS, group_name, statement_name
from aegis.order_calls import CancelsAsked, cancels_asked, flattened, found, placed
from aegis.ticks import TickSubscription, subscribe_ticks
from aegis_sdk import subjects
from aegis_sdk.client import Client
from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    CodecError,
    InvalidRequest,
    NotFound,
    StreamError,
    Unavailable,
)
from aegis_sdk.events import STREAM
from aegis_sdk.kv import KeyValue
from aegis_sdk.method import Method
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport

__all__ = ["Change", "Desk", "Snapshot"]

Reply = TypeVar("Reply", bound=BaseModel)
Request = TypeVar("Request", bound=BaseModel)

_KINDS: Final = ("order", "trade", "position", "account")
_AGAIN_S: Final = 0.1


class Snapshot(BaseModel):
    """An account as it was at `sequence`, or a little later; events above it are news."""

    orders: list[Order]
    trades: list[Trade]  # of the trading day, as the orders are
    positions: list[Position]
    account: Account
    sequence: int


Change = OrderReported | TradeReported | PositionReported | AccountReported
_CHANGES: Final[dict[str, TypeAdapter[Change]]] = {
    "order": TypeAdapter(OrderReported),
    "trade": TypeAdapter(TradeReported),
    "position": TypeAdapter(PositionReported),
    "account": TypeAdapter(AccountReported),
}


class Desk:
    """One account of a desk. `timeout_s` bounds each call."""

    def __init__(
        self, account: str, urls: Sequence[str] = (), *, user: str = "", password: str = "", timeout_s: float = 5.0
    ) -> None:
        self.account_name = account
        self._way_in = (tuple(urls), user, password)
        self._timeout_s = timeout_s
        self._transport: Transport | None = None
        self._is_ours = True
        self._key = ""

    @classmethod
    def over(cls, transport: Transport, account: str, timeout_s: float = 5.0, key: str = "") -> Self:
        """On a connection that is there already, and stays; with a key other than the one that it is called by."""
        desk = cls(account, timeout_s=timeout_s)
        desk._key = key
        desk._transport, desk._is_ours = transport, False
        return desk

    async def __aenter__(self) -> Self:
        if self._transport is None:
            urls, user, password = self._way_in
            self._transport = await NatsTransport.connect(urls, user=user, password=password, name="desk")
        self._client = Client(self._transport)
        self._key = self._key or await self._group() or self.account_name
        return self

    async def _group(self) -> str:
        """That of the account; empty where it is none's. Raises Unavailable where nobody trades in time.

        What names it comes with the first instance that trades, and each server of a cluster hears of it later.
        """
        bucket, ends = KeyValue(self._connected, "aegis_config"), time.monotonic() + self._timeout_s
        while True:
            try:
                group = await bucket.get(group_name(self.account_name))
            except StreamError as error:
                if error.code != STREAM_NOT_FOUND:
                    raise
            else:
                return "" if group is None else group.value.decode()
            if time.monotonic() >= ends:
                raise Unavailable("nothing has been traded on this desk yet: is an instance of `trading` running?")
            await asyncio.sleep(_AGAIN_S)

    async def __aexit__(self, *_: object) -> None:
        if self._is_ours and self._transport is not None:
            await self._transport.close()
            self._transport = None

    def ticks(self, *patterns: str) -> AbstractAsyncContextManager[TickSubscription]:
        """The latest tick of each instrument, then every one as it comes: see `aegis.ticks`."""
        return subscribe_ticks(self._connected, *patterns)

    # Orders

    async def place(
        self,
        instrument: str,
        side: Side,
        volume: int,
        *,
        price: Decimal | int | str | None = None,
        offset: Offset = "open",
        split: SplitPolicy | None = None,
        type: OrderType = "limit",
        hedge: Hedge = "speculation",
        strategy_id: str = "",
        client_order_id: str = "",
        narrow: bool = False,
    ) -> list[Order]:
        """The order, or the two that a split makes, as the venue has answered for them; by a name once, for ever.

        With `narrow` a price beyond the account's collar becomes the collar's edge, in place of a refusal.
        """
        name = client_order_id or secrets.token_hex(8)
        request = OrderRequest(
            account=self.account_name,
            client_order_id=name,
            strategy_id=strategy_id,
            instrument=instrument,
            side=side,
            offset=offset,
            split=split,
            hedge=hedge,
            type=type,
            price=None if price is None else Decimal(price),
            narrow=narrow,
            volume=volume,
        )
        assert self._key, "a Desk is used inside of `async with`"
        return (await placed(self._client, self._key, request, self._timeout_s)).orders

    async def cancel(self, client_order_id: str) -> Order:
        """The order as it is now; whether it was cancelled a report says. Raises CancelRefused, VenueUnavailable."""
        request = CancelOrder(account=self.account_name, client_order_id=client_order_id)
        return (await self._call(CANCEL_ORDER, request)).order

    async def cancel_all(self) -> CancelsAsked:
        """Ask the venue to cancel each order that works now. The mode stays, and so does what is placed meanwhile."""
        assert self._key, "a Desk is used inside of `async with`"
        return await cancels_asked(self._client, self._key, self.account_name, self._timeout_s)

    async def set_mode(self, mode: Mode | None = None, *, armed: bool | None = None, reason: str = "") -> Account:
        """What is None stays as it is; one of them is given."""
        request = SetMode(account=self.account_name, mode=mode, armed=armed, reason=reason)
        return (await self._call(SET_MODE, request)).state

    async def kill(self, reason: str = "") -> KillReply:
        """Halt, and cancel all that works. Positions stay."""
        return await self._call(KILL, KillRequest(account=self.account_name, reason=reason))

    async def flatten(self, confirm: str, instruments: Sequence[str] = ()) -> FlattenReply:
        """Close all positions, or those of some instruments; `confirm` repeats the account's name."""
        asked = FlattenRequest(account=self.account_name, confirm=confirm, instruments=list(instruments))
        assert self._key, "a Desk is used inside of `async with`"
        return await flattened(self._client, self._key, asked, self._timeout_s)

    async def take_books(self, confirm: str, reason: str = "") -> ReconcileReply:
        """Take the venue's positions and money for ours, and compare; `confirm` repeats the account's name."""
        return await self._call(TAKE_BOOKS, TakeBooks(account=self.account_name, confirm=confirm, reason=reason))

    async def reconcile(self) -> ReconcileReply:
        return await self._call(RECONCILE, ReconcileRequest(account=self.account_name))

    # What there is

    async def orders(self, *, working: bool = False, strategy_id: str = "", instrument: str = "") -> list[Order]:
        """Of the trading day."""
        return (await self._orders(working, strategy_id, instrument))[0]

    async def find(self, client_order_id: str) -> list[Order]:
        """What was placed by that name on the trading day; two orders where it was split.

        None is for certain, but for a call that has just ended unknown: it may still come. Raises Unavailable where it
        is not certain now.
        """
        assert self._key, "a Desk is used inside of `async with`"
        return await found(self._client, self._key, self.account_name, client_order_id, self._timeout_s)

    async def trades(self, *, strategy_id: str = "") -> list[Trade]:
        found: list[Trade] = []
        after = 0
        while True:
            request = TradesRequest(account=self.account_name, strategy_id=strategy_id, after=after)
            page = await self._call(TRADES, request)
            found += page.trades
            after = page.next
            if not after:
                return found

    async def positions(self, instrument: str = "") -> list[Position]:
        request = PositionsRequest(account=self.account_name, instrument=instrument)
        return (await self._call(POSITIONS, request)).positions

    async def account(self) -> Account:
        return (await self._call(ACCOUNT, AccountRequest(account=self.account_name))).state

    async def statement(self, day: str = "") -> str:
        """The settlement statement that was confirmed on a trading day, else on this one: that of the day before.

        Empty where the venue has none; raises NotFound where none is stored. A longer one ends after 512 KiB.
        """
        day = day or (await self.account()).trading_day
        found = await KeyValue(self._connected, STATEMENTS).get(statement_name(self.account_name, day))
        if found is None:
            raise explained(NotFound, "no_statement", account=self.account_name, day=day)
        return found.value.decode()

    async def snapshot(self) -> Snapshot:
        """All of it; what changes while it is asked for is in events above its sequence, too."""
        orders, first = await self._orders(False, "", "")
        trades = await self.trades()
        positions = await self.positions()
        account = await self.account()
        return Snapshot(orders=orders, trades=trades, positions=positions, account=account, sequence=first)

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncGenerator[Snapshot | Change]]:
        """The account as it is, then each event, in order and once. Where one was lost, the account as it is again."""
        stream = subjects.event("trading", self.account_name, subjects.REST)
        position = await self._position()
        begun = await self.snapshot()
        async with self._connected.read(STREAM, stream, after=position) as messages:

            async def changes() -> AsyncGenerator[Snapshot | Change]:
                yield (now := begun)
                sequence = now.sequence
                async for message in messages:
                    kind = subjects.split(message.subject)[-1] if message is not None else ""
                    if message is None or kind not in _CHANGES:
                        continue
                    try:
                        change = _CHANGES[kind].validate_json(message.payload)
                    except ValidationError as error:
                        raise CodecError(f"an event of {self.account_name} cannot be read: {error}") from None
                    if change.sequence <= sequence:
                        continue
                    if change.sequence > sequence + 1:
                        yield (now := await self.snapshot())
                        sequence = max(now.sequence, sequence)
                    if change.sequence > sequence:
                        sequence = change.sequence
                        yield change

            async with aclosing(changes()) as following:
                yield following

    async def _position(self) -> int:
        """Behind which events of the stream are newer than what is asked for from now on."""
        last = [
            await self._connected.last(STREAM, subjects.event("trading", self.account_name, kind)) for kind in _KINDS
        ]
        return max((message.sequence for message in last if message is not None), default=0)

    async def _orders(self, working: bool, strategy_id: str, instrument: str) -> tuple[list[Order], int]:
        """All pages, and the sequence of the first."""
        found: list[Order] = []
        after, first = "", -1
        while True:
            request = OrdersRequest(
                account=self.account_name, working=working, strategy_id=strategy_id, instrument=instrument, after=after
            )
            page = await self._call(ORDERS, request)
            first = page.sequence if first < 0 else first
            found += page.orders
            after = page.next
            if not after:
                return found, first

    @property
    def _connected(self) -> Transport:
        if self._transport is None:
            raise InvalidRequest("a Desk is used inside of `async with`")
        return self._transport

    async def _call(self, method: Method[Any, Reply], request: BaseModel) -> Reply:
        assert self._key, "a Desk is used inside of `async with`"
        return (await self._client.call_active(method, self._key, request, timeout=self._timeout_s)).value
