"""The figures of the recorder, in the words of Prometheus: read from what its parts count anyway."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.contracts.recorder import RecorderStatus
from aegis_sdk.metrics import Metric, counter, gauge

__all__ = ["figures"]


def figures(status: RecorderStatus, markers: int, written: int) -> Iterator[Metric]:
    """`written` ticks went to files since the start; of a stretch all other counts are those of its whole."""
    prefix = "aegis_recorder"
    yield counter(f"{prefix}_written_ticks_total", "Ticks that went to files since the start.", written)
    others = {
        ("marker",): float(markers),
        ("void",): float(status.void),
        ("malformed",): float(status.malformed),
        ("repeated",): float(status.repeated),
    }
    yield counter(f"{prefix}_unrecorded_messages_total", "Messages that are no ticks to record.", others, ("reason",))
    says = "Messages that the stream had discarded before they were read."
    yield counter(f"{prefix}_lost_messages_total", says, status.lost)
    yield gauge(f"{prefix}_generation", "How often the stream was another one, plus one.", status.generation)
    yield gauge(f"{prefix}_behind_messages", "What the stream has beyond what was read.", status.behind)
    yield gauge(f"{prefix}_waiting_ticks", "Read, and not in a file yet.", status.waiting)
    yield gauge(f"{prefix}_blocked", "1 while nothing can be written.", float(bool(status.blocked)))
    yield gauge(f"{prefix}_parts", "Files of the recording.", status.parts)
    yield gauge(f"{prefix}_size_bytes", "Their size.", status.size)
