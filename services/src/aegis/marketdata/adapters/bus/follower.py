"""What is published of a feed set, as the stream has it: for who stands by, and will go on behind it."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import msgspec
import structlog

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import decode
from aegis.marketdata.adapters.bus.marker import Border, border
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.messages import StoredMessage
from aegis_sdk.transport import ConnectionState, StreamConfig, Transport

__all__ = ["OnTick", "TickFollower"]

_log = structlog.get_logger("aegis.standby")
_RETRY_S: Final = 0.2


class OnTick(Protocol):
    """Called with what is published, in the order of the stream.

    `live`: since we follow, not before; `ours`: it is of the market that our feed brings too.
    """

    def __call__(self, subject: str, tick: Tick, *, live: bool, ours: bool) -> None: ...


class TickFollower:
    """Begins with the latest tick of each instrument. Ticks of an epoch that has ended are left out.

    `allow_pickle`: where that is the feed's codec.
    """

    def __init__(
        self,
        transport: Transport,
        stream: StreamConfig,
        feed: str,
        market: str,
        on_tick: OnTick,
        *,
        allow_pickle: bool = False,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._feed = feed
        self._market = market
        self._marker_subject = subjects.tick_marker(feed)
        self._on_tick = on_tick
        self._allow_pickle = allow_pickle
        self._markets: dict[int, str] = {}  # by epoch
        self._live = False
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

    def market_before(self, epoch: int) -> str:
        """Whose ticks were published under the latest epoch below this one; empty where nobody's were."""
        return self._markets.get(max((one for one in self._markets if one < epoch), default=0), "")

    async def _follow(self) -> None:
        latest = await self._transport.last(self._stream.name, self._marker_subject)
        if latest is not None:
            self._take(latest)
        async with self._transport.read(self._stream.name, last_per_subject=True) as messages:
            async for message in messages:
                if message is None:
                    self._live = True
                else:
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
            self._on_tick(subject, tick, live=self._live, ours=self._markets.get(tick.epoch) == self._market)

    def _take_border(self, found: Border) -> None:
        self._markets[found.epoch] = found.market
        self._epoch = max(self._epoch, found.epoch)
