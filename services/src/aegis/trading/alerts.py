"""What somebody should look at: said in the log at once, and as an event `event.trading.<account>.alert`."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

import structlog

from aegis.contracts.alerts import ALERT, Alert
from aegis.trading.keys import now_ns
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.events import Events

__all__ = ["Alerts"]

_log = structlog.get_logger("aegis.trading")

_MOST: Final = 1_000
_LONGEST: Final = 1_000
_AGAIN_S: Final = 1.0


class Alerts:
    """Bounded: what has no room is in the log alone. One that is not stored is tried again, before the others."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(_MOST)

    def tell(self, account: str, what: Any, text: str) -> None:
        _log.error("trading_alert", account=account, what=what, text=text)
        if not self._waiting.full():
            self._waiting.put_nowait(Alert(account=account, what=what, text=text[:_LONGEST], ts_ns=now_ns()))

    async def run(self, events: Events) -> None:
        while True:
            alert = await self._waiting.get()
            subject, name = subjects.event("trading", alert.account, ALERT), f"alert-{secrets.token_hex(8)}"
            while True:
                try:
                    await events.publish(subject, alert, id=name)
                    break
                except AegisError as error:
                    _log.warning("alert_not_stored", account=alert.account, reason=str(error), again_s=_AGAIN_S)
                    await asyncio.sleep(_AGAIN_S)
