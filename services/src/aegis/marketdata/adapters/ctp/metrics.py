"""The figures of a feed's CTP sessions, in the words of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aegis.ctp.failures import Kind
from aegis.marketdata.adapters.ctp.frames import Waiting
from aegis_sdk.metrics import Metric, counter, gauge

__all__ = ["session_figures"]

_PREFIX = "aegis_marketdata_ctp"


_DROPPED = ("unwanted", "session_ended")


def session_figures(
    ended: Mapping[str, int], killed: int, dropped: Mapping[str, int], waiting: Waiting
) -> Iterator[Metric]:
    """`ended` by the kind of failure, `dropped` by the reason; `waiting` is what the present session said last."""
    by_kind = {(kind.value,): float(ended.get(kind, 0)) for kind in Kind}
    says = "Sessions that have failed and were ended, by what kind of failure it was."
    yield counter(f"{_PREFIX}_failed_sessions_total", says, by_kind, ("kind",))
    says = "Sessions whose process had to be killed, or did not end in order when it was told to."
    yield counter(f"{_PREFIX}_killed_sessions_total", says, killed)
    by_reason = {(reason,): float(dropped.get(reason, 0)) for reason in _DROPPED}
    says = "Ticks that came and were not offered, with those that they stood for."
    yield counter(f"{_PREFIX}_dropped_ticks_total", says, by_reason, ("reason",))
    yield gauge(f"{_PREFIX}_ring_ticks", "Quotes that wait in the session's process.", waiting.ring)
    says = "What waits in front of the session, in its gate; without one in the wrapper's queue, by what is allocated."
    yield gauge(f"{_PREFIX}_queue_bytes", says, waiting.queue)
