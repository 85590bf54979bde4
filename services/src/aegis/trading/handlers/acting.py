"""What all handlers act with: venues, the market, settings, and the way to commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aegis.accounting.book import Book
from aegis.accounting.exchange_rules import Phase
from aegis.contracts.amounts import ZERO
from aegis.contracts.orders import Order, OrderEnv
from aegis.contracts.reasons import explained
from aegis.contracts.trading import OrderRejected
from aegis.contracts.venue import InstrumentTerms
from aegis.trading.domain.changes import Change, Intended, TermsLearned, write_entries
from aegis.trading.domain.checking import check, converted
from aegis.trading.domain.placing import hold_price
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.domain.situation import Refusal, Situation
from aegis.trading.keys import KeyState, now_ns
from aegis.trading.market import Market
from aegis.trading.metrics import Counts
from aegis.trading.ports import Venue
from aegis.trading.settings import AccountSettings
from aegis_sdk.errors import OutcomeUnknown, Suspended
from aegis_sdk.single_active import Held

__all__ = ["Acting"]


@dataclass(kw_only=True)
class Acting:
    """`venues` are by account; `held` gives the key as held here, or raises Moved; `tell` alerts: of whom, what, text.

    `voiding` are the venues at which a cancel makes a name void that no order has: none can come under it then.
    `elsewhere` has the accounts that `aegis_config` has under another key, and that.
    """

    accounts: dict[str, AccountSettings]
    venues: dict[str, Venue]
    market: Market
    risk: Callable[[str], RiskSettings]
    held: Callable[[str], Held]
    tell: Callable[[str, str, str], None]
    elsewhere: Mapping[str, str]
    settle_s: float
    voiding: frozenset[str] = frozenset()
    counts: Counts = field(default_factory=Counts)

    def venue(self, account: str) -> Venue:
        return self.venues[account]

    def env(self, account: str) -> OrderEnv:
        """Of its venue now, whatever the journal says."""
        return self.accounts[account].env

    def not_here(self, account: str, book: Book | None) -> Refusal | None:
        """Why an account is not traded with these books: the accounts file has given it another env or group since.

        Such an account neither asks its venue for anything nor hears it.
        """
        if (key := self.elsewhere.get(account)) is not None:
            return Refusal.of("wrong_key", key=key)
        if book is None or book.env == self.env(book.account):
            return None
        return Refusal.of("wrong_env", books=book.env, venue=self.env(book.account))

    def confirmed(self, account: str, confirm: str) -> None:
        """What is not undone is asked for by the account's name. Raises OrderRejected."""
        if confirm != account:
            raise OrderRejected("`confirm` repeats the account's name", reason="unconfirmed")

    def can_void(self, account: str) -> bool:
        return self.accounts[account].venue in self.voiding

    async def commit(self, key: str, changes: Sequence[Change]) -> None:
        """Commit what is no request's, in one entry but for what no entry holds. Raises as `Held.commit` does."""
        for entry in write_entries(changes):
            await self.held(key).commit(entry)

    async def learn(self, state: KeyState, book: Book, instruments: Iterable[str]) -> None:
        """Learn the terms of those that are not known; what its venue does not know stays so.

        Raises Moved, Suspended, or what the venue's query does.
        """
        wanted = set(instruments)
        missing = sorted(wanted - book.terms.keys())
        found = await self.venue(book.account).terms(book.account, missing) if missing else []
        learned = [self._completed(book, terms) for terms in found]
        known = [book.terms[name] for name in sorted(wanted & book.terms.keys())]
        learned += [now for before in known if (now := self._completed(book, before)) is not before]
        if learned:
            changes = [TermsLearned(account=book.account, ts_ns=now_ns(), terms=terms) for terms in learned]
            try:
                await self.commit(state.key, changes)
            except OutcomeUnknown as error:
                raise explained(Suspended, "terms_not_stored", instrument=learned[0].instrument) from error

    def _completed(self, book: Book, terms: InstrumentTerms) -> InstrumentTerms:
        """With the settlement price of the day before, where margin needs it and only the market tells it.

        A counter tells it of what was held then; of nothing else.
        """
        if book.rules.today_margin != "pre_settlement" or terms.pre_settlement_price is not None:
            return terms
        market = self.market.price(book.account, terms.instrument)
        price = market and market.pre_settlement_of(book.trading_day)
        return terms if price is None else terms.model_copy(update={"pre_settlement_price": price})

    def phase(self, account: str, instrument: str) -> Phase:
        """By its exchange's own word, or where there is none by hours and calendar."""
        return self.venue(account).phase(instrument) or self.market.phase(account, instrument)

    def situation(self, state: KeyState, book: Book, order: Order, before: int = 0) -> Situation:
        """All that is known of an order, `before` others of its request; converted where policy wants that."""
        account = book.account
        terms = book.terms.get(order.instrument)
        market = self.market.price(account, order.instrument)
        price = order.price if terms is None else hold_price(order, terms, market)
        sent = state.accounts[account].orders.last_second(time.monotonic())
        settings = self.risk(account)
        return converted(
            Situation(
                order=order,
                hold_price=ZERO if price is None else price,
                terms=terms,
                phase=self.phase(account, order.instrument),
                market=market,
                group=state.group,
                book=book,
                settings=settings,
                prices=self.market.marks(account),
                ages={} if settings.max_loss is None else self._ages(book),
                orders_last_s=sent + before,
            )
        )

    def _ages(self, book: Book) -> dict[str, float]:
        """How old the prices of what is held are, in seconds; what does not trade now has no other one to come."""
        ages = {name: self.market.age_s(book.account, name) for name in book.held}
        return {
            name: age for name, age in ages.items() if age is not None and self.phase(book.account, name) == "trading"
        }

    def checked(self, situation: Situation) -> Intended:
        """The order as it may be sent. Raises OrderRejected."""
        refusal = check(situation)
        if refusal is None and situation.order.price is None and situation.hold_price == ZERO:
            refusal = Refusal.of("no_price", instrument=situation.order.instrument)
        if refusal is not None:
            raise self.refused(refusal)
        return Intended(order=situation.order, hold_price=situation.hold_price)

    def refused(self, refusal: Refusal) -> OrderRejected:
        """The error of a refusal, counted."""
        self.counts.refused[refusal.reason] += 1
        return OrderRejected(str(refusal), reason=refusal.reason, **refusal.figures)
