"""What instruments are, as market data tells: asked for at the start, now and again, and for one that nobody knows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest, InstrumentView
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.transport import Transport

__all__ = ["Catalogue"]

_log = structlog.get_logger("aegis.paper")

_AGAIN_S: Final = 300.0
_RETRY_S: Final = 1.0
_MOST: Final = 100_000


class Catalogue:
    """Futures by their names, `SHFE.rb2605`. `loaded` once market data has told of all."""

    def __init__(self) -> None:
        self._known: dict[str, InstrumentView] = {}
        self._missed = asyncio.Event()
        self.loaded = False

    def find(self, instrument: str) -> InstrumentView | None:
        """What an instrument is; where that is not known, market data is asked again soon."""
        found = self._known.get(instrument)
        if found is None:
            self._missed.set()
        return found

    async def run(self, transport: Transport) -> None:
        """Keep the list until cancelled."""
        client = Client(transport)
        while True:
            try:
                self._known = await _listed(client)
                self.loaded = bool(self._known)
                wait = _AGAIN_S if self.loaded else _RETRY_S
            except AegisError as error:
                _log.warning("instruments_unknown", reason=str(error))
                wait = _RETRY_S
            self._missed.clear()
            await asyncio.sleep(_RETRY_S)  # however often unknown names are asked for
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._missed.wait()


async def _listed(client: Client) -> dict[str, InstrumentView]:
    """All futures, page by page."""
    found: dict[str, InstrumentView] = {}
    after = ""
    while True:
        page = await client.call(INSTRUMENTS, InstrumentsRequest(kind="future", after=after))
        found |= {one.instrument: one for one in page.instruments}
        after = page.next
        if not after or len(found) >= _MOST:
            return found
