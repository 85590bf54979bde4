"""`aegis subscribe`, `aegis unsubscribe` and `aegis subscriptions`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, print_json, print_lines
from aegis.cli.contracts import KINDS
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from pydantic import BaseModel

    from aegis.contracts.marketdata import FeedStatus
    from aegis.contracts.subscriptions import Scope, SubscriptionView, UnsubscribeReply, WishReply, WishView

_STATES: Final = ("ticking", "subscribed", "waiting", "refused")
_CALL_S: Final = 30.0

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[INSTRUMENT]...", help="Such as SHFE.rb2605; `-` reads names from standard input."),
]
As = Annotated[str, typer.Option("--as", metavar="CONSUMER", help="Whose wish it is.")]
Exchange = Annotated[str, typer.Option("--exchange", "-x", help="All of this exchange.")]
Product = Annotated[str, typer.Option("--product", "-p", help="All of this product, such as rb.")]
OfKind = Annotated[str, typer.Option("--kind", help=f"What --exchange and --product mean: {', '.join(KINDS)} or any.")]
Futures = Annotated[bool, typer.Option("--futures", help="All futures.")]
Everything = Annotated[bool, typer.Option("--everything", help="All that the feed lists, options too.")]


def subscribe(
    instruments: Names = None,
    exchange: Exchange = "",
    product: Product = "",
    kind: OfKind = "future",
    futures: Futures = False,
    everything: Everything = False,
    consumer: As = "operator",
    expires: Annotated[int, typer.Option(min=0, help="Seconds until the whole wish ends; 0: never.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Want instruments, for a consumer, until it wants them no more.

    What nobody wants is not subscribed. It ends with 1 where something was rejected, and names it. Without any
    instrument it renews the expiry of what the consumer wants.

    For example: aegis subscribe SHFE.rb2605 --product m --as scanner --expires 3600
    """
    from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest

    scopes = _scopes(exchange, product, kind, futures, everything)
    names = _names(instruments)
    if not (names or scopes or expires):
        raise typer.BadParameter("name instruments, or --product, --exchange, --futures or --everything")
    requests = [
        WishRequest(consumer=consumer, instruments=part, scopes=scopes if number == 0 else [], ttl_s=expires)
        for number, part in enumerate(_parts(names))
    ]
    replies: list[WishReply] = run(_call_all(SUBSCRIBE, requests))
    count = sum(reply.instruments for reply in replies)
    _show(replies, as_json, {"instruments": count}, f"{consumer} wants {count} instruments of this")


def unsubscribe(
    instruments: Names = None,
    exchange: Exchange = "",
    product: Product = "",
    kind: OfKind = "future",
    futures: Futures = False,
    everything: Everything = False,
    all_of_it: Annotated[bool, typer.Option("--all", help="All that the consumer wants.")] = False,
    consumer: As = "operator",
    as_json: AsJson = False,
) -> None:
    """Take back what a consumer wants, as it was asked for.

    What others want too stays subscribed. It ends with 1 where something was not wanted, and names it.
    """
    from aegis.contracts.subscriptions import UNSUBSCRIBE, UnsubscribeRequest

    scopes = _scopes(exchange, product, kind, futures, everything)
    names = _names(instruments)
    if bool(names or scopes) == all_of_it:
        raise typer.BadParameter("name instruments or options that mean some, or --all alone")
    requests = [
        UnsubscribeRequest(
            consumer=consumer, instruments=part, scopes=scopes if number == 0 else [], everything=all_of_it
        )
        for number, part in enumerate(_parts(names))
    ]
    replies: list[UnsubscribeReply] = run(_call_all(UNSUBSCRIBE, requests))
    still = sum(reply.still_wanted for reply in replies)
    nobody = "nobody wants it now" if any(reply.accepted for reply in replies) else "nothing has changed"
    note = f"{still} instruments of this are still wanted: see `aegis subscriptions`" if still else nobody
    _show(replies, as_json, {"still_wanted": still}, note)


def subscriptions(
    each: Annotated[bool, typer.Option("--each", help="Each instrument, with its state and who wants it.")] = False,
    state: Annotated[str, typer.Option(help=f"With --each: only those {', '.join(_STATES)}.")] = "",
    exchange: Exchange = "",
    consumer: Annotated[str, typer.Option("--as", metavar="CONSUMER", help="With --each: only theirs.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who wants what, and what became of it.

    TICKING is what the feed proves by a tick since it was asked; the other states of a contract are subscribed,
    waiting, and refused, which says why.
    """
    if state not in ("", *_STATES):
        raise typer.BadParameter(f"{state!r} is none of {', '.join(_STATES)}", param_hint="--state")
    listed = each or bool(state or exchange or consumer)
    status, wishes, views = run(_found(listed, state=state or None, exchange=exchange, consumer=consumer))
    if as_json:
        return print_json(_as_json(status, wishes, views if listed else None))
    if listed:
        return _show_each(views)
    if not wishes:
        return print("Nobody wants anything.")
    print_lines(("CONSUMER", "INSTRUMENTS", "EXPIRES", "SCOPES"), [_row(wish) for wish in wishes], ("INSTRUMENTS",))
    return print(", ".join(f"{count} {name}" for name, count in _totals(status).items()))


def _row(wish: WishView) -> tuple[str, ...]:
    expires = f"{wish.expires_at.astimezone():%Y-%m-%d %H:%M:%S}" if wish.expires_at else "never"
    return wish.consumer, str(wish.instruments), expires, ", ".join(map(str, wish.scopes)) or "-"


def _show_each(views: list[SubscriptionView]) -> None:
    if not views:
        return print("No such instrument is wanted.")
    rows = [(one.instrument, one.state, ", ".join(one.wanted_by), str(one.why or "-")) for one in views]
    return print_lines(("INSTRUMENT", "STATE", "WANTED BY", "WHY"), rows)


def _totals(status: FeedStatus) -> dict[str, int]:
    waiting = status.wanted - status.subscribed - status.refused
    counts = {name: getattr(status, name) for name in ("wanted", "subscribed", "ticking", "refused")}
    return {**counts, "waiting": max(waiting, 0), "listed": status.instruments}


def _as_json(status: FeedStatus, wishes: list[WishView], views: list[SubscriptionView] | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "totals": _totals(status),
        "wishes": [wish.model_dump(mode="json") for wish in wishes],
    }
    return found if views is None else {**found, "instruments": [one.model_dump() for one in views]}


def _scopes(exchange: str, product: str, kind: str, futures: bool, everything: bool) -> list[Scope]:
    from aegis.contracts.subscriptions import Scope

    if kind not in (*KINDS, "any"):
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}, any", param_hint="--kind")
    of_kind: Any = None if kind == "any" else kind
    found = [Scope(exchange=exchange, product=product, kind=of_kind)] if exchange or product else []
    return found + ([Scope()] if futures else []) + ([Scope(kind=None)] if everything else [])


def _names(given: list[str] | None) -> list[str]:
    """The names of a command, with those of standard input in place of a `-`."""
    names: list[str] = []
    for name in given or []:
        names += filter(None, map(str.strip, sys.stdin)) if name == "-" else [name]
    if long := [name for name in names if len(name) > 128]:
        raise typer.BadParameter(f"{long[0]:.40}... is no instrument")
    return names


def _parts(names: Sequence[str]) -> list[list[str]]:
    """As many as fit one request, and at least one."""
    from aegis.contracts.subscriptions import MOST_AT_ONCE

    return [list(names[start : start + MOST_AT_ONCE]) for start in range(0, max(len(names), 1), MOST_AT_ONCE)]


async def _call_all(method: Any, requests: Sequence[BaseModel]) -> list[Any]:
    from aegis_sdk.client import Client

    async with connect() as transport:
        client = Client(transport)
        return [await client.call(method, request, timeout=_CALL_S) for request in requests]


async def _found(listed: bool, **which: Any) -> tuple[FeedStatus, list[WishView], list[SubscriptionView]]:
    from aegis.cli.feeds import feed_statuses
    from aegis.contracts.subscriptions import SUBSCRIPTIONS, WISHES, SubscriptionsRequest
    from aegis_sdk.client import Client
    from aegis_sdk.errors import Unavailable
    from aegis_sdk.method import Empty

    async with connect() as transport:
        client, views, after = Client(transport), list["SubscriptionView"](), ""
        statuses = await feed_statuses(transport)
        if not statuses:
            raise Unavailable("no market data instance answers: `aegis ps` shows what runs")
        wishes = (await client.call(WISHES, Empty())).wishes
        while listed:
            page = await client.call(SUBSCRIPTIONS, SubscriptionsRequest(after=after, **which), timeout=_CALL_S)
            views += page.subscriptions
            after = page.next
            listed = bool(after)
        return statuses[0], wishes, views


def _show(replies: Sequence[WishReply | UnsubscribeReply], as_json: bool, counts: dict[str, int], note: str) -> None:
    """What was accepted and what was not; ends the command with 1 where something was not."""
    accepted = [name for reply in replies for name in reply.accepted]
    rejected = [one for reply in replies for one in reply.rejected]
    if as_json:
        print_json({"accepted": accepted, "rejected": [one.model_dump() for one in rejected], **counts})
    else:
        if rejected:
            print_lines(("REJECTED", "WHY"), [(one.what, str(one.why)) for one in rejected])
        print(f"{len(accepted)} accepted, {len(rejected)} rejected; {note}")
    if rejected:
        raise typer.Exit(1)
