"""What calls have begun and not ended: the orders and cancels that an intent names, by its idempotency key.

An intent may be given up before anything was done for it, since it was not stored in time; the journal then says so
with an end that changes nothing. Without this its orders would wait for ever for an answer of a venue that was not
asked, and hold their money back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aegis.contracts.venue import Submitted
from aegis.trading.domain.changes import Answered, CancelAnswered, CancelAsked, Change, OrdersIntended
from aegis.trading.domain.group import Begun, Group

__all__ = ["begin", "end"]

_NOT_SENT = Submitted(outcome="not_sent", reason="not_executed")


def begin(group: Group, idempotency_key: str, changes: Iterable[Change]) -> None:
    """Remember what an intent is about to do."""
    group.begun[idempotency_key] = [*_named(changes)]


def end(group: Group, idempotency_key: str, changes: Sequence[Change]) -> Sequence[Change]:
    """What the end of a call changes: what it says, or where that is nothing, that nothing was sent."""
    begun = group.begun.pop(idempotency_key, [])
    return changes or [*_given_up(group, begun)]


def _named(changes: Iterable[Change]) -> Iterator[Begun]:
    for change in changes:
        if isinstance(change, OrdersIntended):
            yield from (Begun("order", change.account, one.order.client_order_id) for one in change.orders)
        elif isinstance(change, CancelAsked):
            yield Begun("cancel", change.account, change.client_order_id)


def _given_up(group: Group, begun: Iterable[Begun]) -> Iterator[Change]:
    """At the time of what is known already, so that it is the same change wherever the journal is read."""
    for one in begun:
        order = group.books[one.account].orders.get(one.client_order_id)
        if order is None:
            continue
        facts = {"account": one.account, "client_order_id": one.client_order_id, "ts_ns": order.ts_updated_ns}
        if one.what == "cancel":
            yield CancelAnswered(**facts, answer=_NOT_SENT)
        elif order.status in ("pending", "unknown"):
            yield Answered(**facts, answer=_NOT_SENT)
