"""`aegis call`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from aegis.cli.console import print_json, terminal
from aegis.cli.desk import connect, run


def call(
    method: Annotated[str, typer.Argument(metavar="SERVICE.METHOD", show_default=False)],
    body: Annotated[str, typer.Argument(metavar="JSON", help="The request; `-` reads it from standard input.")] = "{}",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the reply.")] = 5.0,
    instance: Annotated[str, typer.Option(help="Call this instance, not any.")] = "",
) -> None:
    """Call a method and print its reply as JSON.

    For example: aegis call marketdata.latest '{"instruments": ["SHFE.rb2505"]}'
    """
    service, dot, name = method.partition(".")
    if not (service and dot and name) or "." in name:
        raise typer.BadParameter(f"{method!r} is not written SERVICE.METHOD")
    reply = run(_call(service, name, _parsed(sys.stdin.read() if body == "-" else body), timeout, instance))
    if sys.stdout.isatty():
        terminal().print_json(json.dumps(reply), highlight=True)
    else:
        print_json(reply)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the request is not JSON: {error}") from None


async def _call(service: str, method: str, body: Any, timeout: float, instance: str) -> Any:
    from aegis_sdk.client import Client
    from aegis_sdk.errors import Unavailable

    async with connect() as transport:
        try:
            return await Client(transport).call_json(service, method, body, timeout=timeout, instance=instance)
        except Unavailable as error:
            raise Unavailable(f"{error}; `aegis services` shows what can be called") from None
