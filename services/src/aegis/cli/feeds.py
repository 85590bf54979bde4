"""`aegis feeds`: the market data instances, which of them publishes, and what the others hold ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.cli.console import AsJson, print_json, table, terminal
from aegis.cli.desk import connect, run
from aegis.contracts.reasons import sentence_of

if TYPE_CHECKING:
    from aegis.contracts.marketdata import FeedStatus
    from aegis_sdk.transport import Transport

__all__ = ["feed_statuses", "feeds"]

_ASK_S: Final = 2.0
_STYLES: Final = {"ready": "green", "ended": "green", "failed": "bold red"}


def feeds(as_json: AsJson = False) -> None:
    """Show the market data instances: which one publishes, by which login, and how their feeds are."""
    found = run(_asked())
    if as_json:
        return print_json([one.model_dump() for one in found])
    columns = ("FEED", "INSTANCE", "ROLE", "SOURCE", "STATE", "EPOCH", "SUBSCRIBED", "TICKING", "STORED", "HELD")
    shown = table(*columns, right=columns[5:])
    for one in found:
        shown.add_row(
            one.feed,
            one.instance,
            f"[green]{one.role}[/]" if one.role == "active" else one.role,
            one.source,
            f"[{_STYLES.get(one.state, 'yellow')}]{one.state}[/]",
            str(one.epoch) if one.role == "active" else "-",
            str(one.subscribed),
            str(one.ticking),
            str(one.stored),
            str(one.held),
        )
    terminal().print(shown if found else "No market data instance is there: `aegis ps` shows what runs.")
    for one in found:
        if one.why:
            terminal().print(f"{one.instance}: {sentence_of(one.why)}", style="dim", markup=False)
    return None


async def feed_statuses(transport: Transport) -> list[FeedStatus]:
    """What each market data instance says of itself; of each feed set the one that publishes first."""
    import asyncio

    from aegis.contracts.marketdata import SERVICE, STATUS
    from aegis_sdk.census import ask_all
    from aegis_sdk.client import Client
    from aegis_sdk.errors import RpcError
    from aegis_sdk.method import Empty

    client = Client(transport)
    instances = [str(one["id"]) for one in await ask_all(transport, "PING", SERVICE)]
    answers = await asyncio.gather(
        *(client.call(STATUS, Empty(), instance=instance, timeout=_ASK_S) for instance in instances),
        return_exceptions=True,
    )
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, RpcError):
            raise answer
    statuses = [answer for answer in answers if not isinstance(answer, BaseException)]
    return sorted(statuses, key=lambda one: (one.feed, one.role != "active", one.instance))


async def _asked() -> list[FeedStatus]:
    async with connect() as transport:
        return await feed_statuses(transport)
