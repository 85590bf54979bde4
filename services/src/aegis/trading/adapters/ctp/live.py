"""One logged-in session: what was asked and waits for its answer, and what the private stream tells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from aegis.accounting.exchange_rules import Phase
from aegis.contracts.venue import Cancel, Submit, Submitted, VenueOrder, VenueTrade
from aegis.ctp.failures import Kind
from aegis.ctp.frames import Login
from aegis.trading.adapters.ctp.day import Day, Entry
from aegis.trading.adapters.ctp.frames import Answer, NotTaken, Ready, Record, Told
from aegis.trading.adapters.ctp.queries import Pace, Queries, Urgency
from aegis.trading.adapters.ctp.records import instrument_of, refused_order
from aegis.trading.adapters.ctp.requests import OrderKey, cancel_fields, insert_fields, who
from aegis.trading.adapters.ctp.watched import WatchedSession
from aegis.trading.adapters.ctp.words import PHASES, reason_of
from aegis_sdk import clock
from aegis_sdk.errors import DeadlineExceeded, Unavailable

__all__ = ["Live"]

_log = structlog.get_logger("aegis.ctp")

_TEXT: Final = 256
_NOT_TAKEN: Final = {-1: "not_connected", -2: "too_many_wait", -3: "too_many_a_second"}
_LATER: Final = (_NOT_TAKEN[-2], _NOT_TAKEN[-3])
_AGAIN_S: Final = 0.25

Report = Callable[[VenueOrder | VenueTrade], None]


@dataclass(slots=True)
class _Cancelling:
    """A cancel that waits for its answer, and by which name CTP was asked."""

    cancel: Cancel
    sys_id: str
    key: OrderKey | None
    answered: asyncio.Future[Submitted]

    def is_meant(self, record: Record) -> bool:
        """Whether an action that CTP tells all sessions of is this one: numbers are each session's own."""
        if self.sys_id:
            return record["OrderSysID"] == self.sys_id
        return (record["FrontID"], record["SessionID"], record["OrderRef"]) == self.key


class Live:
    """Made in the event loop, ended once. `report` hears what is news, in its order."""

    def __init__(
        self, session: WatchedSession, login: Login, ready: Ready, day: Day, pace: Pace, report: Report
    ) -> None:
        self.trading_day = ready.trading_day
        self._session = session
        self._login = login
        self._front, self._session_id = ready.front_id, ready.session_id
        self._ref = ready.highest_ref
        self._day = day
        self._report = report
        self._queries = Queries(session.ask, pace, lambda why: session.fail(Kind.NOT_READY, why))
        self._sent: dict[int, str] = {}  # names by the numbers of their requests
        self._refused: set[str] = set()
        self._submits: dict[str, asyncio.Future[Submitted]] = {}
        self._cancels: dict[int, _Cancelling] = {}
        self._calls: dict[int, asyncio.Future[Answer]] = {}
        self._phases: dict[str, Phase] = {}  # of products or instruments, each with its exchange

    # What it is asked

    async def submit(self, order: Submit, answer_s: float) -> Submitted:
        """Sends it, once, whatever CTP says; one that CTP does not take now is not sent later."""
        name = order.client_order_id
        if self._day.knows(name):
            return Submitted(outcome="refused", reason="duplicate_id")
        self._ref += 1
        memo = self._day.expect(name, (self._front, self._session_id, str(self._ref)))
        answered = self._submits[name] = asyncio.get_running_loop().create_future()
        number = self._session.ask("OrderInsert", insert_fields(self._login, order, str(self._ref), memo))
        self._sent[number] = name
        try:
            async with asyncio.timeout(answer_s):
                return await answered
        except TimeoutError:
            return self._as_known(name, order.instrument)
        finally:
            del self._submits[name]

    async def cancel(self, cancel: Cancel, answer_s: float) -> Submitted:
        """One that CTP does not take now (-2, -3) never left: it waits, and is asked for again within `answer_s`."""
        deadline = clock.now() + answer_s
        while True:
            answer = await self._cancel(cancel, deadline - clock.now())
            is_taken = answer.outcome != "not_sent" or answer.reason not in _LATER
            if is_taken or clock.now() + _AGAIN_S >= deadline:
                return answer
            await asyncio.sleep(_AGAIN_S)
            if not self._session.is_alive:
                return answer

    async def _cancel(self, cancel: Cancel, answer_s: float) -> Submitted:
        entry = self._find(cancel)
        sys_id = entry.order.venue_order_id if entry else cancel.venue_order_id
        key = entry.key if entry else self._day.key_of(cancel.client_order_id)
        if not sys_id and key is None:
            return Submitted(outcome="refused", reason="unknown_order")  # CTP cannot even be asked
        number = self._session.next_number()
        answered: asyncio.Future[Submitted] = asyncio.get_running_loop().create_future()
        self._cancels[number] = _Cancelling(cancel, sys_id, key, answered)
        self._session.ask("OrderAction", cancel_fields(self._login, cancel.instrument, number, sys_id, key))
        try:
            async with asyncio.timeout(answer_s):
                return await answered
        except TimeoutError:
            return Submitted(outcome="unknown", venue_order_id=sys_id, reason="no_answer")
        finally:
            del self._cancels[number]

    async def query(self, what: str, fields: Record, urgency: Urgency) -> list[Record]:
        return await self._queries.ask(what, fields, urgency)

    async def call(self, what: str, fields: Record, answer_s: float) -> Answer:
        """A request that is no query, and is answered by one record. Raises Unavailable, DeadlineExceeded."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        number = self._session.ask(what, fields)
        self._calls[number] = answered
        try:
            async with asyncio.timeout(answer_s):
                answer = await answered
        except TimeoutError:
            raise DeadlineExceeded(f"CTP has not answered {what} for {answer_s:g} s") from None
        finally:
            del self._calls[number]
        if answer.code:
            raise Unavailable(f"CTP refuses {what}: error {answer.code} {answer.text}".rstrip(), code=answer.code)
        return answer

    def phase(self, instrument: str) -> Phase | None:
        """What its exchange has said last in this session, of itself or of its product."""
        own = self._phases.get(instrument)
        return own or self._phases.get(instrument.rstrip("0123456789"))

    async def read_day(self, urgency: Urgency) -> int:
        """Ask for all orders and trades of the day; how many of them were news."""
        news = 0
        for what, take in (("QryOrder", self._take_order), ("QryTrade", self._take_trade)):
            for record in await self.query(what, who(self._login), urgency):
                news += self._understood(take, record)
        return news

    def end(self, reason: str) -> None:
        """What waits ends as it is known: an order that nobody has spoken of may have arrived."""
        self._queries.close(reason)
        for name, answered in self._submits.items():
            self._settle(answered, self._as_known(name, ""))
        for one in self._cancels.values():
            self._settle(one.answered, Submitted(outcome="unknown", venue_order_id=one.sys_id, reason="no_answer"))
        for answered in self._calls.values():
            if not answered.done():
                answered.set_exception(Unavailable(reason))

    # What it says

    def heard(self, word: Answer | NotTaken | Told) -> None:
        match word:
            case Told("RtnOrder", record):
                self._understood(self._take_order, record)
            case Told("RtnTrade", record):
                self._understood(self._take_trade, record)
            case Told("RtnInstrumentStatus", record):
                self._understood(self._take_phase, record)
            case Told("ErrRtnOrderInsert", record, code, text):
                self._refuse_order(self._day.names.find(record.get("OrderMemo", "")), record, code, text)
            case Told("ErrRtnOrderAction", record, code, text):
                number = record.get("OrderActionRef", 0)
                if number in self._cancels and self._cancels[number].is_meant(record):
                    self._refuse_cancel(number, code, text)
            case Answer(number, record, code, text) if number in self._sent:
                if code:
                    self._refuse_order(self._sent[number], record, code, text)
            case Answer(number, _, code, text) if number in self._cancels:
                if code:
                    self._refuse_cancel(number, code, text)
            case Answer(number) if number in self._calls:
                self._settle(self._calls[number], word)
            case Answer():
                self._queries.answered(word)
            case NotTaken(number, code):
                self._not_taken(number, code)
            case _:
                pass

    def _not_taken(self, number: int, code: int) -> None:
        answer = Submitted(outcome="not_sent", reason=_NOT_TAKEN.get(code, "unfit"))
        if (name := self._sent.pop(number, "")) in self._submits:
            self._day.forget(name)
            self._settle(self._submits[name], answer)
        elif number in self._cancels:
            self._settle(self._cancels[number].answered, answer)
        elif number in self._calls:
            self._settle(self._calls[number], Answer(number, {}, code, "is not taken now"))
        else:
            self._queries.refused(number, code)

    def _understood(self, take: Callable[[Record], bool], record: Record) -> bool:
        """Whether it was news. What cannot be understood is told, and stops nothing behind it."""
        try:
            return take(record)
        except (ValueError, KeyError) as error:
            _log.error("record_not_understood", problem=f"{type(error).__name__}: {error}", record=record)
            return False

    def _take_order(self, record: Record) -> bool:
        entry, is_news = self._day.order(record)
        is_news = is_news and entry.is_answered  # until then its exchange may still refuse it
        if is_news:
            self._report(entry.order)
        if entry.is_answered:
            waiting = self._submits.get(entry.order.client_order_id)
            if waiting is not None:
                self._settle(waiting, _answer_of(entry))
        if entry.is_final:
            self._end_cancels(entry)
        return is_news

    def _take_phase(self, record: Record) -> bool:
        phase = PHASES.get(record["InstrumentStatus"])
        if phase is None:
            self._phases.pop(instrument_of(record), None)
        else:
            self._phases[instrument_of(record)] = phase
        return True

    def _take_trade(self, record: Record) -> bool:
        trade = self._day.trade(record)
        if trade is not None:
            self._report(trade)
        return trade is not None

    def _refuse_order(self, name: str, record: Record, code: int, text: str) -> None:
        """Told twice by the counter: to us, and to all of the user. What an exchange refuses was told as an order."""
        if not name or name in self._refused or self._day.find(name, "", ""):
            return
        self._refused.add(name)
        self._understood(lambda of: self._tell_refused(name, of, code, text), record)
        if name in self._submits:
            self._settle(self._submits[name], Submitted(outcome="refused", reason=reason_of(code), text=text[:_TEXT]))

    def _tell_refused(self, name: str, record: Record, code: int, text: str) -> bool:
        account, now_ns = self._login.user_id, time.time_ns()
        self._report(refused_order(record, account, name, self.trading_day, code, text, now_ns))
        return True

    def _refuse_cancel(self, number: int, code: int, text: str) -> None:
        one = self._cancels[number]
        known = {"venue_order_id": one.sys_id, "reason": reason_of(code), "text": text[:_TEXT]}
        self._settle(one.answered, Submitted(outcome="refused", **known))

    def _end_cancels(self, entry: Entry) -> None:
        """An order has ended: cancelled, or before a cancel could reach it."""
        is_cancelled = entry.order.status == "cancelled"
        answer = Submitted(
            outcome="accepted" if is_cancelled else "refused",
            venue_order_id=entry.order.venue_order_id,
            reason="" if is_cancelled else "order_is_done",
        )
        for one in self._cancels.values():
            if self._find(one.cancel) is entry:
                self._settle(one.answered, answer)

    def _find(self, cancel: Cancel) -> Entry | None:
        return self._day.find(cancel.client_order_id, cancel.instrument, cancel.venue_order_id)

    def _as_known(self, name: str, instrument: str) -> Submitted:
        """What can be said of an order whose exchange has not answered."""
        entry = self._day.find(name, instrument, "")
        return _answer_of(entry) if entry else Submitted(outcome="unknown", reason="no_answer")

    def _settle(self, waiting: asyncio.Future[Any], answer: Submitted | Answer) -> None:
        if not waiting.done():
            waiting.set_result(answer)


def _answer_of(entry: Entry) -> Submitted:
    order = entry.order
    refused = order.status == "rejected"
    return Submitted(
        outcome="refused" if refused else "accepted",
        venue_order_id=order.venue_order_id,
        reason=order.reason if refused else "",
        text=order.text if refused else "",
    )
