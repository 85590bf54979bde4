"""Where the operations plane comes in: it is told of what repairs could not heal, and may answer."""

from __future__ import annotations

from typing import Final, Protocol

import structlog

from aegis.contracts.health import ESCALATED, Escalation, RecoveryAnswer
from aegis_sdk.client import Client
from aegis_sdk.errors import RpcError, Unavailable

__all__ = ["OperationsHook", "RecoveryHook"]

_log = structlog.get_logger("aegis.health")

_ANSWER_S: Final = 5.0


class RecoveryHook(Protocol):
    """Told once of each escalation. It decides how the agent goes on; what it does itself is its own affair."""

    async def escalated(self, escalation: Escalation) -> RecoveryAnswer:
        """Never raises, and answers within some seconds: repairs of everything else wait for it."""
        ...


class OperationsHook:
    """Asks the service `operations`, whoever that is. Where nobody serves it, the answer is "none"."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def escalated(self, escalation: Escalation) -> RecoveryAnswer:
        try:
            return await self._client.call(ESCALATED, escalation, timeout=_ANSWER_S)
        except Unavailable:
            return RecoveryAnswer(note="nobody serves operations")
        except RpcError as error:
            _log.warning("operations_did_not_answer", reason=str(error))
            return RecoveryAnswer(note=str(error)[:500])
