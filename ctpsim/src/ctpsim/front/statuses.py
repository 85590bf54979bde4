"""What the exchanges say of their products' phases: all of it to who logs in, each change to everybody."""

from __future__ import annotations

from typing import Final

from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import Phase
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter
from ctpsim.front.trader_side import TraderSide
from ctpsim.market.depth import clock_text

__all__ = ["Statuses"]

_MATCH: Final = "5"
_LETTERS: Final = {Phase.CLOSED: "6", Phase.BREAK: "1", Phase.AUCTION: "3", Phase.TRADING: "2"}

Product = tuple[str, str]


class Statuses:
    """`look` once in a while. Products whose hours are not known, and options, have none."""

    def __init__(self, counter: Counter, side: TraderSide) -> None:
        self._counter = counter
        self._side = side
        self._told: dict[Product, str] = {}
        side.on_login = self._greet

    def look(self) -> None:
        now = self._now()
        changed = {product: letter for product, letter in now.items() if self._told.get(product) != letter}
        self._told = now
        for client in self._side.logged_in():
            self._tell(client, changed)

    def _greet(self, client: Client) -> None:
        self._tell(client, self._told)

    def _tell(self, client: Client, statuses: dict[Product, str]) -> None:
        _, second = self._counter.market.now()
        for (exchange, code), letter in statuses.items():
            told = {
                "ExchangeID": exchange,
                "InstrumentID": code,
                "InstrumentStatus": letter,
                "EnterTime": clock_text(second),
            }
            client.send(self._side.answers.frame("OnRtnInstrumentStatus", told))

    def _now(self) -> dict[Product, str]:
        market = self._counter.market
        (_, second), day = market.now(), market.trading_day()
        found: dict[Product, str] = {}
        for listing in market.listings().values():
            product = None if listing.option else product_of(listing.exchange, listing.symbol)
            if product is not None and (listing.exchange, product.code) not in found:
                hours = product.hours.on(day)
                letter = _MATCH if hours.is_match(second) else _LETTERS[Phase(hours.phases[second])]
                found[listing.exchange, product.code] = letter
        return found
