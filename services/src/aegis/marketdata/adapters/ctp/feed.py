"""CTP as a feed: sessions in processes of their own, one after the other, for as long as the feed is open.

A session that fails or falls silent is ended, killed where it must be, and followed by a new one, after a pause that
grows (`attempts`). Nothing is subscribed in a new session; whoever hears READY asks again for what is wanted. A session
whose login is refused for good is not followed: the feed is FAILED.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import structlog

from aegis.contracts.market import Env, Instrument, InstrumentId
from aegis.contracts.reasons import Reason
from aegis.ctp.attempts import Attempts, Patience
from aegis.ctp.failures import Failure, Kind, Step
from aegis.marketdata.adapters.ctp.frames import Start, Waiting
from aegis.marketdata.adapters.ctp.metrics import session_figures
from aegis.marketdata.adapters.ctp.silence import IsExpected
from aegis.marketdata.adapters.ctp.watched import Limits, WatchedSession
from aegis.marketdata.ports import FeedRefused, FeedSink, FeedState
from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.metrics import Metric

__all__ = ["CtpFeed", "CtpOptions"]

_log = structlog.get_logger("aegis.ctp")


@dataclass(frozen=True, kw_only=True)
class CtpOptions:
    """How long a session may take for what, and when it is followed by another."""

    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)


class CtpFeed:
    """The `Feed` of one CTP login. `source` names it in each tick, `market` whose ticks it has; `start` has secrets.

    `expects` is asked whether contracts trade that have fallen silent; without it no silence is a stall.
    """

    def __init__(
        self,
        source: str,
        market: str,
        env: Env,
        start: Start,
        options: CtpOptions | None = None,
        *,
        expects: IsExpected = lambda *_: False,
    ) -> None:
        self._source = source
        self._market = market
        self._env: Env = env
        self._start = start
        self._options = options or CtpOptions()
        self._expects = expects
        self._name = ""
        self._sink: FeedSink | None = None
        self._task: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[None] | None = None
        self._current: WatchedSession | None = None
        self._instruments: dict[InstrumentId, Instrument] = {}
        self._subscribed: dict[InstrumentId, None] = {}
        self._ended: Counter[str] = Counter()  # sessions, by what they failed of
        self._killed = 0
        self._dropped: Counter[str] = Counter()  # ticks, by why

    @property
    def source(self) -> str:
        return self._source

    @property
    def market(self) -> str:
        return self._market

    @property
    def session(self) -> str:
        return self._name

    @property
    def session_pid(self) -> int | None:
        """Of the process of the session that there is now."""
        return None if self._current is None else self._current.pid

    @property
    def session_exit_code(self) -> int | None:
        """Of the process of the latest session, once that is gone."""
        return None if self._current is None else self._current.exit_code

    @property
    def env(self) -> Env:
        return self._env

    async def open(self, sink: FeedSink) -> None:
        """Returns when a session is READY, however long the counter is not there. Raises FeedRefused.

        Sessions that are lost later are replaced: the sink hears CONNECTING, and READY of a new session.
        """
        if self._task is not None:
            raise AegisError(f"{self._source} is open already")
        self._sink = sink
        self._opened = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(sink), name=f"ctp {self._source}")
        try:
            await self._opened
        except FeedRefused:  # it has FAILED, and there is nothing to close
            self._task = self._sink = None
            raise
        except BaseException:
            await self.close()
            raise

    async def instruments(self) -> Sequence[Instrument]:
        """Those of the latest session that was READY, on the trading day whose ticks it has."""
        return tuple(self._instruments.values())

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        """Returns when the counter has answered for each. Raises ConnectionUnavailable while there is no session."""
        current = self._require_ready()
        fresh = [one for one in dict.fromkeys(instruments) if one in self._instruments and one not in self._subscribed]
        self._subscribed.update(dict.fromkeys(fresh))
        unknown = {one: Reason.of("not_taken") for one in instruments if one not in self._instruments}
        refused = await current.subscribe(fresh)
        for one in refused:
            self._subscribed.pop(one, None)
        return {**unknown, **refused}

    async def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        """Raises ConnectionUnavailable while there is no session."""
        current = self._require_ready()
        dropped = [one for one in dict.fromkeys(instruments) if one in self._subscribed]
        for one in dropped:
            del self._subscribed[one]
        current.unsubscribe(dropped)

    async def renew(self) -> None:
        """End the session, as one that has failed. Raises ConnectionUnavailable while there is none."""
        self._require_ready().give_up()

    async def close(self) -> None:
        task, sink = self._task, self._sink
        if task is None or sink is None:
            return
        self._task = self._sink = None
        task.cancel()
        await asyncio.wait({task})
        if self._opened is not None:
            self._opened.cancel()
        sink.changed(FeedState.CLOSED)

    def metrics(self) -> Iterable[Metric]:
        waiting = Waiting(0, 0) if self._current is None else self._current.waiting
        return session_figures(self._ended, self._killed, self._dropped, waiting)

    def _require_ready(self) -> WatchedSession:
        if self._task is None or self._current is None or not self._current.is_ready:
            raise ConnectionUnavailable(f"{self._source} has no session now")
        return self._current

    async def _run(self, sink: FeedSink) -> None:
        """Whatever ends it is told: nobody would wait for a session otherwise that never comes."""
        try:
            await self._keep_a_session(sink)
        except Exception as error:
            _log.exception("feed_unusable", source=self._source)
            self._fail(sink, Failure(step=Step.START, kind=Kind.SETUP, cause=Reason.of_error(error)))

    async def _keep_a_session(self, sink: FeedSink) -> None:
        attempts = Attempts(self._options.patience, random.random)
        sink.changed(FeedState.CONNECTING)
        while True:
            session = self._current = WatchedSession(
                sink,
                self._options.limits,
                on_ready=self._begin,
                on_listed=self._list,
                is_expected=self._expects,
                dropped=self._dropped,
            )
            try:
                failure = await session.run(self._start)
            finally:  # also where the feed is closed
                if session.was_killed:
                    self._killed += 1
                    _log.warning("session_killed", source=self._source, exit_code=session.exit_code)
            self._ended[failure.kind] += 1
            pause_s = attempts.pause_after(failure, session.ready_s)
            _log.warning("session_ended", source=self._source, kind=failure.kind, reason=str(failure), again_s=pause_s)
            if pause_s is None:
                return self._fail(sink, failure)
            sink.changed(FeedState.CONNECTING, failure.why)
            await asyncio.sleep(pause_s)

    def _begin(self, universe: Sequence[Instrument]) -> None:
        """A session is ready."""
        assert self._sink is not None
        assert self._opened is not None
        self._name = uuid4().hex[:12]
        self._instruments = {one.id: one for one in universe}
        self._subscribed.clear()
        self._sink.changed(FeedState.READY)
        if not self._opened.done():
            self._opened.set_result(None)

    def _list(self, universe: Sequence[Instrument]) -> None:
        """The session goes on, on another trading day. Who no longer wants what has expired unsubscribes it."""
        assert self._sink is not None
        self._instruments = {one.id: one for one in universe}
        self._sink.changed(FeedState.READY, [Reason.of("day_begun")])

    def _fail(self, sink: FeedSink, failure: Failure) -> None:
        try:
            sink.changed(FeedState.FAILED, failure.why)
        finally:
            if self._opened is not None and not self._opened.done():
                self._opened.set_exception(FeedRefused(f"{self._source} {failure}"))
