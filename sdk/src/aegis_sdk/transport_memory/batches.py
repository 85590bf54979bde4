"""The batches that one memory stream is being sent. Codes and texts of refusals are those of nats-server."""

from __future__ import annotations

from typing import Final, NamedTuple

from aegis_sdk import batches
from aegis_sdk.errors import StreamError
from aegis_sdk.messages import Message

_MAX_OPEN: Final = 50
_ABANDONED_S: Final = 10


class _Open(NamedTuple):
    messages: list[Message]
    since: float


class OpenBatches:
    """Batches by id, until their last message comes. Time is an argument."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    def collect(self, message: Message, now: float) -> list[Message] | None:
        """All messages of the batch that this one completes, or None as long as there are more to come."""
        identifier, number = message.headers[batches.ID], message.headers.get(batches.NUMBER, "")
        batch = self._open.get(identifier) or (self._begin(identifier, now) if number == "1" else None)
        if batch is None or number != str(len(batch.messages) + 1):
            self._open.pop(identifier, None)
            raise StreamError("atomic publish batch is incomplete", 10176)
        batch.messages.append(message)
        if batches.COMMIT not in message.headers:
            return None
        del self._open[identifier]
        return batch.messages

    def _begin(self, identifier: str, now: float) -> _Open:
        for name, batch in tuple(self._open.items()):
            if now - batch.since > _ABANDONED_S:
                del self._open[name]
        if len(self._open) >= _MAX_OPEN:
            raise StreamError("atomic publish too many inflight", 10210)
        batch = self._open[identifier] = _Open([], now)
        return batch
