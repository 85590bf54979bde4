"""What is published of a feed set: for who stands by, and will go on behind it.

Two sources tell of it. The stream is complete, in its order, and says where it stands; live ticks come also while the
stream stores nothing. Whichever is first counts, the other one repeats it.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import msgspec
import structlog

from aegis.contracts.market import Tick, market_of
from aegis.contracts.tick_codec import decode, sent_under
from aegis.marketdata.adapters.bus.marker import border
from aegis.tick_seam import Epochs
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError, CodecError
from aegis_sdk.messages import Message, StoredMessage
from aegis_sdk.transport import ConnectionState, StreamConfig, Transport

__all__ = ["OnTick", "TickFollower"]

_log = structlog.get_logger("aegis.standby")
_RETRY_S: Final = 0.2
_BEHIND: Final = 50_000
"""So many messages of the stream are read to go on where one knows it: 25 s of 2,000 ticks a second. It takes a second.
"""


class OnTick(Protocol):
    """Called with what is published, each instrument's in its order, some of it twice.

    `live`: since we follow, not before; `ours`: it is of the market that our feed brings too; `heard`: as live
    subscribers had it, None where the stream tells.
    """

    def __call__(self, subject: str, tick: Tick, *, live: bool, ours: bool, heard: Message | None) -> None: ...


class TickFollower:
    """Ticks of an epoch that has ended are left out.

    It goes on behind `after`, up to where the stream is known. Where that is nowhere (0), or too far back, it begins
    with the latest tick of each instrument; of what was published before that one it cannot tell, nor of an instrument
    whose latest is void. `allow_pickle`: where that is the feed's codec.
    """

    def __init__(
        self,
        transport: Transport,
        stream: StreamConfig,
        feed: str,
        market: str,
        on_tick: OnTick,
        *,
        after: int = 0,
        allow_pickle: bool = False,
    ) -> None:
        self._transport = transport
        self._stream = stream
        self._feed = feed
        self._market = market
        self._marker_subject = subjects.tick_marker(feed)
        self._on_tick = on_tick
        self._allow_pickle = allow_pickle
        self._markets: dict[int, str] = {}  # by epoch, as far as a marker told
        self._epochs = Epochs()  # of the stream
        self._live_epochs = Epochs()
        self._known_to = after
        self.sequence = 0  # of the stream: up to here it was told
        self._advanced = asyncio.Event()

    async def run(self) -> None:
        """Follow until cancelled."""
        subscription = await self._transport.subscribe(subjects.tick(subjects.ANY, subjects.ANY), self._on_live)
        try:
            while self._transport.state is not ConnectionState.CLOSED:
                try:
                    await self._transport.ensure_stream(self._stream)
                    await self._follow()
                except (AegisError, TimeoutError) as error:
                    _log.info("cannot_follow", reason=str(error), again_s=_RETRY_S)
                    await asyncio.sleep(_RETRY_S)
        finally:
            await subscription.unsubscribe()

    async def reached(self, sequence: int) -> None:
        """Return when all up to this sequence of the stream was told."""
        while self.sequence < sequence:
            self._advanced.clear()
            await self._advanced.wait()

    def market_before(self, epoch: int) -> str:
        """Whose ticks were published under the latest epoch below this one; empty where nobody's were."""
        return self._markets.get(max((one for one in self._markets if one < epoch), default=0), "")

    async def _follow(self) -> None:
        latest, live = await self._transport.last(self._stream.name, self._marker_subject), False
        if latest is not None:  # ticks stored before it are good, whatever their epoch
            self._learn_market(latest)
        known_to = self.sequence or self._known_to
        anew = latest is None or not known_to or not 0 <= latest.sequence - known_to <= _BEHIND
        if anew:
            known_to, self._epochs = 0, Epochs()
        epochs, name = self._epochs, self._stream.name
        self._advance(known_to)
        async with self._transport.read(name, after=known_to, last_per_subject=anew) as messages:
            async for message in messages:
                if message is None:
                    live = True
                    continue
                if message.subject == self._marker_subject:
                    epochs.admit(self._feed, self._learn_market(message))
                elif message.subject.startswith("tick."):
                    self._take(message, epochs, live=live)
                self._live_epochs.admit_all(epochs)
                self._advance(message.sequence)

    def _advance(self, sequence: int) -> None:
        self.sequence = sequence
        self._advanced.set()

    def _on_live(self, message: Message) -> None:
        self._take(message, self._live_epochs, live=True)

    def _take(self, message: Message | StoredMessage, epochs: Epochs, *, live: bool) -> None:
        try:
            tick = decode(message.headers, message.payload, self._allow_pickle)
        except CodecError as error:
            _log.warning("not_understood", subject=message.subject, reason=str(error))
            return
        if tick.feed == self._feed and epochs.admit(tick.feed, sent_under(message.headers, tick)):
            ours = (self._markets.get(tick.epoch) or market_of(tick.source)) == self._market
            heard = message if isinstance(message, Message) else None
            self._on_tick(message.subject, tick, live=live, ours=ours, heard=heard)

    def _learn_market(self, message: StoredMessage) -> int:
        """The epoch of a marker."""
        try:
            found = border(message.payload)
        except msgspec.MsgspecError as error:
            _log.warning("not_understood", subject=message.subject, reason=str(error))
            return 0
        self._markets[found.epoch] = found.market
        return found.epoch
