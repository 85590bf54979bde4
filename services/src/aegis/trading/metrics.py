"""What the trading service counts, in the words of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Final, get_args

from aegis.contracts.orders import Mode
from aegis.trading.keys import KeyState
from aegis_sdk.metrics import Histogram, Metric, counter, gauge, histogram

__all__ = ["Counts", "figures"]

_BOUNDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_STEPS: Final = ("decide", "intend", "submit", "commit")


class Counts:
    """Of this process, since its start."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()  # of orders, as the venue's first word was
        self.refused: Counter[str] = Counter()  # by reason of the check
        self.adopted = 0
        self.mismatches = 0
        self.steps = {step: Histogram(_BOUNDS) for step in _STEPS}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Time a step of an order, if it does not fail."""
        began = monotonic()
        yield
        self.steps[step].observe(monotonic() - began)


def figures(counts: Counts, states: Mapping[str, KeyState], venues: Mapping[str, bool]) -> Iterator[Metric]:
    """`states` are those of the keys that are held here; `venues` says of each whether it is connected."""
    prefix = "aegis_trading"
    yield counter(f"{prefix}_orders_total", "Orders sent, by the venue's answer.", _by(counts.outcomes), ("outcome",))
    yield counter(f"{prefix}_refused_orders_total", "Orders refused by a check.", _by(counts.refused), ("reason",))
    yield counter(f"{prefix}_adopted_orders_total", "Orders that nobody here had asked for.", counts.adopted)
    yield counter(f"{prefix}_mismatches_total", "Comparisons with a venue that did not agree.", counts.mismatches)
    steps = {(step,): one for step, one in counts.steps.items()}
    yield histogram(f"{prefix}_step_latency_seconds", "How long each step of an order took.", steps, ("step",))
    yield gauge(f"{prefix}_venue_up", "Whether a venue takes orders.", _flags(venues), ("venue",))
    accounts = {name: one for state in states.values() for name, one in state.accounts.items()}
    books = {name: book for state in states.values() for name, book in state.group.books.items()}
    modes = {(name, mode): float(book.mode == mode) for name, book in books.items() for mode in get_args(Mode)}
    yield gauge(f"{prefix}_account_mode", "What an account may do.", modes, ("account", "mode"))
    ready = {(name,): float(one.ready.is_set()) for name, one in accounts.items()}
    yield gauge(f"{prefix}_account_ready", "Whether it takes orders: compared with its venue.", ready, ("account",))
    since = {(name,): monotonic() - one.compared_at for name, one in accounts.items()}
    yield gauge(f"{prefix}_uncompared_seconds", "Since the last comparison, or the takeover.", since, ("account",))
    working = {(name,): float(len(book.working)) for name, book in books.items()}
    yield gauge(f"{prefix}_working_orders", "Orders that may still trade.", working, ("account",))
    opened = {
        (name,): float(sum(book.orders[one].status in ("pending", "unknown") for one in book.working))
        for name, book in books.items()
    }
    yield gauge(f"{prefix}_open_intents", "Orders whose venue has not answered.", opened, ("account",))
    differ = {(name,): float(one.differences) for name, one in accounts.items()}
    yield gauge(f"{prefix}_differences", "Figures that differ from the venue's.", differ, ("account",))
    waiting = {(name,): float(len(one.outbox)) for name, one in accounts.items()}
    yield gauge(f"{prefix}_waiting_events", "Events that are not stored yet.", waiting, ("account",))
    dropped = {(name,): float(one.outbox.dropped) for name, one in accounts.items()}
    yield counter(
        f"{prefix}_dropped_events_total", "Events left out, or pushed out by a long outage.", dropped, ("account",)
    )
    lost = {(name,): float(one.reports_dropped) for name, one in accounts.items()}
    yield counter(f"{prefix}_dropped_reports_total", "Reports without room, fetched again.", lost, ("account",))
    notes: Counter[str] = Counter()
    for state in states.values():
        notes.update(state.notes)
    yield gauge(f"{prefix}_notes", "Changes that did not fit, since the key came here.", _by(notes), ("note",))


def _by(counted: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(name,): float(number) for name, number in counted.items()}


def _flags(flags: Mapping[str, bool]) -> dict[tuple[str, ...], float]:
    return {(name,): float(flag) for name, flag in flags.items()}
