"""How the messages of an atomic batch are marked (ADR-50): whose they are, their order, and which is the last."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from aegis_sdk.messages import Headers

ID: Final = "Nats-Batch-Id"
NUMBER: Final = "Nats-Batch-Sequence"
COMMIT: Final = "Nats-Batch-Commit"
MAX_MESSAGES: Final = 1000


def marked(messages: Sequence[tuple[str, bytes, Headers]]) -> Iterator[tuple[str, bytes, Headers]]:
    """The messages with the headers that make them one batch; ValueError for more than the server takes, or none."""
    if not 0 < len(messages) <= MAX_MESSAGES:
        raise ValueError(f"a batch is 1 to {MAX_MESSAGES} messages, not {len(messages)}")
    identifier = secrets.token_hex(16)
    for number, (subject, payload, headers) in enumerate(messages, 1):
        commit = {COMMIT: "1"} if number == len(messages) else {}
        yield subject, payload, {**headers, ID: identifier, NUMBER: str(number), **commit}
