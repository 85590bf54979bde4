"""The paper venue: a record for each account that outlives every process, and orders that trade against live ticks.

An account is a key of its own: its journal in the ledger is the durable record, and one process at a time can write
it. A call is decided under the account's lock, committed, and only then answered and reported; so is what a tick fills.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Final

import structlog

from aegis.contracts.market import Tick
from aegis.contracts.paper import (
    CANCEL,
    PAGE,
    SERVICE,
    SUBMIT,
    PaperReport,
    PaperReports,
    SubmitReply,
    SubmitRequest,
)
from aegis.contracts.venue import Cancel, InstrumentTerms, Submit, Submitted
from aegis.paper.adapters.catalogue import Catalogue
from aegis.paper.domain.account import MOST_NAMES, PaperAccount, restore, snapshot
from aegis.paper.domain.applying import apply
from aegis.paper.domain.changes import Change, DayBegun, Entered, read_changes, write_changes
from aegis.paper.domain.deciding import REPEATED, Sight, cancelling, entering, filling, opening, repeated
from aegis.paper.domain.foresight import Coming, Foresight, is_apart
from aegis.paper.domain.market import Market
from aegis.paper.domain.matching import Depth
from aegis.paper.domain.rates import RateTable, terms_of
from aegis.paper.endpoints.queries import Queries
from aegis.paper.settings import PaperSettings
from aegis.ticks import subscribe_ticks
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.metrics import Metric, counter, gauge
from aegis_sdk.single_active import BALANCED, ActiveContext, Committed, active

__all__ = ["Paper"]

_log = structlog.get_logger("aegis.paper")

_BEAT_S: Final = 1.0
_RETRY_S: Final = 0.05
_FILLS: Final = 1_000
"""Of one tick in one record of the journal, which takes 512 KiB; more are several."""
_SETTLE_NS: Final = 10_000_000_000
"""For so long a new trading day waits for the settlement prices that its first ticks tell."""


class Paper(Queries):
    """Takes orders, fills them against the market's ticks, and reports."""

    name = SERVICE
    description = "A venue without money: orders trade against live ticks, and are kept for good."
    timers = BALANCED
    snapshot_every: ClassVar[int] = 2000

    def __init__(self, settings: PaperSettings, rates: RateTable, catalogue: Catalogue) -> None:
        self.settings = settings
        self.accounts = {name: PaperAccount() for name in settings.accounts}
        self.market = Market(settings.ticks, settings.feed)
        self._rates = rates
        self._catalogue = catalogue
        self._live: set[str] = set()  # accounts that this process is active for
        self._depths: dict[str, dict[str, Depth]] = {}
        self._due: dict[str, set[str]] = {name: set() for name in settings.accounts}  # instruments that ticked
        self._wakes = {name: asyncio.Event() for name in settings.accounts}
        self._terms: dict[str, tuple[object, InstrumentTerms | None]] = {}  # with what they were made of
        self._taken = AsyncExitStack()
        self._orders = self._trades = 0

    # As a service with keys

    def keys(self) -> Iterable[str]:
        return self.settings.accounts

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self.accounts[key] = restore(snapshot)
        self._depths[key] = {}

    def apply(self, key: str, change: Committed) -> None:
        account = self.accounts[key]
        reports = [report for one in read_changes(change.data) for report in apply(account, one)]
        if key in self._live:
            self._orders += sum(one.order is not None and one.order.status == "accepted" for one in reports)
            self._trades += sum(one.trade is not None for one in reports)
            if reports:
                asyncio.get_running_loop().call_soon(self._tell, key, reports)  # with the answer, in one write

    def snapshot(self, key: str) -> bytes:
        return snapshot(self.accounts[key])

    async def on_start(self) -> None:
        await self._taken.enter_async_context(subscribe_ticks(self.transport, on_tick=self._on_tick))

    async def on_stop(self) -> None:
        await self._taken.aclose()

    async def on_active(self, key: str, epoch: int) -> None:
        self._live.add(key)
        account = self.accounts[key]
        self._due[key].update(account.waiting)
        self._wakes[key].set()
        _log.info("account_held", account=key, epoch=epoch, opened=account.state is not None)

    async def on_standby(self, key: str) -> None:
        self._live.discard(key)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._catalogue.run(self.transport), name="catalogue")
            group.create_task(self._beat(), name="beat")
            for key in self.accounts:
                group.create_task(self._attend(key), name=f"account {key}")

    def configuration(self) -> Mapping[str, Any]:
        return self.settings.model_dump(mode="json")

    def metrics(self) -> Iterable[Metric]:
        waiting = sum(len(names) for key in self._live for names in self.accounts[key].waiting.values())
        yield gauge("aegis_paper_accounts", "Accounts that this process is active for.", len(self._live))
        yield gauge("aegis_paper_waiting_orders", "Their orders that wait for the market.", waiting)
        yield counter("aegis_paper_orders_total", "Orders taken.", self._orders)
        yield counter("aegis_paper_trades_total", "Trades made.", self._trades)
        yield counter("aegis_paper_foreign_ticks_total", "Ticks of other envs or feed sets.", self.market.foreign)
        says = "Ticks of a trading day that cannot be; they were dropped."
        yield counter("aegis_paper_implausible_ticks_total", says, self.market.implausible)

    # Calls

    @active(SUBMIT)
    async def submit(self, request: SubmitRequest, context: ActiveContext) -> SubmitReply:
        """Take orders. The same one again gets the first one's answer; its name for another order is refused.

        Those of one request are decided and journaled together, and those of several requests as far as they have
        nothing to do with each other but money.
        """
        for order in request.orders:
            self.account_asked(order.account, context)
        account = self.accounts[context.key]
        while True:
            async with context.lock.together() as decided:
                if account.state is None or not decided or self._can_join(account, request.orders, decided):
                    return await self._take(account, request.orders, decided, context)

    async def _take(
        self, account: PaperAccount, orders: Sequence[Submit], decided: list[Coming | None], context: ActiveContext
    ) -> SubmitReply:
        """Decide about orders, and commit that; None among `decided` keeps all others off."""
        if account.state is None:
            return SubmitReply(answers=[Submitted(outcome="not_sent", reason="no_trading_day")] * len(orders))
        if not decided:
            for instrument in dict.fromkeys(order.instrument for order in orders):
                if not self._is_matched(account, instrument):
                    decided.append(None)
                    await self._match(context.key, instrument)  # who waited comes first
        answers, new = self._decide(account, orders, [one for one in decided if one is not None])
        decided += new
        reply = SubmitReply(answers=answers)
        return await context.commit(write_changes([one.entered for one in new]), reply) if new else reply

    def _decide(
        self, account: PaperAccount, orders: Sequence[Submit], others: list[Coming]
    ) -> tuple[list[Submitted], list[Coming]]:
        """The answer to each order, and those that are new."""
        answers: list[Submitted] = []
        new: dict[str, Coming] = {}
        now_ns = time.time_ns()
        with Foresight(account, others) as ahead:
            for ask in orders:
                twin = new.get(ask.client_order_id)
                if twin is not None:
                    answers.append(_answer_to(account, twin.entered) if twin.entered.order == ask else REPEATED)
                elif (known := repeated(account, ask)) is not None:
                    answers.append(known)
                elif reason := self._unready(account, len(others) + len(new)):
                    answers.append(Submitted(outcome="not_sent", reason=reason))
                else:
                    sight, depth = self._sight(account, ask.instrument, now_ns), self._depth(account, ask.instrument)
                    coming = new[ask.client_order_id] = entering(account, ask, ahead.number, sight, depth, now_ns)
                    if len(orders) > 1:
                        ahead.add(coming)
                    answers.append(_answer_to(account, coming.entered))
        return answers, list(new.values())

    def _can_join(self, account: PaperAccount, orders: Sequence[Submit], decided: Sequence[Coming | None]) -> bool:
        others = [one for one in decided if one is not None]
        alone = len(others) < len(decided)
        return not alone and all(is_apart(others, ask) and self._is_matched(account, ask.instrument) for ask in orders)

    def _is_matched(self, account: PaperAccount, instrument: str) -> bool:
        """Whether who waits has had what the latest tick gives."""
        now = self.market.latest(instrument, account.opened.book.trading_day)
        return now is None or self._depth(account, instrument).has_seen(now)

    @active(CANCEL)
    async def cancel(self, request: Cancel, context: ActiveContext) -> Submitted:
        """Cancel what is left of an order. The name of an order that never came is void from then on."""
        account = self.account_asked(request.account, context)
        async with context.lock:
            if account.state is None:
                return Submitted(outcome="not_sent", reason="no_trading_day")
            answer, change = cancelling(account, request, time.time_ns())
            if change is None or (len(account.state.names) >= MOST_NAMES and change.kind == "voided"):
                return answer
            return await context.commit(write_changes([change]), answer)

    def _unready(self, account: PaperAccount, coming: int = 0) -> str:
        """Why no order is taken now, beside those that are `coming`, although it may be later; empty: it is."""
        state = account.state
        if state is None or not self.market.trading_day:
            return "no_trading_day"
        if self.market.trading_day > state.book.trading_day:
            return "settling"
        if not self._catalogue.loaded:
            return "instruments_unknown"
        return "names_used_up" if len(state.names) + coming >= MOST_NAMES else ""

    def terms_today(self, instrument: str, trading_day: str) -> InstrumentTerms | None:
        facts, now = self._catalogue.find(instrument), self.market.latest(instrument, trading_day)
        if facts is None or now is None:
            return None
        of = (facts, now.trading_day, now.upper_limit, now.lower_limit, now.pre_settlement)
        known = self._terms.get(instrument)
        if known is None or known[0] != of:
            self._terms[instrument] = known = (of, terms_of(facts, now, self._rates))
        return known[1]

    def _sight(self, account: PaperAccount, instrument: str, now_ns: int) -> Sight:
        book = account.opened.book
        now = self.market.latest(instrument, book.trading_day)
        held = {holding.instrument for holding in book.holdings.values()}
        fresh = now is not None and now.is_fresh(now_ns, self._stale_ns)
        terms = self.terms_today(instrument, book.trading_day)
        return Sight(terms, now, fresh, self.market.prices(held, book.trading_day))

    @property
    def _stale_ns(self) -> int:
        return int(self.settings.stale_s * 1e9)

    # Ticks

    def _on_tick(self, tick: Tick) -> None:
        day = self.market.trading_day
        instrument = self.market.show(tick, time.time_ns())
        if not instrument:
            return
        for key in self._live:
            if instrument in self.accounts[key].waiting:
                self._due[key].add(instrument)
                self._wakes[key].set()
        if self.market.trading_day != day:
            self._wake_all()

    def _wake_all(self) -> None:
        for wake in self._wakes.values():
            wake.set()

    async def _attend(self, key: str) -> None:
        """Open the account, begin its days, and fill what waits, while this process is active for it."""
        wake = self._wakes[key]
        while True:
            await wake.wait()
            wake.clear()
            if key not in self._live:
                continue
            due, self._due[key] = self._due[key], set()
            try:
                async with self.held(key).lock:
                    await self._begin_day(key)
                    for instrument in due:
                        await self._match(key, instrument)
            except AegisError as error:
                _log.warning("account_waits", account=key, reason=str(error))
                self._due[key] |= due
                await asyncio.sleep(_RETRY_S)
                wake.set()

    async def _begin_day(self, key: str) -> None:
        account, day, now_ns = self.accounts[key], self.market.trading_day, time.time_ns()
        if not day:
            return
        if account.state is None:
            await self._commit(key, opening(key, self.settings.accounts[key], day, now_ns))
        elif day > (book := account.state.book).trading_day:
            held, ended = book.held, book.held_past(day)
            patient = now_ns - self.market.day_began_ns < _SETTLE_NS
            settlements = self.market.settlements(held - ended, book.trading_day, patient)
            if settlements is not None:
                settlements |= self.market.settlements(ended, book.trading_day, patient=False) or {}
                self._depths[key] = {}
                begun = DayBegun(ts_ns=now_ns, trading_day=day, settlements=settlements, ended=sorted(ended))
                await self._commit(key, begun)
                unsettled = sorted(held - settlements.keys())
                _log.info("day_begun", account=key, trading_day=day, unsettled=unsettled, ended=begun.ended)

    async def _match(self, key: str, instrument: str) -> None:
        """Fill what waits for an instrument, as far as its latest tick goes. The account's lock is held."""
        account, now_ns = self.accounts[key], time.time_ns()
        now = self.market.latest(instrument, account.opened.book.trading_day) if account.state else None
        if now is None:
            return
        depth = self._depth(account, instrument)
        if not now.is_fresh(now_ns, self._stale_ns):
            depth.show(now)
        elif (filled := filling(account, instrument, depth, now, now_ns)) is not None:
            for first in range(0, len(filled.fills), _FILLS):
                part = filled.model_copy(update={"fills": filled.fills[first : first + _FILLS]})
                await self._commit(key, part)

    def _depth(self, account: PaperAccount, instrument: str) -> Depth:
        return self._depths[account.opened.book.account].setdefault(instrument, Depth())

    async def _commit(self, key: str, change: Change) -> None:
        await self.held(key).commit(write_changes([change]))

    # Reports

    def _tell(self, account: str, reports: list[PaperReport]) -> None:
        """To whoever listens now; what is lost on the way is asked for by its number."""
        subject = subjects.report(SERVICE, account)
        try:
            for first in range(0, len(reports), PAGE):
                part = PaperReports(reports=reports[first : first + PAGE])
                self.transport.publish(subject, codec.encode_model(part))
        except ConnectionUnavailable:
            _log.info("report_not_sent", hint="who listens finds the hole, and asks")

    async def _beat(self) -> None:
        """Tell the latest number of each account every second: so a lost last report is found too."""
        while True:
            await asyncio.sleep(_BEAT_S)
            for key in sorted(self._live):
                state = self.accounts[key].state
                self._tell(key, [PaperReport(account=key, sequence=state.reports_made if state else 0)])
            self._wake_all()


def _answer_to(account: PaperAccount, entered: Entered) -> Submitted:
    outcome = "refused" if entered.refused else "accepted"
    number = f"{account.opened.mark}-{entered.number}"
    return Submitted(outcome=outcome, venue_order_id=number, reason=entered.refused, text=entered.text)
