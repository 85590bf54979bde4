"""Makes what is subscribed be what is wanted: at the start, after each change of a wish, in each new session.

It knows the universe of the session, asks the feed in batches, and lets a newer wish overtake what it is about to ask.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from operator import itemgetter
from typing import Final

import structlog

from aegis.contracts.market import InstrumentId
from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import SubscriptionState
from aegis.marketdata.domain.subscriptions import Totals, reconcile, state_of
from aegis.marketdata.domain.universe import EMPTY, Universe
from aegis.marketdata.domain.wishes import Wishes
from aegis.marketdata.ports import Feed, FeedState, FlowControl
from aegis_sdk.errors import AegisError

__all__ = ["Subscriber"]

_log = structlog.get_logger("aegis.subscriptions")

_RETRY_S: Final = (0.2, 5.0)

OnUniverse = Callable[[Universe, Universe], None]
"""Called with the universe before, and that of the new session."""


class Subscriber:
    """Works for one feed. `heard` says how many quotes of each instrument came: they alone prove a subscription."""

    def __init__(
        self,
        feed: Feed,
        flow: FlowControl,
        wishes: Wishes,
        heard: Mapping[InstrumentId, int],
        *,
        universe: Universe = EMPTY,
        on_universe: OnUniverse | None = None,
        on_converged: Callable[[], None] = lambda: None,
    ) -> None:
        self.universe = universe
        self.listings = 0  # how often the feed has told its universe
        self.has_converged = False  # in this session all that was wanted was subscribed once
        self._on_converged = on_converged
        self._feed = feed
        self._flow = flow
        self._wishes = wishes
        self._heard = heard
        self._on_universe = on_universe
        self._wanted: set[InstrumentId] = set()
        self._names: list[tuple[str, InstrumentId]] | None = None
        self._subscribed: set[InstrumentId] = set()
        self._unproven: dict[InstrumentId, int] = {}  # and how many quotes had come before
        self._refused: dict[InstrumentId, Reason] = {}
        self._again: set[InstrumentId] = set()  # to be unsubscribed first
        self._ready = False
        self._session = ""
        self._began = False  # a session whose universe is not known yet
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()

    # What makes it work

    def wishes_changed(self) -> None:
        """Somebody wants something else."""
        self._settled.clear()
        self._woken.set()

    def feed_changed(self, state: FeedState) -> None:
        """The feed entered a state. READY is a new session, in which nothing is subscribed.

        READY in the same session says that it lists other instruments than before, or may take what it has refused.
        """
        if state is FeedState.ENDED:
            return
        before, self._session = self._session, self._feed.session
        if self._ready and state is FeedState.READY and before == self._session:
            self._began = True
            self._refused.clear()
            self.wishes_changed()
            return
        self._ready = self._began = state is FeedState.READY
        self.has_converged = False
        self._subscribed.clear()
        self._unproven.clear()
        self._refused.clear()
        self._again.clear()
        self.wishes_changed()

    def resubscribe(self, instruments: Set[InstrumentId]) -> int:
        """Unsubscribe and subscribe these again, of those that are wanted and listed; how many these are."""
        meant = instruments & self._wanted & self.universe.ids
        for one in meant:
            self._refused.pop(one, None)
        self._again |= meant & self._subscribed
        self.wishes_changed()
        return len(meant)

    async def run(self) -> None:
        """Work until cancelled. What the feed refuses to do is tried again, at growing intervals."""
        pause_s = _RETRY_S[0]
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._step()
                pause_s = _RETRY_S[0]
            except AegisError as error:
                _log.warning("subscribing_failed", reason=str(error), retry_s=pause_s)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._woken.wait()
                pause_s = min(pause_s * 2, _RETRY_S[1])
                self._woken.set()

    async def settled(self) -> None:
        """Return when all that is wanted is subscribed or refused, in the session of a feed that is READY."""
        await self._settled.wait()

    # What it has reached

    def totals(self) -> Totals:
        """How many are in which state."""
        self._prove()
        subscribed = len(self._subscribed)
        refused = len(self._refused.keys() & self._wanted)
        if self._ready and not self._began:
            refused += len(self._wanted - self.universe.ids)
        ticking = subscribed - len(self._unproven)
        return Totals(wanted=len(self._wanted), subscribed=subscribed, ticking=ticking, refused=refused)

    def listing(self, after: str = "") -> Iterator[tuple[str, SubscriptionState, Reason | None]]:
        """Name, state and why of each instrument that somebody wants, by name, behind the name `after`."""
        self._prove()
        if self._names is None:
            self._names = sorted((str(one), one) for one in self._wanted)
        waiting_for = None if self._ready and not self._began else Reason.of("no_session_yet")
        for name, instrument in self._names[bisect_right(self._names, after, key=itemgetter(0)) :]:
            state, why = state_of(
                instrument,
                listed=self.universe.ids,
                subscribed=self._subscribed,
                unproven=self._unproven,
                refused=self._refused,
                waiting_for=waiting_for,
            )
            yield name, state, why

    def _prove(self) -> None:
        """Forget the unproven of which a quote came."""
        heard = self._heard
        for one in [one for one, before in self._unproven.items() if heard.get(one, 0) > before]:
            del self._unproven[one]

    # How it gets there

    async def _step(self) -> None:
        if self._began:
            await self._learn()
        self._wanted = self._wishes.wanted(self.universe)
        self._names = None
        if self._ready and not self._began:
            await self._converge()
            if not self._woken.is_set():
                self._settled.set()
                if not self.has_converged:
                    self.has_converged = True
                    self._on_converged()

    async def _learn(self) -> None:
        """Ask which instruments the session has. That of another session, should one begin meanwhile, counts not."""
        session = self._feed.session
        universe = await asyncio.to_thread(Universe, await self._feed.instruments())
        if not self._ready or self._feed.session != session:
            return
        before, self.universe = self.universe, universe
        self.listings += 1
        self._began = False
        if self._on_universe is not None:
            self._on_universe(before, universe)

    async def _converge(self) -> None:
        if not await self._let_go():
            return
        plan = reconcile(self._wanted, self.universe.ids, self._subscribed, self._refused)
        for batch in self._batches(plan.unsubscribe):
            await self._feed.unsubscribe(batch)
            self._subscribed.difference_update(batch)
            for one in batch:
                self._unproven.pop(one, None)
            if await self._overtaken():
                return
        for batch in self._batches(plan.subscribe):
            if not await self._subscribe(batch) or await self._overtaken():
                return
        if plan:
            _log.info(
                "subscriptions_changed",
                subscribed=len(plan.subscribe),
                unsubscribed=len(plan.unsubscribe),
                refused=len(self._refused),
                in_all=len(self._subscribed),
            )

    async def _let_go(self) -> bool:
        """Unsubscribe what is to be subscribed again; False where there is something newer to do."""
        for batch in self._batches(sorted(self._again & self._subscribed)):
            await self._feed.unsubscribe(batch)
            self._subscribed.difference_update(batch)
            self._again.difference_update(batch)
            if await self._overtaken():
                return False
        self._again.clear()
        return True

    async def _subscribe(self, batch: Sequence[InstrumentId]) -> bool:
        """Subscribe these; False where the session ended meanwhile."""
        before = {one: self._heard.get(one, 0) for one in batch}
        session = self._feed.session
        refused = await self._feed.subscribe(batch)
        if not self._ready or self._began or self._feed.session != session:
            return False
        self._refused.update(refused)
        taken = [one for one in batch if one not in refused]
        self._subscribed.update(taken)
        self._unproven.update((one, before[one]) for one in taken)
        return True

    async def _overtaken(self) -> bool:
        """Rest between two batches; whether there is something newer to do."""
        await asyncio.sleep(self._flow.pause_s)
        return self._woken.is_set()

    def _batches(self, instruments: Sequence[InstrumentId]) -> Iterator[Sequence[InstrumentId]]:
        size = self._flow.batch or max(len(instruments), 1)
        return (instruments[start : start + size] for start in range(0, len(instruments), size))
