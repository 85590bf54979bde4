"""Ticks to NATS as core publishes that a stream captures, and the proof that none is missing there.

Each batch of ticks ends with a *marker*, an acknowledged message in the same stream. If the sequence of a marker is
that of the marker before, plus the ticks between, plus one, then all of these are stored. If it is higher, others
write to the stream too, and the batch is looked up in it. If it is lower, or there is no acknowledgement, or the
connection broke, then all that was sent since a moment before the last proof is *in doubt*. The publisher stops. When
NATS is there again it stores one marker alone: what was sent before that is by now either stored or gone for good. It
reads the stream up to there, sends again what is missing, in order, and goes on. So the order of each instrument is
kept, and nothing is stored twice.

One batch is in flight at a time. So the server's ingest, which drops what it cannot queue, is never overrun; and where
a leader steps down and the stream hears nothing for a moment, nothing is sent behind what it missed: a tick whose
successor is stored would have come too late.

Live subscribers need no stream. Where it does not store for longer than `live_after_s`, because its leader is being
replaced, ticks go to them alone: under a guard that no stream can meet. They stay in the ring, and go to the stream
alone when it is there again, by a subject that nobody else listens to. So both see each tick once, and in order.

It sends under a licence, and only while that is trusted: an instance that stood still may have been replaced. Whoever
takes over has a higher epoch. Its first marker is the border: behind it ticks of a lower epoch are void.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final

import structlog

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.bus.ages import StoreAges
from aegis.marketdata.adapters.bus.live_side import LiveSide
from aegis.marketdata.adapters.bus.looking import find, where_to_look
from aegis.marketdata.adapters.bus.marker import marker
from aegis.marketdata.adapters.bus.outage import Outage
from aegis.marketdata.adapters.bus.permit import Permit
from aegis.marketdata.adapters.bus.publisher_options import PublisherOptions
from aegis.marketdata.adapters.bus.republish_ring import RepublishRing
from aegis.marketdata.adapters.bus.stream import ticks_stream
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.ports import Left, License, Outgoing, OutletStats
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.messages import EPOCH, Headers
from aegis_sdk.transport import ConnectionState, StreamConfig, Transport

_log = structlog.get_logger("aegis.publisher")
_RETRY_S: Final = 0.05
_SOON: Final = 0.7
"""Of the time that a marker may wait: then it goes with the next ticks, and nobody has to wake up for it alone."""
_MAX_RETRY_S: Final = 1.0


class StreamPublisher:
    """The `TickOutlet` over NATS. `headers` are those of each tick, `stream` is made where it is missing."""

    def __init__(
        self,
        transport: Transport,
        headers: Headers,
        options: PublisherOptions | None = None,
        stream: StreamConfig | None = None,
    ) -> None:
        self._transport = transport
        self._headers = headers
        self._late_headers = headers  # of ticks that live subscribers have had: they may be another epoch's
        self._options = options or PublisherOptions()
        self._stream = stream or ticks_stream()
        self._ring = RepublishRing(self._options.ring, self._options.keep_s)
        self._ages = StoreAges()
        self._ack: asyncio.Future[int] | None = None  # of the marker of the batch in flight
        self._markers = 0
        self._batch_began = 0.0  # when its first tick was sent
        self._marker_due: asyncio.TimerHandle | None = None
        self._origin: Origin | None = None  # this and the next: while it is open
        self._permit = Permit(self._send)
        self._opened = asyncio.Event()
        self._begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._flowing = False
        self._woken = asyncio.Event()  # something happened that the proof waits for
        self._progress = asyncio.Event()  # something happened that those who fill or drain wait for
        self._live = LiveSide(
            transport,
            self._ring,
            headers,
            self._options,
            may_send=self._permit.may_send,
            on_begun=self._progress.set,
        )
        self._outage: Outage | None = None
        self._repairs = self._republished = self._last_stored_ns = 0

    # The side of the pipeline

    def open(self, origin: Origin, license: License) -> asyncio.Future[int]:
        self._origin, self._permit.license = origin, license
        self._late_headers = {**self._headers, EPOCH: str(origin.epoch)}
        self._begun = asyncio.get_running_loop().create_future()
        self._opened.set()
        self._live.expect_progress()
        return self._begun

    def begin(self, origin: Origin) -> None:
        if self._flowing and self._ring.open:
            self._mark()
        self._origin = origin

    def adopt(self, ticks: Sequence[Outgoing], after: int | None) -> None:
        if not ticks:
            return
        if after is not None:
            self._doubt("what the stream has of another instance's ticks is not known")
        self._ring.adopt(ticks, after=after)
        _log.info("ticks_adopted", ticks=len(ticks), in_doubt=after is not None)
        if self._flowing:
            self._send()

    def leave(self) -> Left:
        self._permit.license = None
        self._opened.clear()
        self._begun.cancel()
        self._stop_sending()
        cut, self._live.cut = self._live.cut, ()
        self._ages.forget()
        self._outage = None
        return self._ring.leave(cut)

    def publish(self, ticks: Sequence[Outgoing], received_ns: int = 0) -> None:
        if received_ns:
            self._ages.accepted(self._ring.accepted + 1, received_ns)
        self._ring.add(ticks)
        self._live.send()
        if self._flowing:
            self._send()
        elif self._outage is not None:
            self._outage.note_loss(self._ring.lost)

    async def room(self) -> None:
        while self._flowing and (self._is_crammed() if self._live.is_first else self._is_full()):
            await self._next_progress()

    async def space(self) -> None:
        while self._is_full():
            await self._next_progress()

    async def flushed(self, timeout: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while len(self._ring):
                    if self._flowing and self._ring.open:
                        self._mark()
                    await self._next_progress()

    async def drain(self, timeout: float) -> None:
        await self.flushed(timeout)
        if len(self._ring):
            self._stop_sending()
            self._ring.give_up()

    def stats(self) -> OutletStats:
        ring = self._ring
        return OutletStats(
            accepted=ring.accepted,
            handed_over=ring.handed_over,
            waiting=len(ring.waiting),
            in_flight=ring.sent,
            stored=ring.stored,
            lost={_instrument(subject): count for subject, count in ring.lost.items()},
            lost_sent=ring.lost_sent,
            left=ring.left,
            adopted=ring.adopted,
            republished=self._republished,
            repairs=self._repairs,
            last_stored_ns=self._last_stored_ns,
            latency=self._ages.histogram,
        )

    def _is_full(self) -> bool:
        return len(self._ring.waiting) >= self._options.batch

    def _is_crammed(self) -> bool:
        """Whether the next ticks would drive out others, though there is a stream that may take them any moment."""
        return len(self._ring) + self._options.batch > self._options.ring

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    # Sending

    async def run(self) -> None:
        end_listening = self._transport.on_state(self._on_state)
        try:
            while True:
                await self._opened.wait()
                if await self._settle_doubts():
                    await self._flow()
        finally:
            end_listening()
            self._stop_sending()
            self._live.close()

    def _send(self) -> None:
        ring, options = self._ring, self._options
        if ring.open and self._batch_age_s() >= options.marker_interval_s:
            self._mark()  # it is overdue: the loop was held up
        while self._flowing and ring.waiting and self._ack is None and self._permit.may_send():
            ticks, delivered = ring.take(options.batch - len(ring.open))
            messages = [(_stored(subject) if delivered else subject, payload) for subject, payload, _ in ticks]
            try:
                self._transport.publish_many(messages, self._late_headers if delivered else self._headers)
            except ConnectionUnavailable as error:
                ring.returned(ticks, delivered=delivered)
                return self._doubt(str(error))
            if not ring.open:
                self._batch_began = time.monotonic()
            ring.opened(ticks)
            if len(ring.open) >= options.batch or self._batch_age_s() >= _SOON * options.marker_interval_s:
                self._mark()
        if ring.open and self._marker_due is None:
            loop = asyncio.get_running_loop()
            self._marker_due = loop.call_later(options.marker_interval_s, self._mark)
        if ring.waiting and self._ack is not None:
            self._live.expect_progress()
        return None

    def _batch_age_s(self) -> float:
        """Of the open one."""
        return time.monotonic() - self._batch_began

    def _mark(self) -> None:
        """End the open batch with a marker."""
        self._cancel_marker()
        body = self._marker(self._ring.close_batch())
        ack = self._transport.append_now(self._marker_subject(), body, timeout=self._options.ack_timeout_s)
        ack.add_done_callback(self._on_ack)
        self._ack = ack

    def _marker(self, batch: Sequence[Outgoing]) -> bytes:
        assert self._origin is not None
        self._markers += 1
        return marker(self._origin, self._markers, batch)

    def _marker_subject(self) -> str:
        assert self._origin is not None
        return subjects.tick_marker(self._origin.feed)

    def _cancel_marker(self) -> None:
        if self._marker_due is not None:
            self._marker_due.cancel()
            self._marker_due = None

    def _on_ack(self, ack: asyncio.Future[int]) -> None:
        if not ack.cancelled():
            ack.exception()  # seen: also that of a marker that is in doubt already
        self._woken.set()

    def _on_state(self, state: ConnectionState) -> None:
        if state is not ConnectionState.CONNECTED:  # what was written to it may have arrived or not
            self._doubt(f"the connection is {state}")
            self._live.connection_broke()
        elif self._permit.license is not None and not self._flowing:
            self._live.expect_progress()

    def _doubt(self, reason: str) -> None:
        """Stop sending, until it is known what became of all that was sent."""
        if self._flowing:
            self._stop_sending()
            self._ring.doubt()
            self._outage = Outage(reason, self._ring.lost)
            self._live.expect_progress()

    def _stop_sending(self) -> None:
        self._flowing = False
        self._cancel_marker()
        self._live.end()
        self._ack = None
        self._woken.set()
        self._progress.set()

    # Proof

    async def _flow(self) -> None:
        """Prove batch after batch; returns when there is doubt."""
        self._flowing = self._permit.license is not None
        self._on_state(self._transport.state)
        self._send()
        while self._flowing:
            self._woken.clear()
            await self._prove()
            if self._flowing:
                await self._woken.wait()

    async def _prove(self) -> None:
        if self._ack is None or not self._ack.done():
            return None
        if self._ack.cancelled():
            return self._doubt("no proof: the connection was closed")
        try:
            sequence = self._ack.result()
            expected = self._ring.sequence + len(self._ring.in_flight) + 1
            if sequence == expected or (sequence > expected and await self._is_stored(sequence)):
                self._note_stored(sequence)
            else:
                self._doubt("ticks are missing in the stream")
        except (AegisError, TimeoutError) as error:
            self._doubt(f"no proof: {error}")
        return None

    def _note_stored(self, sequence: int) -> None:
        """The batch in flight is."""
        if not self._flowing:
            return
        self._ack = None
        self._ring.prove(sequence, time.monotonic())
        self._last_stored_ns = time.time_ns()
        self._live.end()
        self._ages.settled(self._ring.accepted - len(self._ring), self._last_stored_ns)
        self._send()
        self._progress.set()

    async def _is_stored(self, sequence: int) -> bool:
        """Look for the batch in flight in the stream: others write to it, so counting proves nothing."""
        wanted = {payload for _, payload, _ in self._ring.in_flight}
        await find(self._transport, self._stream.name, wanted, self._ring.sequence, sequence)
        return not wanted

    async def _settle_doubts(self) -> bool:
        """Return when NATS is there, and all that was sent is known to be stored or waits to be sent again.

        False where the licence under which that began is no more.
        """
        pause, license = _RETRY_S, self._permit.license
        while True:
            try:
                end = await self._store_marker()
                missing = {payload for _, payload, _ in self._ring.in_doubt}
                where = where_to_look(self._ring.sequence, end, self._options.ring)
                await find(self._transport, self._stream.name, missing, *where)
            except (AegisError, TimeoutError) as error:
                if self._transport.state is ConnectionState.CLOSED:
                    raise
                if self._permit.license is not license:
                    return False
                self._outage = self._outage or Outage(f"cannot begin: {error}", self._ring.lost)
                self._live.expect_progress()
            else:
                if self._permit.license is not license:
                    return False
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_RETRY_S)
        if not self._begun.done():
            self._begun.set_result(end)
        again = self._ring.resolve(missing, end, delivered=not self._live.cut)
        self._live.cut = ()
        if not self._ring.waiting:
            self._live.end()
        self._republished += again
        if self._outage is not None:
            self._repairs += 1
            self._outage.end(self._ring.lost, republished=again)
            self._outage = None
        self._progress.set()
        return True

    async def _store_marker(self) -> int:
        await self._transport.wait_connected(_MAX_RETRY_S)
        await self._transport.ensure_stream(self._stream)
        timeout = self._options.ack_timeout_s
        return await self._transport.append(self._marker_subject(), self._marker(()), timeout=timeout)


@lru_cache(maxsize=65_536)
def _stored(subject: str) -> str:
    return subjects.tick_stored(*_instrument(subject))


@lru_cache(maxsize=65_536)  # each scrape asks again for all that lost something
def _instrument(subject: str) -> InstrumentId:
    _, exchange, symbol = subjects.split(subject)
    return InstrumentId(exchange, subjects.unescape(symbol))
