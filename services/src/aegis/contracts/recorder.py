"""What the recorder can be asked."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

from aegis_sdk.method import Empty, Method

__all__ = ["SERVICE", "STATUS", "RecorderStatus"]

SERVICE: Final = "recorder"


class RecorderStatus(BaseModel):
    """The recording at one moment. Messages are those of the stream TICKS, since the recording was begun."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    directory: str
    generation: int
    sequence: int  # up to here the stream is settled: recorded, or counted below
    behind: int  # messages that the stream has beyond what was read, as of the last look
    recorded: int  # ticks in files
    waiting: int  # ticks read, and not in a file yet
    void: int  # ticks of an epoch lower than one that had been read
    malformed: int
    repeated: int  # ticks that came again in a stream made anew
    lost: int  # messages that the stream had discarded before they were read
    blocked: str  # why nothing can be written now; empty: it can
    parts: int
    size: int  # bytes


STATUS: Final = Method(SERVICE, "status", Empty, RecorderStatus, idempotent=True)
