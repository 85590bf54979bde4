"""The trading service: the keys of its account groups, and what happens when one comes or goes.

    replay      restore, apply: the state as it was committed
    recover     nothing: the venue is asked behind it, since only a key that is served can commit
    settle      what the holder before has begun: its orders are looked up at the venue
    on_active   its tasks begin. Each account is compared with its venue; before that it takes no order
    on_standby  its tasks end

A standby keeps the connection to its venues open and hears their reports, so that a takeover waits for no login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from aegis.contracts.orders import OrderEnv
from aegis.contracts.trading import SERVICE
from aegis.trading.alerts import Alerts
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.endpoints.order_calls import OrderCalls
from aegis.trading.endpoints.query_calls import QueryCalls
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.cancelling import Cancelling
from aegis.trading.handlers.comparing import Comparing
from aegis.trading.handlers.placing import Placing
from aegis.trading.handlers.reporting import Reporting
from aegis.trading.handlers.restricting import Restricting
from aegis.trading.handlers.settling import Settling
from aegis.trading.handlers.withdrawing import Withdrawing
from aegis.trading.keys import AccountState, KeyState
from aegis.trading.market import Market
from aegis.trading.metrics import figures
from aegis.trading.moving import Moving
from aegis.trading.outbox import Posting
from aegis.trading.ports import Venue
from aegis.trading.settings import TradingSettings
from aegis.trading.stores import ConfigStore, StatementStore
from aegis.trading.venues import VenueListener
from aegis_sdk.errors import AegisError
from aegis_sdk.events import Events
from aegis_sdk.metrics import Metric
from aegis_sdk.single_active import Committed, OpenIntent, Settled
from aegis_sdk.transport import Transport

__all__ = ["Parts", "Trading"]

_log = structlog.get_logger("aegis.trading")

_WATCH_S: Final = 5.0
"""So often what an account has is looked over for instruments whose market it does not hear yet."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the service is made of, once there is a connection."""

    venues: Mapping[str, Venue]  # by the names of `TradingSettings.venues`
    market: Callable[[Callable[[str], tuple[OrderEnv, RiskSettings]]], Market]
    config: ConfigStore
    statements: StatementStore
    events: Events
    voiding: frozenset[str] = frozenset()  # venues at which a cancel makes a name void that no order has


class Trading(OrderCalls, QueryCalls):
    """Trades accounts; each group of them is a key, held by one instance at a time."""

    name = SERVICE
    description = "Orders, positions and money of accounts, at a venue."

    def __init__(self, settings: TradingSettings, build: Callable[[Transport], Parts]) -> None:
        self.settings = settings
        self.states: dict[str, KeyState] = {}
        self._build = build
        self._groups = settings.groups
        self._key_of = {account: key for key, accounts in self._groups.items() for account in accounts}
        self._listeners: dict[str, VenueListener] = {}
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}  # by key; "" are the service's own
        self._alerts = Alerts()

    # The service

    async def on_start(self) -> None:
        """Begin to connect to the venues. Raises AegisError where what it keeps in NATS cannot be made."""
        self._parts = parts = self._build(self.transport)
        await parts.events.ensure()
        await parts.config.ensure(self._key_of)
        await parts.statements.ensure()
        self.acting = Acting(
            accounts=dict(self.settings.accounts),
            venues={account: parts.venues[name] for name, there in self.settings.venues.items() for account in there},
            market=parts.market(self._may_hear),
            risk=parts.config.risk.__getitem__,
            held=self.held,
            tell=self._alerts.tell,
            settle_s=self.settings.settle_s,
            voiding=parts.voiding,
            elsewhere=parts.config.elsewhere,
        )
        self.placing = Placing(self.acting)
        self.cancelling = Cancelling(self.acting)
        moving = Moving(self.transport, parts.config)
        self.comparing = Comparing(self.acting, moving, parts.statements, self.settings.reconcile_s)
        self._settling = Settling(self.acting, self.cancelling)
        self._reporting = Reporting(self.acting)
        self._withdrawing = Withdrawing(self.acting, self.cancelling)
        self._restricting = Restricting(self.acting)
        for name, there in self.settings.venues.items():
            listener = self._listeners[name] = VenueListener(name, there, self._account)
            self._begin("", self._open(parts.venues[name], listener))
        self._begin("", parts.config.follow())
        self._begin("", self.acting.market.keep_wanting())
        self._begin("", self._alerts.run(parts.events))
        self._posting = Posting(parts.events)
        self._begin("", self._posting.run())

    async def _open(self, venue: Venue, listener: VenueListener) -> None:
        """Connect. A venue that never can be leaves its accounts without orders, and the service with its queries."""
        try:
            await venue.open(listener)
        except AegisError as error:
            _log.error("venue_refused", venue=listener.name, reason=str(error), todo="mend its cause, and start again")
            listener.changed(False, "refused")
        else:
            listener.changed(True, "open")

    async def on_stop(self) -> None:
        for key in tuple(self._tasks):
            await self._end(key)
        for venue in self._parts.venues.values():
            await venue.close()
        await self.acting.market.close()

    async def healthy(self) -> bool:
        """False once a task of all accounts has failed: the keys are better off elsewhere.

        One of a single account is begun again: by what that has, it would fail in each instance that took it over.
        """
        failed = [task for tasks in self._tasks.values() for task in tasks if _has_failed(task)]
        for task in failed:
            _log.error("task_failed", task=task.get_name(), exc_info=task.exception())
        return not failed

    def configuration(self) -> Mapping[str, Any]:
        return self.settings.model_dump(mode="json")

    def metrics(self) -> Iterable[Metric]:
        if hasattr(self, "acting"):
            venues = {name: listener.is_up for name, listener in self._listeners.items()}
            held = {key: state for key, state in self.states.items() if key in self._tasks}
            yield from figures(self.acting.counts, held, venues)

    # Its keys

    def keys(self) -> Iterable[str]:
        return self._groups

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self.states[key] = KeyState(key, self._groups[key], snapshot, self._marks, self._alerts.tell)

    def apply(self, key: str, change: Committed) -> None:
        self.states[key].apply(change)

    def snapshot(self, key: str) -> bytes:
        return self.states[key].snapshot()

    async def settle(self, key: str, intent: OpenIntent) -> Settled | None:
        return await self._settling.settle(self.states[key], intent)

    async def on_active(self, key: str, epoch: int) -> None:
        state = self.states[key]
        state.is_active = True
        for name, account in state.accounts.items():
            book = state.group.books.get(name)
            known = book.sequence if book is not None else 0
            works: dict[str, Callable[[], Awaitable[None]]] = {
                "reports": partial(self._reporting.run, state, account),
                "comparison": partial(self.comparing.run, state, account),
                "cancels": partial(self._withdrawing.run, state, account),
                "events": partial(account.outbox.run, self.transport, self._posting, known),
                "market": partial(self._watch, state, account),
                "restriction": partial(self._restricting.run, state, account),
            }
            for what, work in works.items():
                self._begin(key, self._restricting.kept(account, what, work))

    async def on_standby(self, key: str) -> None:
        if (state := self.states.get(key)) is not None:
            state.is_active = False
        await self._end(key)

    async def _watch(self, state: KeyState, account: AccountState) -> None:
        """Hear the market of what an account has, for its figures; with a new day, no more of what no account has."""
        await account.opened.wait()
        day = state.group.books[account.account].trading_day
        while True:
            book = state.group.books[account.account]
            for instrument in sorted(book.instruments):
                await self.acting.market.want(account.account, instrument)
            if book.trading_day != day:
                day = book.trading_day
                books = (book for there in self.states.values() for book in there.group.books.values())
                await self.acting.market.keep_only(set[str]().union(*(book.instruments for book in books)))
            await asyncio.sleep(_WATCH_S)

    # What others ask

    def names(self, account: str) -> Collection[str]:
        """The client_order_ids that the journal has of its trading day, as far as it was read here."""
        state = self.states.get(self._key_of[account])
        book = None if state is None else state.group.books.get(account)
        return () if book is None else book.orders.keys()

    def _account(self, account: str) -> AccountState | None:
        """An account whose key is here, with its journal read: before that nobody knows the names of its orders.

        What is reported earlier the comparison fetches that an account begins with. One whose books are of another env
        hears nothing.
        """
        state = self.states.get(self._key_of[account])
        if state is None or not state.is_active or self.acting.not_here(account, state.group.books.get(account)):
            return None
        return state.accounts[account]

    def _may_hear(self, account: str) -> tuple[OrderEnv, RiskSettings]:
        return self.settings.accounts[account].env, self._parts.config.risk[account]

    def _marks(self, account: str) -> Mapping[str, Any]:
        return self.acting.market.marks(account)

    def _begin(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        name = getattr(work, "__qualname__", "work")
        self._tasks.setdefault(key, []).append(asyncio.create_task(work, name=f"{name} {key}"))

    async def _end(self, key: str) -> None:
        tasks = self._tasks.pop(key, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None
