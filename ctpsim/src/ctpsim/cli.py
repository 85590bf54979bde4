"""The `ctpsim` command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer

from aegis_sdk.errors import AegisError
from ctpsim import building
from ctpsim.access import read_access
from ctpsim.control import Control
from ctpsim.frames import Limits
from ctpsim.front.faults import FAULTS
from ctpsim.front.users import User
from ctpsim.market.universe import Universe
from ctpsim.options import MarketKind, ServeOptions

__all__ = ["app", "main"]

app = typer.Typer(
    name="ctpsim",
    help="A CTP counter on this machine: market data and trader fronts for unmodified CTP clients.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

AccessFile = Annotated[
    Path, typer.Option("--access", envvar="CTPSIM_ACCESS", help="the counter's access file, or its directory")
]
_DIRECTORY = Path(".ctpsim")


def main() -> None:
    """Ends with one line on standard error and 1 where something does not work."""
    try:
        app()
    except (AegisError, TimeoutError) as error:
        _fail(str(error) or "the counter did not answer in time")


@app.command()
def build(
    check: Annotated[
        bool, typer.Option("--check", help="build nothing; exit with 1 where something is missing")
    ] = False,
) -> None:
    """Build the drop-in CTP libraries and the locale, where they are missing."""
    if check:
        lacks = building.missing()
        for lack in lacks:
            typer.echo(f"missing: {lack}", err=True)
        raise typer.Exit(1 if lacks else 0)
    for made in building.build():
        typer.echo(made)


@app.command()
def serve(
    market: Annotated[str, typer.Option(help="simulated, replay or load")] = "simulated",
    path: Annotated[Path | None, typer.Option(help="what to replay: a .csv, a .csv.gz, a directory of them")] = None,
    universe: Annotated[str, typer.Option(help="futures (some 850), or all: 25,000 with options")] = "futures",
    speed: Annotated[float, typer.Option(help="times as fast as the clock; 0: as clients read a replay")] = 1.0,
    instruments: Annotated[int, typer.Option(help="of the load market, at most")] = 100_000,
    rate: Annotated[float | None, typer.Option(help="ticks a second of all subscriptions")] = None,
    seed: Annotated[int, typer.Option(help="of the simulated market")] = 1,
    day: Annotated[str, typer.Option(help="the first trading day, YYYYMMDD; today if not given")] = "",
    begin: Annotated[str, typer.Option(help="live through the real hours from 2025-11-28T20:00, Shanghai, on")] = "",
    holiday: Annotated[list[str] | None, typer.Option(help="a weekday without sessions, YYYYMMDD; repeat it")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="what goes wrong: NAME[@market|trader[.FRONT]][=N]; repeat it")
    ] = None,
    fronts: Annotated[int, typer.Option(help="pairs of ports; 2: one is a backup")] = 1,
    port: Annotated[
        list[int] | None, typer.Option(help="of market data, then of trading; free ones if not given")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="a JSON file of users; one random user if not given")] = None,
    query_interval_ms: Annotated[int, typer.Option(help="between two queries of a session")] = 1000,
    requests_per_s: Annotated[int, typer.Option(help="of a session; 0: no limit")] = 0,
    record: Annotated[Path | None, typer.Option(help="a new file for each tick that somebody got")] = None,
    directory: Annotated[Path, typer.Option(help="where the access file and the lock are")] = _DIRECTORY,
    parent: Annotated[int | None, typer.Option(help="end with this process")] = None,
) -> None:
    """Run a counter until SIGTERM. Prints one line of JSON when it is ready."""
    from ctpsim import program  # the other commands need none of what it imports

    program.run(
        ServeOptions(
            directory=directory,
            market=_one_of(market, MarketKind, "--market"),
            path=path,
            universe=_one_of(universe, Universe, "--universe"),
            speed=speed,
            instruments=instruments,
            rate=rate,
            seed=seed,
            day=day,
            begin=begin,
            holidays=frozenset(holiday or ()),
            users=_users(users),
            faults=tuple(fault or ()),
            fronts=fronts,
            ports=tuple(port or ()),
            limits=Limits(query_interval_ms=query_interval_ms, requests_per_s=requests_per_s),
            record=record,
            parent=parent,
        )
    )


@app.command()
def control(
    command: Annotated[str, typer.Argument(help="status, fault, clear, drop, warn, sent, tick, rate, jump, ...")],
    arguments: Annotated[list[str] | None, typer.Argument(help="NAME=VALUE, the value as JSON or as it is")] = None,
    access: AccessFile = _DIRECTORY,
) -> None:
    """Tell a running counter something: `ctpsim control fault login_error=7`, `ctpsim control drop side=trader`."""
    result = asyncio.run(_send(access, command, _arguments(command, arguments or [])))
    typer.echo(json.dumps(result, ensure_ascii=False))


@app.command()
def faults() -> None:
    """List what can be made to go wrong."""
    for name, fault in FAULTS.items():
        typer.echo(f"{name}{f'={fault.otherwise}' if fault.value else '':6}\t{fault.text}".expandtabs(28))


@app.command()
def env(
    access: AccessFile = _DIRECTORY,
    show: Annotated[bool, typer.Option("--show", help="the secrets too")] = False,
) -> None:
    """Print what a CTP client needs to come to a running counter."""
    known = read_access(access)
    user = known.users[0]
    values = {
        "CTP_BROKER_ID": user.broker_id,
        "CTP_USER_ID": user.user_id,
        "CTP_PASSWORD": user.password if show else "********",
        "CTP_APP_ID": user.app_id,
        "CTP_AUTH_CODE": user.auth_code if show else "********",
        "CTP_MARKET_FRONT": ",".join(front.market for front in known.fronts),
        "CTP_TRADER_FRONT": ",".join(front.trader for front in known.fronts),
        "LOCPATH": known.locale,
        "LD_LIBRARY_PATH": known.libraries,
    }
    for name, value in values.items():
        typer.echo(f"export {name}='{value}'")


def _arguments(command: str, given: list[str]) -> dict[str, Any]:
    """NAME=VALUE each; what follows `fault` and `clear` is a fault as it is written."""
    if command in ("fault", "clear"):
        return {"fault": " ".join(given)}
    pairs = [argument.partition("=") for argument in given]
    return {name: _value(value) for name, _, value in pairs}


async def _send(access: Path, command: str, arguments: dict[str, Any]) -> Any:
    async with Control.at(access) as connection:
        return await connection.send(command, **arguments)


def _users(path: Path | None) -> tuple[User, ...]:
    if path is None:
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[User, ...])
    except (OSError, msgspec.MsgspecError) as error:
        raise AegisError(f"the users in {path} cannot be read: {error}") from error


def _one_of(value: str, kind: Any, option: str) -> Any:
    if value not in kind.__args__:
        raise AegisError(f"{option} is one of {', '.join(kind.__args__)}, not {value!r}")
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fail(message: str) -> NoReturn:
    if os.environ.get("CTPSIM_DEBUG"):
        raise
    print(f"ctpsim: {message}", file=sys.stderr)
    sys.exit(1)
