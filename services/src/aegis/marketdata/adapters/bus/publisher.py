"""Ticks to NATS as core publishes that a stream captures, and the proof that none is missing there.

Each batch of ticks ends with a *marker*, an acknowledged message in the same stream. If the sequence of a marker is
that of the marker before, plus the ticks between, plus one, then all of these are stored. If it is higher, others
write to the stream too, and the batch is looked up in it. If it is lower, or there is no acknowledgement, or the
connection broke, then all that was sent since a moment before the last proof is *in doubt*. The publisher stops. When
NATS is there again it stores one marker alone: what was sent before that is by now either stored or gone for good. It
reads the stream up to there, sends again what is missing, in order, and goes on. So the order of each instrument is
kept, and nothing is stored twice.

At most `window` batches are in flight, so that the server's ingest is never overrun: it drops what it cannot queue.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aegis.contracts.market import InstrumentId
from aegis.marketdata.adapters.bus.ages import StoreAges
from aegis.marketdata.adapters.bus.marker import marker
from aegis.marketdata.adapters.bus.outage import Outage
from aegis.marketdata.adapters.bus.republish_ring import RepublishRing
from aegis.marketdata.adapters.bus.stream import ticks_stream
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.ports import Outgoing, OutletStats
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, ConfigurationError, ConnectionUnavailable
from aegis_sdk.messages import Headers
from aegis_sdk.transport import ConnectionState, StreamConfig, Transport

_RETRY_S: Final = 0.05
_MAX_RETRY_S: Final = 1.0
_READ_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class PublisherOptions:
    """How ticks are sent and kept. `window` times `batch` stays below what a server queues for a stream, 10,000."""

    ring: int = 132_000  # ticks kept until they are stored: 66 s at 2,000 a second
    batch: int = 1_000  # ticks between two markers, at most
    marker_interval_s: float = 0.02  # from the first tick of a batch to its marker, at most
    window: int = 8  # batches in flight, at most
    ack_timeout_s: float = 2.0
    keep_s: float = 0.25  # stored ticks are kept so long: a server with `persist_async` writes within some 10 ms

    def __post_init__(self) -> None:
        if self.ring < 2 * (self.window + 1) * self.batch:
            raise ConfigurationError("ring", f"{self.ring} is less than twice (window + 1) * batch")


class StreamPublisher:
    """The `TickOutlet` over NATS. `headers` are those of each tick, `stream` is made where it is missing."""

    def __init__(
        self,
        transport: Transport,
        origin: Origin,
        headers: Headers,
        options: PublisherOptions | None = None,
        stream: StreamConfig | None = None,
    ) -> None:
        self._transport = transport
        self._origin = origin
        self._headers = headers
        self._options = options or PublisherOptions()
        self._stream = stream or ticks_stream()
        self._ring = RepublishRing(self._options.ring, self._options.keep_s)
        self._ages = StoreAges()
        self._acks: deque[asyncio.Future[int]] = deque()  # one for each batch in flight
        self._markers = 0
        self._marker_due: asyncio.TimerHandle | None = None
        self._flowing = False
        self._woken = asyncio.Event()  # something happened that the proof waits for
        self._progress = asyncio.Event()  # something happened that those who fill or drain wait for
        self._outage: Outage | None = None
        self._repairs = self._republished = self._last_stored_ns = 0

    # The side of the pipeline

    def begin(self, origin: Origin) -> None:
        if self._flowing and self._ring.open:
            self._mark()
        self._origin = origin

    def publish(self, ticks: Sequence[Outgoing], received_ns: int = 0) -> None:
        if received_ns:
            self._ages.accepted(self._ring.accepted + 1, received_ns)
        self._ring.add(ticks)
        if self._flowing:
            self._send()
        elif self._outage is not None:
            self._outage.note_loss(self._ring.lost)

    async def room(self) -> None:
        while self._flowing and self._is_full():
            await self._next_progress()

    async def space(self) -> None:
        while self._is_full():
            await self._next_progress()

    async def drain(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                while len(self._ring):
                    if self._flowing and self._ring.open:
                        self._mark()
                    await self._next_progress()
        except TimeoutError:
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
            republished=self._republished,
            repairs=self._repairs,
            last_stored_ns=self._last_stored_ns,
            latency=self._ages.histogram,
        )

    def _is_full(self) -> bool:
        return len(self._ring.waiting) >= self._options.batch

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    # Sending

    async def run(self) -> None:
        end_listening = self._transport.on_state(self._on_state)
        try:
            while True:
                await self._settle_doubts()
                await self._flow()
        finally:
            end_listening()
            self._stop_sending()

    def _send(self) -> None:
        ring, options = self._ring, self._options
        while self._flowing and ring.waiting and len(self._acks) < options.window:
            ticks = ring.take(options.batch - len(ring.open))
            try:
                self._transport.publish_many([(subject, payload) for subject, payload, _ in ticks], self._headers)
            except ConnectionUnavailable as error:
                ring.returned(ticks)
                return self._doubt(str(error))
            ring.opened(ticks)
            if len(ring.open) >= options.batch:
                self._mark()
        if ring.open and self._marker_due is None:
            loop = asyncio.get_running_loop()
            self._marker_due = loop.call_later(options.marker_interval_s, self._mark)
        return None

    def _mark(self) -> None:
        """End the open batch with a marker."""
        self._cancel_marker()
        body = self._marker(self._ring.close_batch())
        subject = subjects.tick_marker(self._origin.feed)
        ack = self._transport.append_now(subject, body, timeout=self._options.ack_timeout_s)
        ack.add_done_callback(self._on_ack)
        self._acks.append(ack)

    def _marker(self, batch: Sequence[Outgoing]) -> bytes:
        self._markers += 1
        return marker(self._origin, self._markers, batch)

    def _cancel_marker(self) -> None:
        if self._marker_due is not None:
            self._marker_due.cancel()
            self._marker_due = None

    def _on_ack(self, ack: asyncio.Future[int]) -> None:
        if not ack.cancelled():
            ack.exception()  # seen: also that of a marker that is in doubt already
        self._woken.set()

    def _on_state(self, state: ConnectionState) -> None:
        if state is not ConnectionState.CONNECTED:
            self._doubt(f"the connection is {state}")

    def _doubt(self, reason: str) -> None:
        """Stop sending, until it is known what became of all that was sent."""
        if self._flowing:
            self._stop_sending()
            self._ring.doubt()
            self._outage = Outage(reason, self._ring.lost)

    def _stop_sending(self) -> None:
        self._flowing = False
        self._cancel_marker()
        self._acks.clear()
        self._woken.set()
        self._progress.set()

    # Proof

    async def _flow(self) -> None:
        """Prove batch after batch; returns when there is doubt."""
        self._flowing = True
        self._on_state(self._transport.state)
        self._send()
        while self._flowing:
            self._woken.clear()
            await self._prove()
            if self._flowing:
                await self._woken.wait()

    async def _prove(self) -> None:
        while self._acks and self._acks[0].done():
            if self._acks[0].cancelled():
                return self._doubt("no proof: the connection was closed")
            try:
                sequence = self._acks[0].result()
                expected = self._ring.sequence + len(self._ring.in_flight(1)) + 1
                if sequence == expected:
                    self._prove_oldest()
                elif sequence < expected or not await self._look_up():
                    self._doubt("ticks are missing in the stream")
            except (AegisError, TimeoutError) as error:
                self._doubt(f"no proof: {error}")
        return None

    def _prove_oldest(self) -> None:
        self._ring.prove(self._acks.popleft().result(), time.monotonic())
        self._last_stored_ns = time.time_ns()
        self._ages.settled(self._ring.accepted - len(self._ring), self._last_stored_ns)
        self._send()
        self._progress.set()

    async def _look_up(self) -> bool:
        """Find all acknowledged batches in the stream: others write to it, so counting proves nothing."""
        batches = 0
        for ack in self._acks:
            if not ack.done() or ack.cancelled() or ack.exception():
                break
            batches += 1
        wanted = {payload for _, payload, _ in self._ring.in_flight(batches)}
        await self._find(wanted, self._ring.sequence, self._acks[batches - 1].result())
        if wanted or not self._flowing:
            return False
        for _ in range(batches):
            self._prove_oldest()
        return True

    async def _settle_doubts(self) -> None:
        """Return when NATS is there, and all that was sent is known to be stored or waits to be sent again."""
        pause = _RETRY_S
        while True:
            try:
                end = await self._store_marker()
                missing = {payload for _, payload, _ in self._ring.in_doubt}
                await self._find(missing, *self._where_to_look(end))
                break
            except (AegisError, TimeoutError) as error:
                if self._transport.state is ConnectionState.CLOSED:
                    raise
                self._outage = self._outage or Outage(f"cannot begin: {error}", self._ring.lost)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_RETRY_S)
        again = self._ring.resolve(missing, end)
        self._republished += again
        if self._outage is not None:
            self._repairs += 1
            self._outage.end(self._ring.lost, republished=again)
            self._outage = None
        self._progress.set()

    async def _store_marker(self) -> int:
        await self._transport.wait_connected(_MAX_RETRY_S)
        await self._transport.ensure_stream(self._stream)
        subject, timeout = subjects.tick_marker(self._origin.feed), self._options.ack_timeout_s
        return await self._transport.append(subject, self._marker(()), timeout=timeout)

    def _where_to_look(self, end: int) -> tuple[int, int]:
        """Behind which sequence, and up to which one: no more messages than the ring is long."""
        begin, length = self._ring.sequence, self._options.ring
        if begin < end:
            return begin, min(end, begin + length)
        return max(0, end - length), end  # the stream was made anew

    async def _find(self, wanted: set[bytes], after: int, until: int) -> None:
        """Take out of `wanted` the payloads that the stream has."""
        if not wanted:
            return
        async with asyncio.timeout(_READ_S), self._transport.read(self._stream.name, after=after) as messages:
            async for message in messages:
                if message is None:
                    return
                wanted.discard(message.payload)
                if not wanted or message.sequence >= until:
                    return


@lru_cache(maxsize=65_536)  # each scrape asks again for all that lost something
def _instrument(subject: str) -> InstrumentId:
    _, exchange, symbol = subjects.split(subject)
    return InstrumentId(exchange, subjects.unescape(symbol))
