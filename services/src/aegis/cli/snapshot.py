"""`aegis snapshot`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from aegis.cli.console import AsJson, duration, print_lines
from aegis.cli.desk import connect, run
from aegis_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aegis.cli.tick_patterns import Selection
    from aegis.contracts.market import Price, Tick

_COLUMNS = ("INSTRUMENT", "LAST", "CHANGE", "VOLUME", "OPEN INT", "BID", "ASK", "AGE")


def snapshot(
    patterns: Annotated[
        list[str] | None, typer.Argument(metavar="[PATTERN]...", help="SHFE.rb2505, SHFE.*, SHFE or rb*; all without.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the latest tick of each instrument, and end.

    The change is that since the settlement of the day before; the age is counted from when the feed had the tick.

    For example: aegis snapshot SHFE.rb*
    """
    from aegis.cli.tick_patterns import select

    try:
        selection = select(patterns or [])
    except ConfigurationError as error:
        raise typer.BadParameter(error.problem, param_hint="PATTERN") from None
    market = run(_market(selection))
    if as_json:
        return _print_json(market)
    if not market:
        return print("No tick of these is stored.")
    now_ns = time.time_ns()
    return print_lines(_COLUMNS, [_row(tick, now_ns) for tick in market], right=_COLUMNS[1:])


async def _market(selection: Selection) -> list[Tick]:
    """The latest ticks of the market of now, by name."""
    from aegis.cli.tick_stream import feed_of, is_present, may_read_pickle
    from aegis.ticks import TickOptions, subscribe_ticks

    async with connect() as transport:
        feed = await feed_of(transport)
        options = TickOptions(allow_pickle=may_read_pickle(feed))
        async with subscribe_ticks(transport, *selection.subscriptions, options=options) as ticks:
            market = await ticks.snapshot()
    present = is_present(feed)
    found = [one for one in sorted(market) if selection.wanted(one) and present(market[one])]
    return [market[one] for one in found]


def _print_json(market: Iterable[Tick]) -> None:
    """One array of ticks; each is written once, not 25,000 of them built as objects first."""
    from aegis.contracts.tick_codec import JSON

    sys.stdout.buffer.write(b"[" + b",".join(JSON.encode(tick) for tick in market) + b"]\n")
    sys.stdout.buffer.flush()


def _row(tick: Tick, now_ns: int) -> tuple[str, ...]:
    last, before = tick.last_price, tick.pre_settlement_price
    return (
        f"{tick.exchange}.{tick.symbol}",
        _shown(last),
        _shown(None if last is None or before is None else last - before, signed=True),
        str(tick.volume),
        f"{tick.open_interest:.0f}",
        _shown(tick.bids[0].price if tick.bids else None),
        _shown(tick.asks[0].price if tick.asks else None),
        duration(max(0.0, (now_ns - tick.ts_received_ns) / 1e9)),
    )


def _shown(price: Price, *, signed: bool = False) -> str:
    if price is None:
        return "-"
    text = f"{price:+.4f}" if signed and price else f"{price:.4f}"
    return text.rstrip("0").rstrip(".")
