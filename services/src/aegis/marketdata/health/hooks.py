"""Where the operations plane comes in: it is told of what repairs could not heal, and may answer."""

from __future__ import annotations

from typing import Final, Protocol

from aegis.contracts.health import ESCALATED, Escalation, RecoveryAnswer
from aegis_sdk.client import Client
from aegis_sdk.errors import Unavailable

__all__ = ["ANSWER_S", "OperationsHook", "RecoveryHook"]

ANSWER_S: Final = 5.0


class RecoveryHook(Protocol):
    """Told once of each escalation. It decides how the agent goes on; what it does itself is its own affair."""

    async def escalated(self, escalation: Escalation) -> RecoveryAnswer:
        """Other repairs wait for it. It is cancelled after `ANSWER_S`; that, and an error, count as "none"."""
        ...


class OperationsHook:
    """Asks the service `operations`, whoever that is. Where nobody serves it, the answer is "none"."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def escalated(self, escalation: Escalation) -> RecoveryAnswer:
        """Raises RpcError where it does not answer."""
        try:
            return await self._client.call(ESCALATED, escalation, timeout=ANSWER_S)
        except Unavailable:
            return RecoveryAnswer(note="nobody serves operations")
