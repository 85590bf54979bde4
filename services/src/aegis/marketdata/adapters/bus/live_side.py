"""Ticks to live subscribers alone, while the stream does not take them.

One batch at a time: the next one goes when the server has processed the one before. A connection is in order, so what
is sent behind a hundred thousand ticks waits for them, heartbeats and proofs of the epoch above all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aegis.marketdata.adapters.bus.publisher_options import PublisherOptions
from aegis.marketdata.adapters.bus.republish_ring import RepublishRing
from aegis.marketdata.ports import Outgoing
from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.messages import Headers
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["LiveSide"]

_FOR_LISTENERS: Final = {"Nats-Expected-Stream": "_"}
"""A guard that no stream meets: whoever listens has the message, and no stream stores it."""


class LiveSide:
    """Sends from the ring what live subscribers have not had. `may_send` is asked each time, `on_begun` told."""

    def __init__(
        self,
        transport: Transport,
        ring: RepublishRing,
        headers: Headers,
        options: PublisherOptions,
        *,
        may_send: Callable[[], bool],
        on_begun: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._ring = ring
        self._headers = {**headers, **_FOR_LISTENERS}
        self._options = options
        self._may_send = may_send
        self._on_begun = on_begun
        self._due: asyncio.TimerHandle | None = None
        self._processing: asyncio.Task[None] | None = None  # a full batch, at the server
        self.is_first = False  # live subscribers have ticks before the stream
        self.cut: Sequence[Outgoing] = ()  # sent to a connection that broke: live subscribers may lack them

    def expect_progress(self) -> None:
        """Begin, unless `end` is called within `live_after_s`."""
        if self._due is None and not self.is_first:
            self._due = asyncio.get_running_loop().call_later(self._options.live_after_s, self._begin)

    def end(self) -> None:
        """The stream takes ticks."""
        self.is_first = False
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def connection_broke(self) -> None:
        """What was written to it may have arrived or not."""
        self.cut = self._ring.cut()
        self.end()

    def send(self) -> None:
        """Send some of what they have not had, and come back for the rest. Nothing, where the stream has had all."""
        if not (self.is_first or self._ring.delivered) or self._processing is not None:
            return
        if self._transport.state is not ConnectionState.CONNECTED or not self._may_send():
            return
        cut, self.cut = self.cut, ()
        fresh = self._ring.undelivered(self._options.batch)
        try:
            messages = [(subject, payload) for subject, payload, _ in (*cut, *fresh)]
            self._transport.publish_many(messages, self._headers)
        except ConnectionUnavailable:
            self.cut = cut
            return
        self._ring.deliver(len(fresh))
        if len(fresh) == self._options.batch:
            self._processing = asyncio.create_task(self._go_on(), name="ticks to live subscribers")

    async def _go_on(self) -> None:
        with suppress(AegisError):
            await self._transport.flush(self._options.ack_timeout_s)
        self._processing = None
        self.send()

    def close(self) -> None:
        """Send nothing more."""
        self.end()
        if self._processing is not None:
            self._processing.cancel()

    def _begin(self) -> None:
        self._due, self.is_first = None, True
        self.send()
        self._on_begun()
