"""A look at a feed set that goes on: ticks as they come, market data asked every second, the judge fed with both.

It touches nothing. The agent repairs by what is found here; `aegis health` without an agent only shows it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final, Self

import structlog

from aegis.contracts.marketdata import SERVICE, FeedStatus
from aegis.contracts.reasons import Reason
from aegis.contracts.tick_codec import decode
from aegis.marketdata.health.desk import Desk, Publisher
from aegis.marketdata.health.domain.findings import Findings, Level
from aegis.marketdata.health.domain.judge import FeedSeen, Judge
from aegis_sdk import clock, subjects
from aegis_sdk.client import Client
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import CodecError, RpcError, Unavailable
from aegis_sdk.messages import Message
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["LOOK_S", "Watch"]

_log = structlog.get_logger("aegis.health")

LOOK_S: Final = 0.2
_REGISTRY_S: Final = 5.0
_CONFIRM_S: Final = 1.0
_ASK_S: Final = 1.0
_ASK_ALL_S: Final = 10.0
_ASKED_A_SECOND: Final = 1_000  # instruments, while some of them do not tick
_UNANSWERED_S: Final = 5.0
_TOO_OLD_S: Final = 10.0  # longer than it takes to ask for 25,000 instruments
_REPLAY: Final = "replay:"

_Totals = tuple[object, ...]


class Watch:
    """Of one feed set. Make it with `open`; `look` tells how it is."""

    def __init__(self, transport: Transport, client: Client, directory: Directory, feed: str) -> None:
        self.desk: Final = Desk(client, directory, feed)
        self.publishers: list[Publisher] = []
        self.listed: dict[str, str | None] = {}
        self.malformed = 0
        self._read_at = self._unread_at = -math.inf  # a tick of the feed, one that nobody could read
        self._transport = transport
        self._feed = feed
        self._judge = Judge(time.time_ns(), clock.now())
        self._totals: _Totals = ()
        self._listing: _Totals = ()
        self._all_asked_at = self._answered_at = clock.now()
        self._asked = asyncio.Event()
        self._trouble: tuple[Reason, ...] = ()
        self._failure: Reason | None = Reason.of("not_asked_yet")
        self._known_at = -math.inf  # when asking told how it is, be it that nobody answers
        self._epoch = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: Transport, client: Client, feed: str) -> AsyncGenerator[Self]:
        """Raises Unavailable where the registry cannot be read."""
        try:
            opening = Directory.open(transport, service=SERVICE, timeout=_REGISTRY_S, definitions=False)
            async with opening as directory:
                with suppress(TimeoutError):  # until its first heartbeat nobody counts as alive
                    await directory.wait_for(lambda found: bool(found.instances(SERVICE)), timeout=_CONFIRM_S)
                watch = cls(transport, client, directory, feed)
                ticks = await transport.subscribe(subjects.tick(subjects.ANY, subjects.ANY), watch.on_tick)
                end_listening = transport.on_state(watch.on_state)
                asking = asyncio.create_task(watch.ask(), name="ask market data")
                try:
                    yield watch
                finally:
                    end_listening()
                    asking.cancel()
                    await asyncio.wait({asking})
                    await ticks.unsubscribe()
        except TimeoutError:
            raise Unavailable(f"the registry cannot be read within {_REGISTRY_S:g} s") from None

    @property
    def publisher(self) -> Publisher | None:
        """The instance that publishes."""
        return next((one for one in self.publishers if one.view.holds), None)

    @property
    def market_ns(self) -> int:
        return self._judge.market_ns

    async def asked(self) -> None:
        """Return when market data was asked once, with or without an answer."""
        await self._asked.wait()

    def look(self) -> tuple[Level, tuple[Reason, ...], Findings]:
        """How it is, why, and what was found: a check that could not run is UNKNOWN.

        Where market data does not answer, nobody has a session, whatever was found before.
        """
        found = self._judge.look(clock.now())
        if self._trouble:
            found = replace(found, level=Level.CRITICAL, why=self._trouble, trouble=self._trouble, is_down=True)
        if self._transport.state is not ConnectionState.CONNECTED:
            return Level.UNKNOWN, (Reason.of("nats_away"),), found
        if clock.now() - self._known_at > _TOO_OLD_S:
            return Level.UNKNOWN, (self._failure or Reason.of("being_asked"),), found
        if self._unread_at - self._read_at > _TOO_OLD_S:
            return Level.UNKNOWN, (Reason.of("ticks_unreadable"),), found
        return found.level, found.why, found

    # Ticks

    def on_tick(self, message: Message) -> None:
        try:
            tick = decode(message.headers, message.payload)
        except CodecError:
            self.malformed += 1
            self._unread_at = clock.now()
            return
        if tick.feed == self._feed and tick.epoch >= self._epoch:
            self._read_at = clock.now()
            self._judge.tick(f"{tick.exchange}.{tick.symbol}", tick.ts_exchange_ns, tick.flags, self._read_at)

    def on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._judge.listen_anew()

    # Market data

    async def ask(self) -> None:
        """Ask for ever, whatever goes wrong: without answers a look soon tells that nothing is known."""
        while True:
            began = clock.now()
            if self._transport.state is ConnectionState.CONNECTED:
                try:
                    await self._ask(began)
                    self._failure, self._known_at = None, clock.now()
                except Exception as error:
                    self._note_failure(Reason.of("cannot_be_asked", text=str(error) or type(error).__name__))
                self._asked.set()
            await asyncio.sleep(max(_ASK_S - (clock.now() - began), 0.05))

    def _note_failure(self, failure: Reason) -> None:
        before, self._failure = self._failure, failure
        if before != failure:  # each second it may be the same one
            _log.exception("asking_failed", feed=self._feed)

    async def _ask(self, now: float) -> None:
        self.publishers, unanswered = await self.desk.publishers()
        if not self.publishers or (unanswered and self.publisher is None):
            if not unanswered or now - self._answered_at > _UNANSWERED_S or not self._asked.is_set():
                silent = "publisher_silent" if self.publishers else "market_data_silent"
                self._trouble = (Reason.of(silent if unanswered else "no_market_data", feed=self._feed),)
            return
        first = self.publishers[0]
        try:
            await self._ask_all(first, now)
        except RpcError as error:
            if now - self._answered_at > _UNANSWERED_S:
                self._trouble = (Reason.of("wanted_not_told", instance=first.view.instance, text=str(error)),)
            return
        self._answered_at = now
        self._trouble = ()

    async def _ask_all(self, of: Publisher, now: float) -> None:
        """What is wanted and listed, where it may have changed."""
        status, instance = of.status, of.view.instance
        listing = (instance, status.session, status.listings)
        if listing != self._listing:
            self.listed = await self.desk.listed(instance)
            self._judge.list(self.listed)
            self._listing = listing
        totals = (listing, status.wanted, status.subscribed, status.ticking, status.refused, status.state)
        is_short = status.ticking < status.wanted - status.refused
        pause_s = max(_ASK_S / 2, status.wanted / _ASKED_A_SECOND) if is_short else _ASK_ALL_S
        if totals != self._totals or now - self._all_asked_at > pause_s:
            self._judge.want(await self.desk.wanted(instance))
            self._totals, self._all_asked_at = totals, now
        self._epoch = status.epoch
        self._judge.feed(_seen(status))


def _seen(status: FeedStatus) -> FeedSeen:
    return FeedSeen(
        session=f"{status.epoch}/{status.session}",
        state=status.state,
        why=tuple(status.why),
        snapshots=not status.source.startswith(_REPLAY),
        published=status.role == "active",
    )
