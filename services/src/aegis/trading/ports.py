"""The side of trading that faces venues: one port, whether a paper venue or a CTP counter is behind it.

A venue is asked, and it reports. Both ways may fail in the middle: what was asked may have been done although no answer
came, and a report may come late, twice, or before the answer to what caused it. The domain stands all of that; a port
hides none of it, and never asks twice by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aegis.accounting.exchange_rules import Phase
from aegis.accounting.rules import Rules
from aegis.contracts.orders import AccountName, InstrumentName
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

__all__ = ["Venue", "VenueSink"]


class VenueSink(Protocol):
    """Who hears a venue, in the event loop."""

    def reported(self, report: VenueReport) -> None:
        """Something happened there. Never blocks; what it raises is logged, and ends nothing."""
        ...


class Venue(Protocol):
    """A venue, for the accounts of one login. Made closed; all calls are made in one event loop.

    Raises Unavailable where it is not connected, DeadlineExceeded where no answer came in time; `submit` and `cancel`
    raise neither: what became of them is in what they return.
    """

    @property
    def session(self) -> str:
        """New with each connection; reports are numbered in it. Empty where there is none."""
        ...

    async def open(self, sink: VenueSink) -> None:
        """Connect and stay connected; returns when it is ready. Raises AegisError where it never will be."""
        ...

    async def close(self) -> None:
        """Report nothing more. Orders that work there go on working. Closing twice is fine."""
        ...

    async def submit(self, order: Submit) -> Submitted:
        """Send an order, once. `unknown` where it may have arrived and no answer came in time."""
        ...

    async def cancel(self, cancel: Cancel) -> Submitted:
        """Ask to cancel an order, once; whether it was cancelled a report says. What never left may be sent again."""
        ...

    async def trading_day(self, account: AccountName) -> str:
        """Of the account now, `YYYYMMDD`: a venue may begin its accounts' days one after the other."""
        ...

    async def orders(self, account: AccountName) -> Sequence[VenueOrder]:
        """All of the trading day that are known, in the order in which the venue took them."""
        ...

    async def look_up(self, account: AccountName) -> None:
        """Ask for them now: behind that `orders` has whatever had reached the venue before."""
        ...

    async def trades(self, account: AccountName) -> Sequence[VenueTrade]:
        """All of the trading day, in the order in which they were made."""
        ...

    async def positions(self, account: AccountName) -> Sequence[VenuePosition]: ...

    async def account(self, account: AccountName) -> VenueAccount: ...

    async def terms(self, account: AccountName, instruments: Sequence[InstrumentName]) -> Sequence[InstrumentTerms]:
        """How these are traded and what they cost the account; unknown ones are left out."""
        ...

    def phase(self, instrument: InstrumentName) -> Phase | None:
        """What its exchange says of it now; None where nothing was said."""
        ...

    async def rules(self, account: AccountName, given: Rules) -> Rules:
        """How it counts: `given`, and in its place whatever the venue itself says of that."""
        ...

    async def confirm_settlement(self, account: AccountName) -> str:
        """The settlement statement of the day before, confirmed; a venue without one returns an empty text."""
        ...
