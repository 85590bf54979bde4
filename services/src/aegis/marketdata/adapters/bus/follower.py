"""What is published of a feed set, as the stream has it: for who stands by, and will go on behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode
from aegis.marketdata.adapters.bus.marker import Border, border
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, StreamConfig, Transport

__all__ = ["TickFollower"]

_log = structlog.get_logger("aegis.standby")
_RETRY_S: Final = 0.2


class TickFollower:
    """Begins with the latest tick of each instrument. Ticks of an epoch that has ended are left out.

    `on_tick` is called with subject and tick, in the order of the stream. `allow_pickle`: where that is the codec.
    """

    def __init__(
        self,
        transport: Transport,
        stream: StreamConfig,
        feed: str,
        on_tick: Callable[[str, Tick], None],
        *,
        allow_pickle: bool = False,
    ) -> None:
        self.market = ""  # whose ticks were published last; empty: nobody's
        self._transport = transport
        self._stream = stream
        self._feed = feed
        self._marker_subject = subjects.tick_marker(feed)
        self._on_tick = on_tick
        self._allow_pickle = allow_pickle
        self._epoch = 0
        self._sequence = 0
        self._advanced = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        while self._transport.state is not ConnectionState.CLOSED:
            try:
                await self._transport.ensure_stream(self._stream)
                await self._follow()
            except (AegisError, TimeoutError) as error:
                _log.info("cannot_follow", reason=str(error), again_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def reached(self, sequence: int) -> None:
        """Return when all up to this sequence of the stream was told."""
        while self._sequence < sequence:
            self._advanced.clear()
            await self._advanced.wait()

    async def _follow(self) -> None:
        async with self._transport.read(self._stream.name, last_per_subject=True) as messages:
            async for message in messages:
                if message is not None:
                    self._take(message)
                    self._sequence = message.sequence
                    self._advanced.set()

    def _take(self, message: StoredMessage) -> None:
        try:
            if message.subject.startswith("tick."):
                self._take_tick(message.subject, decode(message.headers, message.payload, self._allow_pickle))
            elif message.subject == self._marker_subject:
                self._take_border(border(message.payload))
        except (CodecError, msgspec.MsgspecError) as error:
            _log.warning("not_understood", subject=message.subject, reason=str(error))

    def _take_tick(self, subject: str, tick: Tick) -> None:
        if tick.feed == self._feed and tick.epoch >= self._epoch:
            self._epoch = tick.epoch
            self._on_tick(subject, tick)

    def _take_border(self, found: Border) -> None:
        if found.epoch >= self._epoch:
            self._epoch, self.market = found.epoch, found.market
