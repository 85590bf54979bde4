"""`aegis continuous`, and the main contracts for `aegis contracts --main`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.console import AsJson, print_json, print_lines
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from aegis.contracts.reference import ContinuousReply, MainView

__all__ = ["continuous", "show_mains"]


def continuous(
    product: Annotated[str, typer.Argument(help="A product, such as rb.")] = "",
    exchange: Annotated[str, typer.Option("--exchange", "-x", help="Where more than one has it.")] = "",
    recording: Annotated[
        Path | None, typer.Option("--backfill", metavar="PATH", help="First decide the days of a recording.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which contract of a product led from which trading day on.

    Prices are those of the day before, at its close: their difference is what a price of before is shifted by.

    For example: aegis continuous rb
    """
    if not (product or recording):
        raise typer.BadParameter("name a product, such as rb")
    if recording is not None:
        days = run(_backfilled(recording))
        if not product:
            return print_json({"days": days}) if as_json else print(f"{len(days)} trading days: {', '.join(days)}")
    found = run(_continuous(product, exchange))
    if as_json:
        return print_json(found.model_dump())
    columns = ("FROM", "CONTRACT", "BEFORE", "OLD PRICE", "NEW PRICE", "GAP")
    return print_lines(columns, _rows(found), right=("OLD PRICE", "NEW PRICE", "GAP"))


def show_mains(exchange: str, product: str, as_json: bool) -> None:
    """Print the main contract of each product that fits."""
    found = run(_mains(exchange, product))
    if as_json:
        return print_json([one.model_dump() for one in found])
    if not found:
        return print("No main contract is known: it is decided at 16:00 of the market's own clock, after each close.")
    columns = ("PRODUCT", "MAIN", "SECOND", "SINCE", "DECIDED")
    rows = [(f"{one.exchange}.{one.product}", one.main, one.second or "-", one.since, one.decided_day) for one in found]
    return print_lines(columns, rows)


def _rows(found: ContinuousReply) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for roll in found.rolls:
        old, new = roll.old_price, roll.new_price
        gap = "-" if old is None or new is None else f"{new - old:+g}"
        prices = ("-" if price is None else f"{price:g}" for price in (old, new))
        rows.append((roll.from_day, roll.contract, roll.old_contract or "-", *prices, gap))
    return rows


async def _mains(exchange: str, product: str) -> list[MainView]:
    from aegis.contracts.reference import MAINS, MainsRequest
    from aegis_sdk.client import Client

    async with connect() as transport:
        return (await Client(transport).call(MAINS, MainsRequest(exchange=exchange, product=product))).mains


async def _continuous(product: str, exchange: str) -> ContinuousReply:
    from aegis.contracts.reference import CONTINUOUS, ContinuousRequest
    from aegis_sdk.client import Client

    async with connect() as transport:
        return await Client(transport).call(CONTINUOUS, ContinuousRequest(product=product, exchange=exchange))


async def _backfilled(recording: Path) -> list[str]:
    """Decide the days of a recording for the feed of the desk; rows that are no ticks are skipped."""
    from contextlib import closing

    from aegis.contracts.marketdata import STATUS
    from aegis.marketdata.adapters.bus import RollStore
    from aegis.marketdata.adapters.replay import read_quotes
    from aegis.marketdata.roll_keeper import backfill
    from aegis_sdk.client import Client
    from aegis_sdk.method import Empty

    async with connect() as transport:
        feed = await Client(transport).call(STATUS, Empty())
        store = RollStore(transport, feed.feed)
        with closing(read_quotes(recording, lambda _reason, _detail: None)) as quotes:
            return await backfill(store, feed.source, quotes)
