"""What the front asks of a market, and what a market says to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from aegis.contracts.market import Quote
from ctpsim.market.universe import Listing

__all__ = ["Audience", "Market"]


class Audience(Protocol):
    """Whoever wants to hear a market."""

    def publish(self, quotes: Sequence[Quote]) -> None:
        """Quotes, in their order."""
        ...

    def publish_frames(self, frames: bytes, symbols: Sequence[str]) -> None:
        """Frames of equal length, packed already, and the symbol of each."""
        ...

    async def room(self) -> None:
        """Return when all listeners have room for more."""
        ...


class Market(Protocol):
    """A source of ticks for the counter."""

    def listings(self) -> Mapping[str, Listing]:
        """What can be traded today, by symbol."""
        ...

    @property
    def behind(self) -> float:
        """What was due and left out, since the machine had no time for it: ticks, or seconds of the market's time."""
        ...

    def trading_day(self) -> str: ...

    def now(self) -> tuple[str, int]:
        """The natural day, and the second of it, as the counter stamps them."""
        ...

    def watch(self, symbols: Iterable[str]) -> None:
        """Let these tick."""
        ...

    def unwatch(self, symbols: Iterable[str]) -> None: ...

    def quote(self, symbol: str) -> Quote | None:
        """The latest state of a contract, None where there is none yet."""
        ...

    async def run(self, audience: Audience) -> None:
        """Tell it all that happens, until the market ends or is cancelled."""
        ...
