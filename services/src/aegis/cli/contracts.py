"""`aegis contracts`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aegis.cli.console import AsJson, print_json, print_lines
from aegis.cli.continuous import show_mains
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from aegis.contracts.marketdata import InstrumentView

KINDS = ("future", "option", "combination", "other")


def contracts(
    exchange: Annotated[str, typer.Option("--exchange", "-x", help="Only those of this exchange.")] = "",
    product: Annotated[str, typer.Option("--product", "-p", help="Of this product, such as rb.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "",
    expiry: Annotated[str, typer.Option(help="Whose last trading day begins so: 2026, 202605, 20260515.")] = "",
    main: Annotated[bool, typer.Option("--main", help="Which of each product lead, and since when.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the contracts that the feed lists, or with --main which of them lead.

    For example: aegis contracts --product rb --expiry 2026
    """
    if main:
        if kind or expiry:
            raise typer.BadParameter("--main goes with --exchange and --product only")
        return show_mains(exchange, product, as_json)
    if kind not in ("", *KINDS):
        raise typer.BadParameter(f"{kind!r} is none of {', '.join(KINDS)}", param_hint="--kind")
    if expiry and not (expiry.isdecimal() and len(expiry) <= 8):
        raise typer.BadParameter(f"{expiry!r} is not the beginning of a day as YYYYMMDD", param_hint="--expiry")
    found = run(_listed(exchange=exchange, product=product, kind=kind or None, expiry=expiry))
    if as_json:
        return print_json([one.model_dump() for one in found])
    if not found:
        return print("No contract fits.")
    columns = ("INSTRUMENT", "KIND", "PRODUCT", "EXPIRES", "MULTIPLIER", "TICK", "NAME")
    return print_lines(columns, [_row(one) for one in found], right=("MULTIPLIER", "TICK"))


def _row(one: InstrumentView) -> tuple[str, ...]:
    multiplier, tick = ("-" if fact is None else f"{fact:g}" for fact in (one.multiplier, one.price_tick))
    return one.instrument, one.kind, one.product or "-", one.expiry_day or "-", multiplier, tick, one.name


async def _listed(**which: Any) -> list[InstrumentView]:
    """All pages."""
    from aegis.contracts.marketdata import INSTRUMENTS, InstrumentsRequest
    from aegis_sdk.client import Client

    found: list[InstrumentView] = []
    async with connect() as transport:
        client, after = Client(transport), ""
        while True:
            page = await client.call(INSTRUMENTS, InstrumentsRequest(after=after, **which))
            found += page.instruments
            if not (after := page.next):
                return found
