"""`aegis up` and `aegis down`."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aegis.cli.console import duration, fail, terminal
from aegis.cli.desk import state_directory

if TYPE_CHECKING:
    from rich.console import Console

    from aegis.operations.notes import Note, Report
    from aegis.operations.plan import DeskOptions
    from aegis.operations.state import RunFile, StateDirectory

_POLL_S: Final = 0.05
_OTHER_MARKETS: Final = ("AEGIS_REPLAY", "AEGIS_PROFILE", "AEGIS_WALL_CLOCK", "AEGIS_SPEED", "AEGIS_RATE", "AEGIS_SEED")
"""Variables that say which market is meant."""


class Codec(StrEnum):
    """How ticks travel."""

    json = "json"
    msgpack = "msgpack"
    pickle = "pickle"


class Market(StrEnum):
    """A market of our own."""

    ctpsim = "ctpsim"
    simulated = "simulated"


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is up; stop it with `aegis down`.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of NATS; 0 takes a free one.")] = 0,
    nodes: Annotated[int, typer.Option(help="Of NATS: 1, or a cluster of 3.")] = 1,
    replay: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            help="Recorded ticks to replay, in place of the simulated market: a file, or a directory, also one of "
            "`aegis record`; default: AEGIS_REPLAY.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="A CTP front in place of the simulated market: a profile's name or file, e.g. simnow; "
            "default: AEGIS_PROFILE."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0, help="Of the market: 1 is real time, 0 as fast as can be; default: 1, or AEGIS_SPEED."),
    ] = None,
    wall_clock: Annotated[
        bool, typer.Option("--wall-clock", help="Let the simulated market follow the real sessions.")
    ] = False,
    market: Annotated[
        Market | None,
        typer.Option(
            help="Where ticks come from, if not from a replay or a profile: a simulated CTP counter, or a simulated "
            "market without one; default: the counter, where it is built."
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record", help="Record all ticks; to AEGIS_RECORD_DIRECTORY, or `recording` in the state directory."
        ),
    ] = False,
    codec: Annotated[Codec | None, typer.Option(help="How ticks are written; default: json, or AEGIS_CODEC.")] = None,
    directory: Annotated[Path | None, typer.Option(help="State directory; AEGIS_HOME or .aegis without.")] = None,
    plan: Annotated[Path | None, typer.Option(exists=True, hidden=True)] = None,
) -> None:
    """Start a desk on this machine: NATS and all services."""
    from aegis.operations.plan import DeskOptions
    from aegis.operations.state import StateDirectory

    if nodes not in (1, 3):
        raise typer.BadParameter("must be 1 or 3", param_hint="--nodes")
    if replay and wall_clock:
        raise typer.BadParameter("a replay has the times of its file", param_hint="--wall-clock")
    if wall_clock and speed not in (None, 1):
        raise typer.BadParameter("the real sessions have the speed of real time", param_hint="--wall-clock")
    if profile and (replay or wall_clock or speed is not None):
        raise typer.BadParameter("a CTP front has its own times", param_hint="--profile")
    if market and (replay or profile):
        raise typer.BadParameter("a replay and a CTP front are markets of their own", param_hint="--market")
    if market is Market.ctpsim and (wall_clock or speed is not None):
        raise typer.BadParameter("the counter has a clock of its own: `ctpsim serve --help`", param_hint="--market")
    state = StateDirectory(directory) if directory else state_directory()
    counter = _has_counter(market, plain=not (replay or profile or wall_clock or speed is not None or plan))
    options = DeskOptions(
        directory=str(state.path),
        port=port,
        nodes=nodes,
        replay=str(replay.absolute()) if replay else None,
        profile=_absolute(profile) if profile else None,
        speed=speed,
        wall_clock=wall_clock or None,
        codec=codec.value if codec else None,
        counter=counter,
        standby=counter or (replay is None and _has_backup(profile)),
        record=_recording(state) if record else None,
        plan_file=str(plan) if plan else "",
    )
    raise typer.Exit(_bring_up(state, options, detach))


def _has_counter(market: Market | None, *, plain: bool) -> bool:
    """Whether a counter is wanted: where it is built, unless another market is asked for, by a variable too."""
    from aegis.operations.counter import is_built

    if market is Market.ctpsim and not is_built():
        fail("the simulated CTP counter is not built: make setup, on a machine with a C++ compiler", 2)
    others = any(os.environ.get(name) for name in _OTHER_MARKETS)
    return market is Market.ctpsim or (market is None and plain and not others and is_built())


def _has_backup(profile: str | None) -> bool:
    """Whether the profile has a second login. What is wrong with one is said elsewhere."""
    from aegis.profiles import load
    from aegis_sdk.errors import ConfigurationError

    named = profile or os.environ.get("AEGIS_PROFILE")
    try:
        return bool(named) and load(named, os.environ).backup is not None
    except ConfigurationError:
        return False


def _recording(state: StateDirectory) -> str:
    """Where a desk records to."""
    from aegis.cli.record import default_directory

    return str(default_directory(state).absolute())


def _absolute(profile: str) -> str:
    """A path is one for the services too, wherever they run; a name stays one."""
    return str(Path(profile).expanduser().absolute()) if "/" in profile or profile.endswith(".toml") else profile


def _bring_up(state: StateDirectory, options: DeskOptions, detach: bool) -> int:
    from aegis.cli.notes import NotePrinter
    from aegis.operations import detached
    from aegis.operations.state import DeskInUse

    console = terminal()
    show = NotePrinter(console)

    def report(note: Note) -> None:
        with suppress(OSError, SystemExit):  # the terminal may be gone: the desk goes on
            show(note)
            if note.kind in ("up", "degraded"):
                _say_how_to_go_on(console, state, detach)

    if running := _running(state):
        return _say_already_up(console, running)
    _check(options)
    console.print(f"Starting the desk in {state.path}", style="dim")
    try:
        well = (detached.start if detach else _run_here)(options, report)
    except DeskInUse as busy:
        return _say_already_up(console, busy.run)
    return 0 if well else 1


def _check(options: DeskOptions) -> None:
    """Whether the services will like their settings: said here and now, not in the log of each."""
    from aegis.marketdata.adapters.replay.reading import recordings_in
    from aegis.marketdata.bootstrap import build
    from aegis.operations.plan import inherited, plan
    from aegis_sdk.errors import ConfigurationError

    try:
        for service in plan(options):
            if service.service == "marketdata":
                settings = {**inherited(os.environ), **service.environment}
                if options.counter:  # its profile does not exist yet
                    del settings["AEGIS_LOGIN"]
                build({**settings, "AEGIS_NATS_URL": "nats://127.0.0.1", "AEGIS_INSTANCE": service.instance})
                if recorded := settings.get("AEGIS_REPLAY"):
                    recordings_in(Path(recorded))
    except ConfigurationError as error:
        fail(str(error), 2)


def _run_here(options: DeskOptions, report: Report) -> bool:
    from aegis.operations import desk

    return desk.run(options, report)


def _running(state: StateDirectory) -> RunFile | None:
    from aegis.operations.processes import is_alive

    run = state.read()
    return run if run and is_alive(run.supervisor) else None


def _say_already_up(console: Console, run: RunFile | None) -> int:
    from aegis.operations.state import DeskState

    if run is None or run.state is not DeskState.UP:
        doing = "stopping" if run and run.state is DeskState.STOPPING else "starting"
        fail(f"this desk is just {doing}: look with `aegis ps`, and try again in a moment")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started_at))
    console.print(f"The desk is up already, since {since} (pid {run.supervisor.pid}). `aegis ps` shows what runs.")
    return 0


def _say_how_to_go_on(console: Console, state: StateDirectory, detached: bool) -> None:
    here = state.path == state_directory().path
    aegis = "aegis" if here else f"AEGIS_HOME={shlex.quote(str(state.path))} aegis"
    from rich.markup import escape

    sign_in = state.take_sign_in()
    rows = [
        *([(sign_in.address, "is the management service")] if sign_in else []),
        (f"{aegis} ticks", "shows live ticks" + ("" if detached else ", in a second terminal")),
        (f"{aegis} ps", "shows what runs"),
        (f"{aegis} logs -f", "follows the logs"),
        (f"{aegis} down" if detached else "Ctrl-C", "stops everything"),
    ]
    width = max(len(command) for command, _ in rows)
    console.print()
    for command, effect in rows:
        console.print(f"  [bold cyan]{escape(command.ljust(width))}[/]  {effect}")
    console.print()
    if sign_in and sign_in.password:
        who = f"user [bold]{escape(sign_in.user)}[/], password [bold]{escape(sign_in.password)}[/]"
        console.print(f"  First sign-in: {who}")
        console.print(
            "  It is shown this once, and must be changed at once; `aegis reset-password` makes another.", style="dim"
        )
        console.print()


def down(
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the orderly end.")] = 30.0,
) -> None:
    """Stop the desk: services first, then NATS."""
    import signal

    from aegis.operations import desk, processes

    console = terminal()
    state = state_directory()
    run = _running(state)
    if run is None:
        left = desk.end_remains(state)
        console.print(f"Ended what was left of a killed desk: {', '.join(left)}." if left else "No desk runs here.")
        return
    began = time.monotonic()
    console.print(f"Stopping the desk in {state.path}", style="dim")
    processes.send(run.supervisor, signal.SIGTERM)
    if not _watch_stop(console, state, run, timeout):
        fail(
            f"still stopping after {timeout:g} s: wait with `aegis down`, "
            f"or end everything at once with `kill -KILL {run.supervisor.pid}`"
        )
    desk.end_remains(state)
    console.print(f"Everything is stopped, after {duration(time.monotonic() - began)}.")


def _watch_stop(console: Console, state: StateDirectory, run: RunFile, timeout_s: float) -> bool:
    """Say which process has stopped, until the supervisor is gone; whether it is gone in time."""
    from aegis.operations import processes
    from aegis.operations.state import ProcessState

    began = time.monotonic()
    expected = [one.name for one in reversed(run.processes)]

    def note(stopped: set[str]) -> None:
        for name in [name for name in expected if name in stopped]:
            expected.remove(name)
            console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  [green]✓[/] {name:<14}  stopped")

    while not processes.wait_gone(run.supervisor, _POLL_S):
        if now := state.read():
            note({one.name for one in now.processes if one.state is ProcessState.STOPPED})
        if time.monotonic() - began > timeout_s:
            return False
    note(set(expected))
    return True
