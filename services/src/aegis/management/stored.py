"""What streams hold: read once, from a moment on, up to the end that they have now."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from aegis_sdk import codec
from aegis_sdk.errors import StreamError, Unavailable
from aegis_sdk.messages import STATUS, StoredMessage
from aegis_sdk.transport import Transport

__all__ = ["NO_SUCH_STREAM", "first_since", "read_all"]

NO_SUCH_STREAM: Final = 10059
_NONE_FOUND: Final = "404"


async def first_since(transport: Transport, stream: str, subject: str, moment: datetime) -> int | None:
    """The sequence of the first message of a subject that was stored at this moment or later.

    None where there is none, or no stream. Any replica answers (ADR-31).
    """
    asked = codec.encode_json({"next_by_subj": subject, "start_time": moment.isoformat()})
    try:
        found = await transport.request(f"$JS.API.DIRECT.GET.{stream}", asked)
    except Unavailable:
        try:
            await transport.last_sequence(stream)
        except StreamError as error:
            if error.code == NO_SUCH_STREAM:
                return None
            raise
        raise
    return None if found.headers.get(STATUS) == _NONE_FOUND else int(found.headers["Nats-Sequence"])


async def read_all(
    transport: Transport, stream: str, subject: str, *, after: int = 0, last_per_subject: bool = False
) -> AsyncGenerator[StoredMessage]:
    """The messages behind a sequence, or the last one of each subject; of a stream that is not there, none.

    Close it where it is not read to its end.
    """
    try:
        async with transport.read(stream, subject, after=after, last_per_subject=last_per_subject) as messages:
            async for message in messages:
                if message is None:
                    return
                yield message
    except StreamError as error:
        if error.code != NO_SUCH_STREAM:
            raise
