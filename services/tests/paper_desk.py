"""A paper account without a service: orders and ticks are decided, written, read and applied, as a journal would."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from paper_stage import DAY, tick
from trading_desk import MEAL, REBAR, terms

from aegis.contracts.orders import Order
from aegis.contracts.paper import PaperReport
from aegis.contracts.venue import Cancel, Submit, Submitted
from aegis.paper.domain.account import PaperAccount
from aegis.paper.domain.applying import apply
from aegis.paper.domain.changes import Change, DayBegun, read_changes, write_changes
from aegis.paper.domain.deciding import Sight, cancelling, entering, filling, opening, repeated
from aegis.paper.domain.foresight import Coming, Foresight
from aegis.paper.domain.market import Market
from aegis.paper.domain.matching import Depth

MONEY: Final = Decimal(1_000_000)
FRESH_NS: Final = 10**18


class PaperDesk:
    """One account `P0`, told step by step; what was journaled is in `journal`, what was reported in `reports`."""

    def __init__(self) -> None:
        self.account = PaperAccount()
        self.market = Market("sim", "stage")
        self.depths: dict[str, Depth] = {}
        self.known = {one.instrument: one for one in (terms(), terms(MEAL))}
        self.journal: list[bytes] = []
        self.reports: list[PaperReport] = []
        self.together = False
        self.decided: list[Coming] = []
        self._volumes: dict[str, int] = {}
        self._sent = 0
        self.tell(opening("P0", MONEY, DAY, 1))

    def tell(self, *changes: Change) -> None:
        data = write_changes(changes)
        self.journal.append(data)
        for change in read_changes(data):
            self.reports += apply(self.account, change)

    def quote(
        self, bid: tuple[int, int], ask: tuple[int, int], last: int | None = None, traded: int = 0, **other: Any
    ) -> None:
        """The market moves, and who waits is filled."""
        instrument = other.pop("instrument", REBAR)
        self._volumes[instrument] = self._volumes.get(instrument, 0) + traded
        self.market.show(tick(instrument, bid, ask, last or bid[0], self._volumes[instrument], **other), 1)
        self.match(instrument)

    def match(self, instrument: str = REBAR) -> None:
        now = self.market.latest(instrument, self.account.opened.book.trading_day)
        depth = self.depths.setdefault(instrument, Depth())
        if now is None:
            return
        if not now.is_fresh(now.ts_received_ns, FRESH_NS):
            depth.show(now)
        elif (filled := filling(self.account, instrument, depth, now, 2)) is not None:
            self.tell(filled)

    def send(self, side: str, volume: int, price: int | None, **other: Any) -> Order:
        """The order as it is when it has come."""
        ask = self.ask(side, volume, price, **other)
        self.submit(ask)
        return self.order(ask.client_order_id)

    def ask(self, side: str, volume: int, price: int | None, **other: Any) -> Submit:
        self._sent += 1
        facts: dict[str, Any] = {
            "account": "P0",
            "client_order_id": f"o{self._sent}",
            "instrument": REBAR,
            "side": side,
            "offset": "open",
            "hedge": "speculation",
            "type": "limit",
            "price": None if price is None else Decimal(price),
            "volume": volume,
        }
        return Submit(**{**facts, **other})

    def submit(self, ask: Submit) -> Submitted | None:
        """As the service does it; the answer where the name was used before."""
        if (answer := repeated(self.account, ask)) is not None:
            return answer
        day = self.account.opened.book.trading_day
        now = self.market.latest(ask.instrument, day)
        fresh = now is not None and now.is_fresh(now.ts_received_ns, FRESH_NS)
        prices = self.market.prices(self.known, day)
        sight = Sight(self.known.get(ask.instrument) if now else None, now, fresh, prices)
        depth = self.depths.setdefault(ask.instrument, Depth())
        if now is not None:
            depth.show(now)
        with Foresight(self.account, self.decided) as ahead:
            coming = entering(self.account, ask, ahead.number, sight, depth, 2)
        if self.together:
            self.decided.append(coming)
        else:
            self.tell(coming.entered)
        return None

    def send_together(self, *asks: Submit) -> list[Order]:
        """Orders that are decided before the first of them is journaled."""
        self.together = True
        for ask in asks:
            self.submit(ask)
        self.together = False
        self.tell(*(one.entered for one in self.decided))
        self.decided.clear()
        return [self.order(ask.client_order_id) for ask in asks]

    def cancel(self, client_order_id: str, venue_order_id: str = "") -> Submitted:
        cancel = Cancel(account="P0", instrument=REBAR, client_order_id=client_order_id, venue_order_id=venue_order_id)
        answer, change = cancelling(self.account, cancel, 3)
        if change is not None:
            self.tell(change)
        return answer

    def begin_day(self, day: str, ended: Sequence[str] = (), **settlements: int) -> None:
        """`begin_day("20251202", rb2605=3010)`"""
        prices = {
            name: Decimal(price)
            for symbol, price in settlements.items()
            for name in (REBAR, MEAL)
            if name.endswith(f".{symbol}")
        }
        self.depths.clear()
        self.tell(DayBegun(ts_ns=9, trading_day=day, settlements=prices, ended=list(ended)))

    def order(self, client_order_id: str) -> Order:
        return self.account.opened.book.orders[client_order_id]

    def fills(self, client_order_id: str) -> list[tuple[Decimal, int]]:
        trades = self.account.opened.book.trades.values()
        return [(one.price, one.volume) for one in trades if one.client_order_id == client_order_id]
