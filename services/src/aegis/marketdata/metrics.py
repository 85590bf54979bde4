"""The figures of the market data service, in the words of Prometheus: read from what its parts count anyway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Protocol, runtime_checkable

from aegis.marketdata.domain.subscriptions import Totals
from aegis.marketdata.pipeline import PipelineStats
from aegis.marketdata.ports import FeedState
from aegis_sdk.metrics import Metric, counter, gauge, histogram, states

__all__ = ["MeasuredFeed", "feed_figures", "tick_figures", "untold_events"]


@runtime_checkable
class MeasuredFeed(Protocol):
    """A feed that has figures of its own, beside those of the ticks that it offers."""

    def metrics(self) -> Iterable[Metric]: ...


def feed_figures(state: FeedState, opened: int, listed: int, totals: Totals) -> Iterator[Metric]:
    """`opened` is how often the feed's session became ready, `listed` how many instruments it knows."""
    yield states("aegis_marketdata_session_state", "Where the feed's session stands.", state, FeedState)
    reconnects = "aegis_marketdata_session_reconnects_total"
    yield counter(reconnects, "Times that the session became ready again.", max(0, opened - 1))
    instruments = {("listed",): float(listed)} | {(which,): float(count) for which, count in asdict(totals).items()}
    says = "Instruments that the feed lists, that somebody wants, that are subscribed, that tick, that were refused."
    yield gauge("aegis_marketdata_instruments", says, instruments, ("which",))


def tick_figures(stats: PipelineStats) -> Iterator[Metric]:
    """Of the whole way, from what the feed offered to what is proven to be stored."""
    bridge, outlet = stats.bridge, stats.outlet
    prefix = "aegis_marketdata"
    yield counter(f"{prefix}_received_ticks_total", "Quotes that the feed has offered.", bridge.offered)
    yield counter(f"{prefix}_published_ticks_total", "Handed to the connection, each once.", outlet.handed_over)
    yield gauge(f"{prefix}_stored_ticks", "Proven to be in the stream; fewer after a server forgot.", outlet.stored)
    yield counter(
        f"{prefix}_conflated_ticks_total",
        "Left out for a newer one of their instrument, in the bridge ring or by the feed before it.",
        sum(bridge.conflated.values()),
    )
    yield counter(f"{prefix}_dropped_ticks_total", "Ticks that never reach the stream.", _dropped(stats), ("reason",))
    rejected = {(reason,): float(count) for reason, count in bridge.rejected.items()}
    yield counter(f"{prefix}_rejected_quotes_total", "Input that was no quote.", rejected, ("reason",))
    yield counter(f"{prefix}_stale_ticks_total", "Published with the flag stale.", stats.stale)
    yield counter(f"{prefix}_duplicate_ticks_total", "Published, and equal to the one before.", stats.duplicates)
    waiting = {("bridge",): bridge.depth, ("republish",): outlet.waiting}
    yield gauge(f"{prefix}_ring_ticks", "Ticks that wait in a ring.", waiting, ("ring",))
    yield gauge(f"{prefix}_in_flight_ticks", "Sent, and not yet known to be stored.", outlet.in_flight)
    yield counter(f"{prefix}_republished_ticks_total", "Sent again: the stream lacked them.", outlet.republished)
    yield counter(f"{prefix}_repairs_total", "Times that the stream was read back to find gaps.", outlet.repairs)
    says = "From the receipt of a tick to the proof that it is stored; the first tick of each turn is timed."
    yield histogram(f"{prefix}_store_latency_seconds", says, outlet.latency)


def untold_events(count: int) -> Metric:
    """Of `event.market`."""
    says = "Events that were never stored: another of their name had come before they could be."
    return counter("aegis_marketdata_untold_events_total", says, count)


def _dropped(stats: PipelineStats) -> dict[tuple[str, ...], float]:
    return {
        ("late",): stats.bridge.late,  # offered after the service had begun to stop
        ("unserializable",): sum(stats.unserializable.values()),
        ("forgotten",): stats.forgotten,  # by a standby, which had no room for them
        ("lost",): sum(stats.outlet.lost.values()),  # pushed out of the republish ring by a long outage
    }
