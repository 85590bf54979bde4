"""A venue without processes, that keeps books of its own and fails where a test wants it, and when an instance dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any

from trading_desk import DAY, REBAR, terms

from aegis.accounting.book import Book
from aegis.accounting.exchange_rules import Phase
from aegis.accounting.rules import Rules
from aegis.contracts.orders import Order
from aegis.contracts.venue import (
    Cancel,
    InstrumentTerms,
    Submit,
    Submitted,
    VenueAccount,
    VenueOrder,
    VenuePosition,
    VenueReport,
    VenueTrade,
)
from aegis.trading.domain.applying import apply
from aegis.trading.domain.changes import (
    AccountOpened,
    CancelAsked,
    Change,
    DayRolled,
    Intended,
    OrdersIntended,
    OrderTold,
    TermsLearned,
    TradeTold,
)
from aegis.trading.domain.group import Group
from aegis.trading.domain.views import account_of, position_of
from aegis.trading.ports import VenueSink
from aegis_sdk.errors import DeadlineExceeded, Unavailable

ACCOUNT = "a"


class Killed(Exception):
    """The instance died here."""


@dataclass
class Fate:
    """When an instance dies: at the `at`th `intend`, `submit`, `cancel`, `commit` or `entry` that is no call's."""

    step: str = ""
    when: str = "before"  # or after it was done
    at: int = 1
    seen: Counter[str] = field(default_factory=Counter[str])
    is_dead: bool = False

    def comes(self, step: str, when: str) -> None:
        if self.is_dead:
            raise Killed("dead already")
        if (step, when) == (self.step, self.when):
            self.seen[step] += 1
            if self.seen[step] == self.at:
                self.is_dead = True
                raise Killed(f"{when} {step}")


class ScriptedVenue:
    """Keeps its own books by its own journal, whoever asks; `arrives` and `answers` say what becomes of a submit."""

    def __init__(self) -> None:
        self.group = Group()
        self.listeners: list[Connection] = []
        self.submits: Counter[str] = Counter()
        self.numbers = count(1)
        self.is_up = True
        self.is_silent = False  # connected, and what it is asked it has not read yet
        self.cancels: Counter[str] = Counter()
        self.cancels_arrive = True
        self.cancels_left: int | None = None  # so many it takes yet; None: any number
        self.arrives = self.answers = self.reports = True
        self.fills_at_once = True
        self.price = 3000
        self.statements = 0
        self.voids = False
        self.under_way: list[Submit] = []  # what was sent and did not arrive, so far
        self.void: set[str] = set()  # names that were cancelled before they came
        self.tell(AccountOpened(**self.now(), env="sim", trading_day=DAY, pre_balance=Decimal(1_000_000)))
        self.terms = {REBAR: terms()}
        self.phases: dict[str, Phase] = {}  # that its exchange has told
        self.tell(TermsLearned(**self.now(), terms=terms()))

    @property
    def book(self) -> Book:
        return self.group.books[ACCOUNT]

    def now(self) -> dict[str, Any]:
        return {"account": ACCOUNT, "ts_ns": next(self.numbers)}

    def tell(self, change: Change) -> None:
        apply(self.group, change)

    def take(self, asked: Submit, client_order_id: str = "") -> Submitted:
        name = client_order_id or asked.client_order_id
        self.submits[name] += 1
        if self.voids and name in self.void:
            return Submitted(outcome="refused", reason="void_name")
        if name in self.book.orders:
            return Submitted(outcome="refused", reason="duplicate_id")
        order = Order(
            **asked.model_dump(exclude={"client_order_id"}),
            env="sim",
            client_order_id=name,
            request_id=name,
            strategy_id="",
            status="pending",
            trading_day=self.book.trading_day,
            ts_created_ns=1,
            ts_updated_ns=1,
        )
        self.tell(OrdersIntended(**self.now(), orders=[Intended(order=order, hold_price=asked.price or Decimal(3300))]))
        self._become(name, "accepted")
        price = asked.price or Decimal(self.price)
        crosses = price >= self.price if asked.side == "buy" else price <= self.price
        if crosses and self.fills_at_once:
            self.fill(name, asked.volume)
        return Submitted(outcome="accepted", venue_order_id=f"v{name}"[:20])

    def fill(self, name: str, lots: int) -> None:
        order = self.book.orders[name]
        lots = min(lots, order.left)
        if order.is_final or not lots:
            return
        trade = VenueTrade(
            **order.model_dump(include={"account", "client_order_id", "instrument", "side", "offset", "hedge"}),
            venue_order_id=f"v{name}"[:20],
            trade_id=str(next(self.numbers)),
            price=order.price or Decimal(self.price),
            volume=lots,
            trading_day=self.book.trading_day,
            ts_exchange_ns=next(self.numbers),
        )
        self.tell(TradeTold(**self.now(), client_order_id=name, report=trade))
        self._report(order=self.seen(self.book.orders[name]))
        self._report(trade=trade)

    def end(self, name: str) -> Submitted:
        order = self.book.orders.get(name)
        if order is None:
            self.void.add(name)
            return Submitted(outcome="refused", reason="unknown_order")
        if order.is_final:
            return Submitted(outcome="refused", reason="not_working")
        self.tell(CancelAsked(**self.now(), client_order_id=name))
        self._become(name, "cancelled")
        return Submitted(outcome="accepted")

    def roll(self, day: str, settlement: str, ended: Sequence[str] = ()) -> None:
        """The next trading day; what was still working has expired, and nothing is held of contracts that ended."""
        self.terms[REBAR] = terms(pre_settlement_price=Decimal(settlement))
        at = {REBAR: Decimal(settlement)}
        self.tell(DayRolled(**self.now(), trading_day=day, settlements=at, ended=list(ended)))
        self.tell(TermsLearned(**self.now(), terms=self.terms[REBAR]))
        self._report(state="ready", trading_day=day)

    def _become(self, name: str, status: Any) -> None:
        told = self.seen(self.book.orders[name], status)
        self.tell(OrderTold(**self.now(), client_order_id=name, report=told))
        self._report(order=told)

    def seen(self, order: Order, status: Any = None) -> VenueOrder:
        """An order as this venue sees it."""
        told = {"account", "client_order_id", "instrument", "side", "offset", "hedge", "type", "price", "volume"}
        return VenueOrder(
            **order.model_dump(include=told | {"filled", "trading_day"}),
            venue_order_id=f"v{order.client_order_id}"[:20],
            status=status or order.status,
            ts_exchange_ns=next(self.numbers),
        )

    def _report(self, **what: Any) -> None:
        for listener in self.listeners:
            listener.report(self.reports, **what)


class Connection:
    """Implements `Venue` for one instance, until that dies."""

    def __init__(self, venue: ScriptedVenue, fate: Fate) -> None:
        self.venue = venue
        self.session = f"s{next(venue.numbers)}"
        self._fate = fate
        self._sink: VenueSink | None = None
        self._sequence = 0

    def report(self, arrives: bool, **what: Any) -> None:
        """A report that is lost leaves a hole in the numbers."""
        self._sequence += 1
        if arrives and self._sink is not None and not self._fate.is_dead:
            self._sink.reported(VenueReport(session=self.session, sequence=self._sequence, **what))

    async def open(self, sink: VenueSink) -> None:
        self._sink = sink
        self.venue.listeners.append(self)
        self.report(True, state="ready")

    async def close(self) -> None:
        self._sink = None
        if self in self.venue.listeners:
            self.venue.listeners.remove(self)

    async def submit(self, order: Submit) -> Submitted:
        self._fate.comes("submit", "before")
        if not self.venue.is_up:
            return Submitted(outcome="not_sent", reason="down")
        if self.venue.arrives:
            answer = self.venue.take(order)
        else:
            self.venue.under_way.append(order)
            answer = Submitted(outcome="unknown")
        await asyncio.sleep(0)
        self._fate.comes("submit", "after")
        return answer if self.venue.answers else Submitted(outcome="unknown")

    async def cancel(self, cancel: Cancel) -> Submitted:
        self._fate.comes("cancel", "before")
        if not self.venue.is_up:
            return Submitted(outcome="not_sent", reason="down")
        self.venue.cancels[cancel.client_order_id] += 1
        if not self.venue.cancels_arrive:
            return Submitted(outcome="unknown")
        if self.venue.cancels_left is not None:
            if not self.venue.cancels_left:
                return Submitted(outcome="not_sent", reason="too_many_a_second")
            self.venue.cancels_left -= 1
        answer = self.venue.end(cancel.client_order_id)
        await asyncio.sleep(0)
        self._fate.comes("cancel", "after")
        return answer if self.venue.answers else Submitted(outcome="unknown")

    async def _asked(self) -> Book:
        await asyncio.sleep(0)
        if not self.venue.is_up or self._fate.is_dead:
            raise Unavailable("the venue is away")
        return self.venue.book

    async def trading_day(self, account: str) -> str:
        assert account == ACCOUNT
        return (await self._asked()).trading_day

    async def orders(self, account: str) -> Sequence[VenueOrder]:
        return [self.venue.seen(order) for order in (await self._asked()).orders.values()]

    def phase(self, instrument: str) -> Phase | None:
        return self.venue.phases.get(instrument)

    async def rules(self, account: str, given: Rules) -> Rules:
        return given

    async def look_up(self, account: str) -> None:
        await self._asked()
        if self.venue.is_silent:
            raise DeadlineExceeded("no answer")

    async def trades(self, account: str) -> Sequence[VenueTrade]:
        told = set(VenueTrade.model_fields)
        return [VenueTrade(**one.model_dump(include=told)) for one in (await self._asked()).trades.values()]

    async def positions(self, account: str) -> Sequence[VenuePosition]:
        book, told = await self._asked(), set(VenuePosition.model_fields)
        found = [position_of(book, key, {}) for key in book.holdings]
        return [VenuePosition(**one.model_dump(include=told)) for one in found]

    async def account(self, account: str) -> VenueAccount:
        told = set(VenueAccount.model_fields)
        return VenueAccount(**account_of(await self._asked(), {}).model_dump(include=told))

    async def terms(self, account: str, instruments: Sequence[str]) -> Sequence[InstrumentTerms]:
        await self._asked()
        return [self.venue.terms[one] for one in instruments if one in self.venue.terms]

    async def confirm_settlement(self, account: str) -> str:
        await self._asked()
        self.venue.statements += 1
        return f"statement of the day before {self.venue.book.trading_day}"
