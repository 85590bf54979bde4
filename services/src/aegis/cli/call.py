"""`aegis call`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import fail, print_json, terminal
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from aegis_sdk.active_call import Answer

NOT_EXECUTED: Final = 3
UNKNOWN: Final = 4


def call(
    method: Annotated[str, typer.Argument(metavar="SERVICE.METHOD", show_default=False)],
    body: Annotated[str, typer.Argument(metavar="JSON", help="The request; `-` reads it from standard input.")] = "{}",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the reply.")] = 5.0,
    instance: Annotated[str, typer.Option(help="Call this instance, not any.")] = "",
    key: Annotated[str, typer.Option(help="Call the instance that is active for this key.")] = "",
    idempotency_key: Annotated[str, typer.Option(help="With --key: ask again for the outcome of that call.")] = "",
) -> None:
    """Call a method and print its reply as JSON.

    With --key it ends with 3 where the call was not executed, and with 4 where nobody knows whether it was.

    For example: aegis call marketdata.latest '{"instruments": ["SHFE.rb2505"]}'
    """
    service, dot, name = method.partition(".")
    if not (service and dot and name) or "." in name:
        raise typer.BadParameter(f"{method!r} is not written SERVICE.METHOD")
    if key and instance:
        raise typer.BadParameter("--key finds the instance itself: leave out --instance")
    if idempotency_key and not key:
        raise typer.BadParameter("--idempotency-key is for calls with --key")
    request = _parsed(sys.stdin.read() if body == "-" else body)
    if key:
        _show_answer(_active_answer(service, name, key, request, timeout, idempotency_key))
    else:
        _show(run(_call(service, name, request, timeout, instance)))


def _show(reply: Any) -> None:
    if sys.stdout.isatty():
        terminal().print_json(json.dumps(reply), highlight=True)
    else:
        print_json(reply)


def _show_answer(answer: Answer[Any]) -> None:
    """The reply for whoever reads on, and for people who gave it."""
    _show(answer.value)
    stale = ", perhaps stale: its holder had no proof" if answer.stale else ""
    entry = f", journal entry {answer.sequence}" if answer.sequence else ""
    sys.stderr.write(f"OK in epoch {answer.epoch}{entry}, idempotency key {answer.idempotency_key}{stale}\n")


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


def _active_answer(service: str, method: str, key: str, body: Any, timeout: float, again: str) -> Answer[Any]:
    """The answer of the active instance; ends the command where there is none.

    `again` is the idempotency key of an earlier call. That this one had no effect says nothing of that one.
    """
    import secrets

    from aegis_sdk.errors import NotExecuted, OutcomeUnknown

    name = again or secrets.token_hex(16)
    ask_again = f"Ask again for its outcome, as often as you like: add --idempotency-key {name}"
    try:
        return run(_call_active(service, method, key, body, timeout, name))
    except NotExecuted as error:
        advice = (
            f"what became of the call with that key before, it does not tell. {ask_again}" if again else "call again"
        )
        fail(f"NOT EXECUTED: {error}. This call had no effect: {advice}", NOT_EXECUTED)
    except OutcomeUnknown as error:
        fail(f"UNKNOWN: {error}. It may have had its effect, or not: do not repeat it as new. {ask_again}", UNKNOWN)
    except KeyboardInterrupt:
        fail(f"UNKNOWN: it was not waited for. Do not repeat it as new. {ask_again}", UNKNOWN)


async def _call_active(service: str, method: str, key: str, body: Any, timeout: float, name: str) -> Answer[Any]:
    from aegis_sdk.client import Client

    async with connect() as transport:
        return await Client(transport).call_active_json(
            service, method, key, body, timeout=timeout, idempotency_key=name
        )
