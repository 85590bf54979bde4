"""The journaled state of an account group: what all committed changes add up to. `restore(snapshot(x)) == x`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from aegis.accounting.book import Book
from aegis.accounting.offsets import exchange_of
from aegis.contracts.orders import Order, Trade
from aegis.contracts.venue import VenueTrade
from aegis.trading.domain.tallies import EXCHANGE_LIMITS, Tally, counted_cancel

__all__ = ["Begun", "Group", "Told", "restore", "snapshot"]


class Begun(NamedTuple):
    """An order that is about to be sent, or cancelled."""

    what: Literal["order", "cancel"]
    account: str
    client_order_id: str


@dataclass(slots=True)
class Told:
    """One event to come. An order or a trade as it is; a position by its key, and None for the account.

    These two are looked up when the event is made, which may be behind later entries: they say what is true then.
    """

    sequence: int
    what: Order | Trade | str | None
    reason: str = ""


@dataclass(slots=True)
class Group:
    """Accounts whose self-trades and cancels are counted together. `day` is that of the counts.

    `untold` is a snapshot's: of each account the events that were not stored when it was made. No change makes them
    again, for those that do lie before the snapshot.
    """

    books: dict[str, Book] = field(default_factory=dict[str, Book])
    day: str = ""
    tallies: dict[str, Tally] = field(default_factory=dict[str, Tally])  # by instrument
    sides: dict[str, str] = field(default_factory=dict[str, str])  # the side of each match that was ours first
    begun: dict[str, list[Begun]] = field(default_factory=dict[str, list[Begun]])  # by the call's idempotency key
    untold: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])

    def tally(self, instrument: str) -> Tally:
        return self.tallies.setdefault(instrument, Tally())

    def begin_day(self, day: str) -> None:
        """Counts begin anew with the first account that enters a later day."""
        if day > self.day:
            self.day = day
            self.tallies.clear()
            self.sides.clear()

    def count_order(self, before: Order | None, after: Order) -> None:
        """An order counts when it reaches the exchange, a cancel when it is done."""
        if after.ts_accepted_ns and not (before and before.ts_accepted_ns):
            self.tally(after.instrument).orders += 1
        if counted_cancel(after) and not (before and counted_cancel(before)):
            tally = self.tally(after.instrument)
            tally.cancels += 1
            limits = EXCHANGE_LIMITS.get(exchange_of(after.instrument))
            terms = self.books[after.account].terms.get(after.instrument)
            if limits and terms and limits.is_large(after.left, terms.max_limit_volume):
                tally.large_cancels += 1

    def count_trade(self, report: VenueTrade, trade: Trade) -> bool:
        """Whether its other side is ours too: both have the same id of one match."""
        key = f"{report.instrument}|{report.trade_id}"
        is_own = self.sides.setdefault(key, trade.side) != trade.side
        if is_own:
            self.tally(report.instrument).self_trades += 1
        return is_own


_GROUP: Final = TypeAdapter(Group)


def snapshot(group: Group) -> bytes:
    """All of it as JSON; some 600 bytes an order of the day and 500 a trade."""
    return _GROUP.dump_json(group)


def restore(data: bytes | None) -> Group:
    """What `snapshot` wrote, an empty group from None. Raises pydantic's ValidationError for anything else."""
    return Group() if data is None else _GROUP.validate_json(data)
