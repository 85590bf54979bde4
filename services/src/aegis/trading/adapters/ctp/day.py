"""The orders and trades of one trading day at a counter, as its private stream and its queries tell them. Pure.

The stream begins anew with each session, and a query tells all of it once more, so the same comes many times, and what
was true then comes after what is true now. An order is news where more of it is filled, where it has become final, or
where its exchange has given it a number; a trade is news once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from aegis.contracts.venue import VenueOrder, VenueTrade
from aegis.trading.adapters.ctp.frames import Record
from aegis.trading.adapters.ctp.naming import Names, tag_of
from aegis.trading.adapters.ctp.records import instrument_of, order_of, trade_of
from aegis.trading.adapters.ctp.requests import OrderKey, split_instrument
from aegis.trading.adapters.ctp.words import UNANSWERED

__all__ = ["Day", "Entry"]

_FINAL: Final = frozenset({"filled", "cancelled", "rejected"})

Number = tuple[str, str]
"""Exchange and OrderSysID."""


@dataclass(slots=True)
class Entry:
    """An order as it is known now."""

    order: VenueOrder
    key: OrderKey
    memo: str
    is_answered: bool  # by its exchange

    @property
    def is_final(self) -> bool:
        return self.order.status in _FINAL


class Day:
    """Of one account. `known` gives the names that its journal has of the trading day."""

    def __init__(self, account: str, known: Callable[[], Iterable[str]]) -> None:
        self.trading_day = ""
        self.names = Names(known)
        self._account = account
        self._entries: list[Entry] = []
        self._by_key: dict[OrderKey, Entry] = {}
        self._by_number: dict[Number, Entry] = {}
        self._by_memo: dict[str, Entry] = {}
        self._keys: dict[str, OrderKey] = {}  # of names that were sent from here
        self._names: dict[OrderKey, str] = {}
        self._trades: dict[tuple[str, ...], VenueTrade] = {}

    def begin(self, trading_day: str) -> None:
        """Another session. Nothing of an earlier day counts any more."""
        if trading_day == self.trading_day:
            return
        self.trading_day = trading_day
        self.names.forget()
        self._entries.clear()
        for table in (self._by_key, self._by_number, self._by_memo, self._keys, self._names, self._trades):
            table.clear()

    # What is sent

    def expect(self, name: str, key: OrderKey) -> str:
        """An order is about to be sent under this key; the tag to send it with."""
        self._keys[name] = key
        self._names[key] = name
        return self.names.learn(name)

    def forget(self, name: str) -> None:
        """It was not sent after all."""
        self._names.pop(self._keys.pop(name, (0, 0, "")), None)

    def knows(self, name: str) -> bool:
        """Whether an order of that name was sent today, by us or by whoever was here before."""
        return name in self._keys or tag_of(name) in self._by_memo

    def key_of(self, name: str) -> OrderKey | None:
        return self._keys.get(name)

    # What is told

    def order(self, record: Record) -> tuple[Entry, bool]:
        """The order as it is known from now on, and whether that is news. Raises ValueError, KeyError."""
        key = record["FrontID"], record["SessionID"], record["OrderRef"]
        number = record["ExchangeID"], record["OrderSysID"]
        is_answered = record["OrderStatus"] != UNANSWERED
        known = self._by_number.get(number) or self._without_number(key, record)
        told = order_of(record, self._account, self._name_of(record["OrderMemo"], key, known))
        if known is None:
            known = Entry(told, key, record["OrderMemo"], is_answered)
            self._entries.append(known)
            self._by_key[key] = known
            if known.memo:
                self._by_memo.setdefault(known.memo, known)
            is_news = True
        else:
            is_news = _progress(told) > _progress(known.order)
            if is_news:
                known.order, known.is_answered = told, is_answered
        if record["OrderSysID"]:
            self._by_number[number] = known
        return known, is_news

    def _name_of(self, memo: str, key: OrderKey, known: Entry | None) -> str:
        """By the key only where the counter shows no memo: one that was restarted gives keys anew.

        A second order of a name is nobody's, so that it is adopted, and told.
        """
        if not memo:
            return self._names.get(key, "")
        return self.names.find(memo) if self._by_memo.get(memo, known) is known else ""

    def _without_number(self, key: OrderKey, record: Record) -> Entry | None:
        """The order of that key, unless its exchange calls it otherwise than this record."""
        found = self._by_key.get(key)
        if found is None or found.memo != record["OrderMemo"]:
            return None
        numbers = found.order.venue_order_id, record["OrderSysID"]
        return found if numbers[0] == numbers[1] or "" in numbers else None

    def trade(self, record: Record) -> VenueTrade | None:
        """A trade that was not known. Raises ValueError, KeyError."""
        entry = self._by_number.get((record["ExchangeID"], record["OrderSysID"]))
        trade = trade_of(record, self._account, self._named(entry).client_order_id if entry else "")
        key = (
            *(trade.trading_day, instrument_of(record), trade.venue_order_id),
            *(trade.trade_id, trade.side),
        )
        if trade.trading_day != self.trading_day or key in self._trades:
            return None
        self._trades[key] = trade
        return trade

    # What is known

    def find(self, name: str, instrument: str, venue_order_id: str) -> Entry | None:
        """By the exchange's number, else by our name."""
        found = self._by_number.get((split_instrument(instrument)[0], venue_order_id)) if venue_order_id else None
        if found is None and name:
            key = self._keys.get(name)
            found = self._by_memo.get(tag_of(name)) or (self._by_key.get(key) if key else None)
        return found

    def orders(self) -> list[VenueOrder]:
        return [self._named(entry) for entry in self._entries]

    def trades(self) -> list[VenueTrade]:
        return [self._trade_named(trade) for trade in self._trades.values()]

    def _named(self, entry: Entry) -> VenueOrder:
        """With its name, where only now somebody knows it."""
        if not entry.order.client_order_id and (name := self._name_of(entry.memo, entry.key, entry)):
            entry.order = entry.order.model_copy(update={"client_order_id": name})
        return entry.order

    def _trade_named(self, trade: VenueTrade) -> VenueTrade:
        if trade.client_order_id:
            return trade
        entry = self._by_number.get((split_instrument(trade.instrument)[0], trade.venue_order_id))
        return trade.model_copy(update={"client_order_id": self._named(entry).client_order_id}) if entry else trade


def _progress(order: VenueOrder) -> tuple[int, bool, bool]:
    """Only ever grows while an order lives, whatever is told again of what it was."""
    return order.filled, order.status in _FINAL, bool(order.venue_order_id)
