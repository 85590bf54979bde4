"""`aegis handover`, `aegis drain` and `aegis maintenance`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, fail, print_json, terminal
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from aegis_sdk.maintenance import Maintained

_MOST_NAMED: Final = 10


def handover(
    service: Annotated[str, typer.Argument(show_default=False)],
    key: Annotated[str, typer.Argument(show_default=False)],
    to: Annotated[str, typer.Option(metavar="INSTANCE", help="Who is to have it; the best one without.")] = "",
    as_json: AsJson = False,
) -> None:
    """Give a key to another instance, and wait until that serves it."""
    done = run(_hand_over(service, key, to))
    if as_json:
        print_json(done)
    else:
        terminal().print(_handed_over(done))
    if to and done["holder"] != to:
        fail(f"{to} did not claim {service}/{key} in time, so {done['holder']} took it")


async def _hand_over(service: str, key: str, to: str) -> dict[str, Any]:
    from aegis_sdk.key_moves import hand_over
    from aegis_sdk.lease_view import LeaseView

    async with connect() as transport, LeaseView.open(transport, service) as view:
        return await hand_over(transport, view, service, key, to)


def _handed_over(done: dict[str, Any]) -> str:
    what = f"{done['service']}/{done['key']}"
    if done["from"] is None:
        return f"{what} is held by {done['holder']} already, in epoch {done['epoch']}"
    return f"{what} went from {done['from']} to {done['holder']} in {done['ms']:.0f} ms, epoch {done['epoch']}"


def drain(
    instance: Annotated[str, typer.Argument(show_default=False)],
    service: Annotated[str, typer.Option(help="Its service, where several have an instance of that name.")] = "",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait until others hold its keys.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Give all keys of an instance to others, before it is stopped. It takes none until it is started again."""
    done = run(_drain(instance, service, timeout))
    left = done["left"]
    if as_json:
        print_json(done)
    elif not left:
        terminal().print(_drained(done))
    if left:
        named = [f"{one['key']} ({one['state']}, {one['holder'] or '-'})" for one in left[:_MOST_NAMED]]
        more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
        count = f"{len(left)} of {len(left) + len(done['keys'])} keys"
        fail(f"after {timeout:g} s {count} are not held by others: {', '.join(named)}{more}")


async def _drain(instance: str, service: str, timeout: float) -> dict[str, Any]:
    """How far it is, it says on standard error."""
    from aegis_sdk.key_moves import drain
    from aegis_sdk.lease_view import LeaseView

    async with connect() as transport, LeaseView.open(transport, service) as view:
        return await drain(
            transport, view, instance, service, timeout, lambda now: print(now.progress, file=sys.stderr)
        )


def _drained(done: dict[str, Any]) -> str:
    counts = sorted(Counter(one["holder"] for one in done["keys"]).items())
    taken = ", ".join(f"{count} to {holder}" for holder, count in counts)
    what = f"its keys went {taken}" if taken else "it held no key"
    return (
        f"{done['instance']} is drained after {done['seconds']:.1f} s: {what}. It takes none until it is started again."
    )


def maintenance(
    instance: Annotated[str, typer.Argument(show_default=False)],
    service: Annotated[str, typer.Option(help="Its service, where several have an instance of that name.")] = "",
    release: Annotated[bool, typer.Option("--release", help="End it: it takes calls and keys again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let an instance take neither new calls nor keys until it is released; it goes on running."""
    left = run(_maintain(instance, service, not release))
    if as_json:
        print_json({"instance": instance, **left.model_dump()})
    elif release:
        print(f"{instance} is released: it takes calls and keys again")
    else:
        print(
            f"{instance} is in maintenance until it is released: {left.at_work} calls at work, {left.keys} keys to give"
        )


async def _maintain(instance: str, service: str, on: bool) -> Maintained:
    from aegis_sdk.key_moves import maintain
    from aegis_sdk.lease_view import LeaseView

    async with connect() as transport, LeaseView.open(transport, service) as view:
        return await maintain(transport, view, instance, service, on)
