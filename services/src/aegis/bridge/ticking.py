"""The ticks of a gateway: what it wants is subscribed, and wished for, in the order of its coming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Final

from aegis.bridge.telling import WARNING
from aegis.contracts.market import Tick
from aegis.contracts.subscriptions import MOST_AT_ONCE, SUBSCRIBE, WishRequest
from aegis.ticks import subscribe_ticks
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.transport import Transport

__all__ = ["Ticking"]

_GATHER_S: Final = 0.05
"""vnpy subscribes one contract after the other: those of so long share a subscription."""
_TTL_S: Final = 86_400
_RENEW_S: Final = 6 * 3_600.0
_RETRY_S: Final = 1.0


class Ticking:
    """Runs in the bridge's loop. `say` logs, with a level of vnpy's."""

    def __init__(self, consumer: str, on_tick: Callable[[Tick], None], say: Callable[[str, int], None]) -> None:
        self._consumer = consumer
        self._on_tick = on_tick
        self._say = say
        self._wanted: dict[str, None] = {}
        self._wished: set[str] = set()  # refused ones too
        self._news = asyncio.Event()

    def want(self, instruments: Iterable[str]) -> None:
        new = dict.fromkeys(one for one in instruments if one not in self._wanted)
        self._wanted |= new
        if new:
            self._news.set()

    def wish_anew(self) -> None:
        """Ask for all again: what was refused may be listed by now, and what was granted may be forgotten."""
        self._wished.clear()
        self._news.set()

    async def run(self, transport: Transport) -> None:
        """Until it is cancelled. Subscriptions outlive reconnections by themselves."""
        client = Client(transport)
        heard: set[str] = set()
        failed = False
        async with AsyncExitStack() as subscriptions:
            while True:
                try:
                    new = [one for one in self._wanted if one not in heard]
                    if new:
                        ticks = subscribe_ticks(transport, *new, on_tick=self._on_tick)
                        await subscriptions.enter_async_context(ticks)
                        heard.update(new)
                    if heard:
                        new = [one for one in heard if one not in self._wished]
                        await self._wish(client, new)
                        self._wished.update(new)
                    failed = False
                    pause = _RENEW_S
                except AegisError as error:
                    if not failed:
                        self._say(f"ticks cannot be asked for, again each second: {error}", WARNING)
                    failed = True
                    pause = _RETRY_S
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()
                        await asyncio.sleep(_GATHER_S)
                self._news.clear()

    async def _wish(self, client: Client, new: list[str]) -> None:
        """They are not taken back, since another gateway of the account may have the same: they expire in a day."""
        for start in range(0, max(len(new), 1), MOST_AT_ONCE):
            part = new[start : start + MOST_AT_ONCE]
            wish = WishRequest(consumer=self._consumer, instruments=part, ttl_s=_TTL_S)
            for refusal in (await client.call(SUBSCRIBE, wish)).rejected:
                self._say(f"no ticks of {refusal.what}: {refusal.why}", WARNING)
