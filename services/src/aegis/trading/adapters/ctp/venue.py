"""A CTP counter as a venue: one login that trades, in sessions of a process each, for as long as the venue is open.

A session that fails or falls silent is ended and followed by another, after a pause that grows. Each begins with the
private stream of the whole trading day and a query of its orders and trades; what is known is not told again. Then the
venue is ready. Afterwards orders and trades are answered from what the stream has told, and positions and money are
queried.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import uuid4

import structlog

from aegis.accounting.exchange_rules import Phase
from aegis.accounting.rules import Rules
from aegis.contracts.orders import AccountName, InstrumentName
from aegis.contracts.reasons import Reason
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
from aegis.ctp.attempts import Attempts, Patience
from aegis.ctp.failures import Kind
from aegis.trading.adapters.ctp.day import Day
from aegis.trading.adapters.ctp.frames import Answer, NotTaken, Ready, Record, Start, Told
from aegis.trading.adapters.ctp.live import Live
from aegis.trading.adapters.ctp.queries import Pace, Urgency
from aegis.trading.adapters.ctp.records import account_of, positions_of, rules_of
from aegis.trading.adapters.ctp.requests import unfit, who
from aegis.trading.adapters.ctp.terms import Terms
from aegis.trading.adapters.ctp.watched import Limits, WatchedSession
from aegis.trading.ports import VenueSink
from aegis_sdk.errors import AegisError, ConfigurationError, NotFound, RpcError, Unavailable

__all__ = ["CtpVenue", "VenueOptions"]

_log = structlog.get_logger("aegis.ctp")

_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_-]{1,12}")


@contextmanager
def _understood(what: str) -> Iterator[None]:
    """A record that is none of ours: nothing of the answer can be relied on."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise Unavailable(f"CTP tells of {what} in a way that is not understood: {error!r}") from error


@dataclass(frozen=True, kw_only=True)
class VenueOptions:
    """How long a session may take for what, and when it is followed by another."""

    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    pace: Pace = field(default_factory=Pace)
    order_s: float = 3.0  # an order or a cancel without an answer for so long is told as it is known then
    again_s: float = 60.0  # between two queries of all orders and trades, to be sure of the stream


class CtpVenue:
    """The `Venue` of one CTP login, whose one account is its user. `start` has its secrets.

    `known` gives the client_order_ids that the account's journal has of the trading day: by them alone orders are known
    again that another process has sent. Raises ConfigurationError for a user that no InvestorID holds.
    """

    def __init__(
        self, start: Start, options: VenueOptions | None = None, *, known: Callable[[], Iterable[str]]
    ) -> None:
        self._start = start
        self._options = options or VenueOptions()
        self._account = start.login.user_id
        if not _ACCOUNT.fullmatch(self._account):
            raise ConfigurationError("user_id", f"{self._account!r} is no InvestorID of at most 12 letters and digits")
        self._day = Day(self._account, known)
        self._terms = Terms(who(start.login))
        self._habits: dict[str, list[Record]] = {}  # what the broker says of them, by the day of which it was asked
        self._name = ""
        self._sequence = 0
        self._sink: VenueSink | None = None
        self._task: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._current: WatchedSession | None = None
        self._live: Live | None = None
        self._is_ready = False
        self._is_up = False  # as the sink was told last

    @property
    def session(self) -> str:
        return self._name if self._live is not None else ""

    @property
    def session_pid(self) -> int | None:
        """Of the process of the session that there is now."""
        return None if self._current is None else self._current.pid

    async def open(self, sink: VenueSink) -> None:
        """Returns when it is ready, however long the counter is not there. Raises AegisError where it never will be."""
        if self._task is not None:
            raise AegisError(f"{self._account} is open already")
        self._sink = sink
        self._opened = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name=f"ctp {self._account}")
        try:
            await self._opened
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        task, self._task, self._sink = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if self._opened is not None:
            self._opened.cancel()

    # What it is asked

    async def submit(self, order: Submit) -> Submitted:
        live = self._live if self._is_ready else None
        if live is None:
            return Submitted(outcome="not_sent", reason="not_connected")
        if order.account != self._account:
            return Submitted(outcome="not_sent", reason="unknown_account")
        if reason := unfit(order):
            return Submitted(outcome="not_sent", reason=reason)
        return await live.submit(order, self._options.order_s)

    async def cancel(self, cancel: Cancel) -> Submitted:
        live = self._live if self._is_ready else None
        if live is None:
            return Submitted(outcome="not_sent", reason="not_connected")
        if cancel.account != self._account:
            return Submitted(outcome="not_sent", reason="unknown_account")
        return await live.cancel(cancel, self._options.order_s)

    async def trading_day(self, account: AccountName) -> str:
        return self._require(account).trading_day

    async def orders(self, account: AccountName) -> Sequence[VenueOrder]:
        self._require(account)
        return self._day.orders()

    async def look_up(self, account: AccountName) -> None:
        await self._read_day(self._require(account), Urgency.DAY)

    async def trades(self, account: AccountName) -> Sequence[VenueTrade]:
        self._require(account)
        return self._day.trades()

    async def positions(self, account: AccountName) -> Sequence[VenuePosition]:
        records = await self._query("QryInvestorPosition", account)
        with _understood("positions"):
            return positions_of(records, account)

    async def account(self, account: AccountName) -> VenueAccount:
        records = await self._query("QryTradingAccount", account)
        if not records:
            raise Unavailable(f"CTP knows no money of {account}")
        with _understood("money"):
            return account_of(records[0], account)

    async def terms(self, account: AccountName, instruments: Sequence[InstrumentName]) -> Sequence[InstrumentTerms]:
        live = self._require(account)

        async def ask(what: str, fields: Record) -> list[Record]:
            return await live.query(what, fields, Urgency.TERMS)

        return await self._terms.of(instruments, ask)

    def phase(self, instrument: InstrumentName) -> Phase | None:
        return self._live.phase(instrument) if self._live is not None and self._is_ready else None

    async def rules(self, account: AccountName, given: Rules) -> Rules:
        """By BrokerTradingParams, where the counter has answered for it and we can count by it."""
        day = self._require(account).trading_day
        for record in self._habits.get(day, ()):
            try:
                return rules_of(record, given)
            except ValueError as error:
                _log.warning("habits_not_understood", account=account, problem=str(error))
        return given

    async def confirm_settlement(self, account: AccountName) -> str:
        """Without it CTP takes no order of the day (error 42)."""
        live, asked_by = self._require(account), who(self._start.login)
        lines = await live.query("QrySettlementInfo", asked_by, Urgency.DAY)
        await live.call("SettlementInfoConfirm", asked_by, self._options.pace.answer_s)
        statement = b"".join(line["Content"] for line in lines)  # a line may end within a character
        return statement.decode("gb18030", "replace")

    async def _query(self, what: str, account: AccountName) -> list[Record]:
        return await self._require(account).query(what, who(self._start.login), Urgency.STATE)

    def _require(self, account: AccountName) -> Live:
        if account != self._account:
            raise NotFound(f"{account} is no account of this login")
        if self._live is None or not self._is_ready:
            raise Unavailable(f"{self._account} has no session now")
        return self._live

    # Sessions

    async def _run(self) -> None:
        """Whatever ends it is told: nobody would wait for a session otherwise that never comes."""
        try:
            await self._keep_a_session()
        except Exception as error:
            _log.exception("venue_unusable", account=self._account)
            self._fail(f"{self._account} is unusable: {type(error).__name__}: {error}")

    async def _keep_a_session(self) -> None:
        attempts = Attempts(self._options.patience, random.random)
        while True:
            session = self._current = WatchedSession(self._options.limits, self._heard)
            try:
                failure = await session.run(self._start)
            finally:
                await self._lose(session)
            pause_s = attempts.pause_after(failure, session.ready_s)
            _log.warning(
                "session_ended", account=self._account, kind=failure.kind, reason=str(failure), again_s=pause_s
            )
            if pause_s is None:
                self._fail(f"{self._account} {failure}")
                return
            if self._is_up:
                self._is_up = False
                self._report(state="down")
            await asyncio.sleep(pause_s)

    def _fail(self, reason: str) -> None:
        """No other session follows."""
        assert self._opened is not None
        if self._opened.done():
            self._report(state="closed")
        else:
            self._opened.set_exception(AegisError(reason))

    def _heard(self, word: Ready | NotTaken | Answer | Told) -> None:
        if isinstance(word, Ready):
            self._begin(word)
        elif self._live is not None:
            self._live.heard(word)

    def _begin(self, ready: Ready) -> None:
        """A session is logged in. What the stream tells from now on is told in it."""
        assert self._current is not None
        self._name, self._sequence = uuid4().hex[:12], 0
        if ready.trading_day != self._day.trading_day:
            self._terms.forget()
        self._day.begin(ready.trading_day)
        login, pace = self._start.login, self._options.pace
        live = self._live = Live(self._current, login, ready, self._day, pace, self._tell)
        self._following = asyncio.create_task(self._follow(self._current, live))

    async def _follow(self, session: WatchedSession, live: Live) -> None:
        """Read the day, be ready, and look once in a while whether the stream has left something out."""
        try:
            await live.read_day(Urgency.DAY)
            await self._ask_habits(live)
        except RpcError as error:
            session.fail(Kind.NOT_READY, Reason.of_error(error))
            return
        except Exception as error:
            _log.exception("day_unreadable", account=self._account)
            session.fail(Kind.SETUP, Reason.of_error(error))
            return
        self._is_ready = self._is_up = True
        self._report(state="ready", trading_day=live.trading_day)
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        while True:
            await asyncio.sleep(self._options.again_s)
            try:
                await self._read_day(live, Urgency.REFRESH)
            except RpcError as error:
                _log.warning("day_not_read", account=self._account, problem=str(error))

    async def _ask_habits(self, live: Live) -> None:
        """Once a day. A counter that refuses to answer is taken to be as the accounts file says."""
        day = live.trading_day
        if day in self._habits:
            return
        try:
            self._habits = {day: await live.query("QryBrokerTradingParams", who(self._start.login), Urgency.DAY)}
        except Unavailable as error:
            if "code" not in error.details:
                raise
            self._habits = {day: []}
            _log.warning("habits_not_told", account=self._account, problem=str(error))

    async def _read_day(self, live: Live, urgency: Urgency) -> None:
        """Ask for what the stream should have told. Raises Unavailable, DeadlineExceeded, Overloaded."""
        missed = await live.read_day(urgency)
        if missed:
            _log.error("stream_incomplete", account=self._account, missed=missed)

    async def _lose(self, session: WatchedSession) -> None:
        self._is_ready = False
        live, self._live = self._live, None
        if live is not None:
            live.end("the session has ended")
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.wait({following})

    # What it tells

    def _tell(self, what: VenueOrder | VenueTrade) -> None:
        if isinstance(what, VenueOrder):
            self._report(order=what)
        else:
            self._report(trade=what)

    def _report(
        self,
        *,
        order: VenueOrder | None = None,
        trade: VenueTrade | None = None,
        state: Literal["ready", "down", "closed"] | None = None,
        **told: Any,
    ) -> None:
        if self._sink is None:
            return
        self._sequence += 1
        report = VenueReport(session=self._name, sequence=self._sequence, order=order, trade=trade, state=state, **told)
        try:
            self._sink.reported(report)
        except Exception:
            _log.exception("report_refused", account=self._account, sequence=report.sequence)
