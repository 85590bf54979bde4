"""How ticks are published."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_sdk.errors import ConfigurationError

__all__ = ["PublisherOptions"]


@dataclass(frozen=True, kw_only=True)
class PublisherOptions:
    """How ticks are sent and kept. `batch` stays below what a server queues for a stream, 10,000."""

    ring: int = 132_000  # ticks kept until they are stored: 66 s at 2,000 a second
    batch: int = 1_000  # ticks between two markers, at most
    marker_interval_s: float = 0.02  # from the first tick of a batch to its marker, at most
    ack_timeout_s: float = 2.0
    live_after_s: float = 0.1  # without progress for so long, live subscribers have their ticks before the stream
    keep_s: float = 0.25  # stored ticks are kept so long: a server with `persist_async` writes within some 10 ms

    def __post_init__(self) -> None:
        if self.ring < 4 * self.batch:
            raise ConfigurationError("ring", f"{self.ring} is less than four batches")
