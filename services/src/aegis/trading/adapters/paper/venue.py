"""The paper venue as trading sees it: a service that is called, and reports that are listened to.

What is lost on the way is asked for by its number, so a session lasts while that works: over lost connections, and
over restarts of the venue. Where it does not, because too much was missed, a new session begins, as the port wants it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, TypeVar

import structlog
from pydantic import BaseModel

from aegis.accounting.exchange_rules import Phase
from aegis.accounting.rules import Rules
from aegis.contracts.orders import AccountName, InstrumentName
from aegis.contracts.paper import (
    ACCOUNT,
    CANCEL,
    MOST_ORDERS,
    ORDERS,
    PAGE,
    POSITIONS,
    SUBMIT,
    TERMS,
    TRADES,
    AccountRequest,
    Page,
    PaperReport,
    SubmitRequest,
    TermsRequest,
)
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
from aegis.trading.adapters.paper.reports import Reports
from aegis.trading.ports import VenueSink
from aegis_sdk.client import Client
from aegis_sdk.errors import (
    AegisError,
    DeadlineExceeded,
    InvalidRequest,
    NotExecuted,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)
from aegis_sdk.method import Method
from aegis_sdk.transport import Transport

__all__ = ["PaperVenue", "unanswered"]

_log = structlog.get_logger("aegis.trading.paper")
_QUIET_S: Final = 3.0
"""Without a report, not even the beat of every second, for so long the venue is down."""

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)


class _Submit(NamedTuple):
    order: Submit
    answer: asyncio.Future[Submitted]


class PaperVenue:
    """Implements `aegis.trading.ports.Venue`. `timeout_s` bounds each call."""

    def __init__(self, transport: Transport, accounts: Sequence[AccountName], timeout_s: float = 2.0) -> None:
        self._transport = transport
        self._client = Client(transport)
        self._accounts = tuple(accounts)
        self._timeout_s = timeout_s
        self._sink: VenueSink | None = None
        self._session = ""
        self._sequence = 0
        self._is_ready = False
        self._watching: asyncio.Task[None] | None = None
        self._submits: dict[AccountName, list[_Submit]] = {}  # of this turn of the loop
        self._sending: set[asyncio.Task[None]] = set()
        self._reports = Reports(transport, self._client, self._accounts, self._heard, self._missed, timeout_s)

    @property
    def session(self) -> str:
        return self._session

    async def open(self, sink: VenueSink) -> None:
        """Listen, and learn where each account's reports stand; waits for the venue for as long as it takes."""
        self._sink = sink
        await self._reports.open()
        self._begin_session()
        self._watching = asyncio.create_task(self._watch(), name="paper venue")

    async def close(self) -> None:
        self._sink = None
        self._session = ""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
            self._watching = None
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._reports.close()

    # Orders

    async def submit(self, order: Submit) -> Submitted:
        """One call for all orders of an account that are sent in one turn of the loop, and are still wanted behind it.

        Where its answer is lost it is asked for again, by an idempotency key: an order is taken once.
        """
        loop = asyncio.get_running_loop()
        if not self._submits:
            loop.call_soon(self._send)
        submit = _Submit(order, loop.create_future())
        self._submits.setdefault(order.account, []).append(submit)
        return await submit.answer

    def _send(self) -> None:
        submits, self._submits = self._submits, {}
        for account, waiting in submits.items():
            wanted = [one for one in waiting if not one.answer.done()]
            for first in range(0, len(wanted), MOST_ORDERS):
                part = wanted[first : first + MOST_ORDERS]
                task = asyncio.create_task(self._ask(account, part), name="submit")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
                task.add_done_callback(partial(_give_up, part))

    async def _ask(self, account: AccountName, submits: list[_Submit]) -> None:
        request = SubmitRequest(orders=[one.order for one in submits])
        try:
            answers = (await self._client.call_active(SUBMIT, account, request, timeout=self._timeout_s)).value.answers
        except AegisError as error:
            answers = [unanswered(error)] * len(submits)
        for one, answer in zip(submits, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    async def cancel(self, cancel: Cancel) -> Submitted:
        try:
            return (await self._client.call_active(CANCEL, cancel.account, cancel, timeout=self._timeout_s)).value
        except AegisError as error:
            return unanswered(error)

    # Queries

    async def trading_day(self, account: AccountName) -> str:
        return (await self.account(account)).trading_day

    async def orders(self, account: AccountName) -> Sequence[VenueOrder]:
        found: list[VenueOrder] = []
        while True:
            page = await self._asked(ORDERS, account, Page(account=account, after=len(found)))
            if found and found[0].trading_day != page.trading_day:
                found = []  # a new day began between two pages
                continue
            found += page.orders
            if len(page.orders) < PAGE:
                return found

    def phase(self, instrument: InstrumentName) -> Phase | None:
        return None

    async def rules(self, account: AccountName, given: Rules) -> Rules:
        return given

    async def look_up(self, account: AccountName) -> None:
        """`orders` asks each time."""

    async def trades(self, account: AccountName) -> Sequence[VenueTrade]:
        found: list[VenueTrade] = []
        while True:
            page = await self._asked(TRADES, account, Page(account=account, after=len(found)))
            if found and found[0].trading_day != page.trading_day:
                found = []
                continue
            found += page.trades
            if len(page.trades) < PAGE:
                return found

    async def positions(self, account: AccountName) -> Sequence[VenuePosition]:
        return (await self._asked(POSITIONS, account, AccountRequest(account=account))).positions

    async def account(self, account: AccountName) -> VenueAccount:
        return await self._asked(ACCOUNT, account, AccountRequest(account=account))

    async def terms(self, account: AccountName, instruments: Sequence[InstrumentName]) -> Sequence[InstrumentTerms]:
        found: list[InstrumentTerms] = []
        for start in range(0, len(instruments), PAGE):
            asked = TermsRequest(account=account, instruments=list(instruments[start : start + PAGE]))
            found += (await self._asked(TERMS, account, asked)).terms
        return found

    async def confirm_settlement(self, account: AccountName) -> str:
        """There is no statement to confirm."""
        return ""

    async def _asked(self, method: Method[Request, Reply], account: AccountName, request: Request) -> Reply:
        try:
            return (await self._client.call_active(method, account, request, timeout=self._timeout_s)).value
        except NotExecuted as error:
            raise Unavailable(str(error)) from error
        except OutcomeUnknown as error:
            raise DeadlineExceeded(str(error)) from error

    # Reports

    def _begin_session(self) -> None:
        self._session = f"paper-{secrets.token_hex(4)}"
        self._sequence = 0
        self._is_ready = True
        self._tell(VenueReport(session=self._session, sequence=1, state="ready"))

    def _heard(self, report: PaperReport) -> None:
        """The next report of an account, each once and in order."""
        if report.order is not None or report.trade is not None:
            self._tell(self._numbered(order=report.order, trade=report.trade))
        elif report.trading_day is not None:
            self._tell(self._numbered(state="ready", trading_day=report.trading_day))

    def _missed(self, account: str) -> None:
        """Reports are lost for good: whoever listens has to ask what there is."""
        _log.warning("reports_missed", account=account, hint="a new session begins")
        self._begin_session()

    def _numbered(self, **what: object) -> VenueReport:
        return VenueReport.model_validate({"session": self._session, "sequence": self._sequence + 1, **what})

    def _tell(self, report: VenueReport) -> None:
        self._sequence = report.sequence
        if self._sink is None:
            return
        try:
            self._sink.reported(report)
        except Exception:
            _log.exception("report_not_taken", session=report.session, sequence=report.sequence)

    async def _watch(self) -> None:
        """Ready is a venue that is heard and whose reports are caught up with."""
        loop = asyncio.get_running_loop()
        while True:
            await self._reports.changed(within=_QUIET_S / 6)
            ready = self._reports.is_whole and loop.time() - self._reports.heard_at < _QUIET_S
            if ready != self._is_ready:
                self._is_ready = ready
                self._tell(self._numbered(state="ready" if ready else "down"))


def _give_up(submits: Sequence[_Submit], _: asyncio.Task[None]) -> None:
    """Nobody waits for a call that has ended without a word for its order, as by `close`."""
    for one in submits:
        if not one.answer.done():
            one.answer.set_result(unanswered(OutcomeUnknown("the call was given up")))


def unanswered(error: AegisError) -> Submitted:
    """What became of a Submit or Cancel whose call ended so; what is not known is `unknown`."""
    match error:
        case NotExecuted():
            return Submitted(outcome="not_sent", reason="not_executed", text=str(error)[:256])
        case Rejected() | InvalidRequest():
            return Submitted(outcome="refused", reason=error.code[:48], text=error.message[:256])
        case _:
            return Submitted(outcome="unknown", reason="no_answer", text=str(error)[:256])
