"""The commands of `aegis bench`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Container, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import typer

from aegis.cli.bench.cases import OF_A_CLUSTER, OF_A_FEED_CLUSTER, Baseline, CtpCase, FailoverCase, FeedCase, Source

if TYPE_CHECKING:
    from aegis.cli.bench.figures import Report
    from aegis_sdk.server import EmbeddedServer

_C = TypeVar("_C")
bench_app = typer.Typer(no_args_is_help=True, help="Measure Aegis beside plain nats-py, in turn, in the same run.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Long = Annotated[bool, typer.Option("--long", help="More rounds, for figures to be written down.")]
Nodes = Annotated[int, typer.Option("--nodes", help="nats-servers: 1 or 3.")]


@bench_app.command()
def rpc(as_json: Json = False, long: Long = False, nodes: Nodes = 1) -> None:
    """Calls: a typed echo, against the same work by hand and against a bare echo of bytes."""
    from aegis.cli.bench.rpc import bench_rpc

    rounds, calls = (15, 3000) if long else (7, 1500)
    _run(lambda server: bench_rpc(server, rounds=rounds, calls=calls), nodes, as_json)


@bench_app.command()
def events(as_json: Json = False, long: Long = False, nodes: Nodes = 1) -> None:
    """Events: stored and acknowledged, 64 at a time; and taken by a durable consumer."""
    from aegis.cli.bench.events import bench_events

    rounds, count = (15, 12_800) if long else (5, 3_200)
    _run(lambda server: bench_events(server, nodes=nodes, rounds=rounds, count=count), nodes, as_json)


@bench_app.command()
def ticks(
    as_json: Json = False,
    long: Long = False,
    nodes: Nodes = 1,
    replay: Annotated[
        Path | None, typer.Option(help="A tick file to take the burst from; seeded ticks without.")
    ] = None,
) -> None:
    """Ticks: a whole-market burst through the pipeline into JetStream and to a subscriber; and 5,000 a second."""
    from aegis.cli.bench.ticks import LONG, SHORT, bench_ticks

    burst = replay or _recorded_burst()
    turns, paced_s = (LONG, 30.0) if long else (SHORT, 5.0)
    _run(lambda server: bench_ticks(server, replay=burst, nodes=nodes, turns=turns, paced_s=paced_s), nodes, as_json)


@bench_app.command()
def failover(
    as_json: Json = False,
    long: Long = False,
    nodes: Nodes = 1,
    case: Annotated[
        list[FailoverCase] | None, typer.Option("--case", help="Only this case; give it again for more.")
    ] = None,
) -> None:
    """Failover: an active instance killed, stopped, relieved; and one that holds a third of 1,000 keys, killed.

    With --nodes 3 also what must move no key: a leading node killed, a rolling restart, a busy machine.
    """
    from aegis.cli.bench.failover import LONG, LONG_OF_A_CLUSTER, SHORT, bench_failover

    cases = _cases(case, list(FailoverCase), OF_A_CLUSTER, nodes)
    extent = (LONG if nodes == 1 else LONG_OF_A_CLUSTER) if long else SHORT
    say = _teller()
    _run(lambda server: bench_failover(server, cases=cases, extent=extent, say=say), nodes, as_json)


@bench_app.command()
def ctp(
    as_json: Json = False,
    long: Long = False,
    nodes: Nodes = 1,
    rate: Annotated[float, typer.Option(min=1_000, help="Ticks a second; twice that in the overload.")] = 50_000,
    instruments: Annotated[int, typer.Option(min=1, help="Of all cases but burst20 and cycles.")] = 500,
    replay: Annotated[
        Path | None, typer.Option(help="A tick file of a whole market for burst20; left out without.")
    ] = None,
    case: Annotated[
        list[CtpCase] | None, typer.Option("--case", help="Only this case; give it again for more.")
    ] = None,
    baseline: Annotated[
        Baseline, typer.Option(help="Beside the sustained case: vnpy's gateway, or our path but for its bridge.")
    ] = Baseline.STOCK,
) -> None:
    """CTP: ticks of a simulated counter, stored, to a subscriber; and what vnpy's own gateway does beside it."""
    from aegis.cli.bench.ctp import LONG, SHORT, bench_ctp

    burst, extent, say = replay or _recorded_burst(), LONG if long else SHORT, _teller()
    cases = case or list(CtpCase)
    if case and CtpCase.BURST in case and burst is None:
        raise typer.BadParameter("burst20 needs a recording", param_hint="--replay")
    _run(
        lambda server: bench_ctp(
            server,
            nodes=nodes,
            rate=rate,
            extent=extent,
            replay=burst,
            say=say,
            cases=cases,
            baseline=baseline,
            instruments=instruments,
        ),
        nodes,
        as_json,
    )


@bench_app.command()
def feed(
    as_json: Json = False,
    long: Long = False,
    nodes: Nodes = 1,
    rate: Annotated[float, typer.Option(min=100, max=50_000, help="Ticks a second.")] = 2_000,
    stall: Annotated[float, typer.Option(min=1, max=60, help="Seconds after which a silent front is a stall.")] = 1,
    case: Annotated[
        list[FeedCase] | None, typer.Option("--case", help="Only this case; give it again for more.")
    ] = None,
) -> None:
    """Feed: whatever happens to the one that publishes, the other goes on behind its last tick.

    With --nodes 3 also a node of NATS killed, alone or with whoever publishes.
    """
    from aegis.cli.bench.feed import LONG, SHORT, bench_feed

    cases = _cases(case, list(FeedCase), OF_A_FEED_CLUSTER, nodes)
    rounds, say = LONG if long else SHORT, _teller()
    _run(
        lambda server: bench_feed(server, rounds=rounds, cases=cases, rate=rate, stall_s=stall, say=say), nodes, as_json
    )


@bench_app.command()
def record(
    as_json: Json = False,
    long: Long = False,
    nodes: Nodes = 1,
    rate: Annotated[int, typer.Option(min=1_000, help="Ticks a second.")] = 20_000,
    replay: Annotated[
        Path | None, typer.Option(help="A tick file to take the ticks from; seeded ones without.")
    ] = None,
) -> None:
    """The recorder: a steady stream to files with a SIGKILL in the middle, a backlog, and a query."""
    from aegis.cli.bench.record import bench_record

    seconds, ticks = 60.0 if long else 10.0, replay or _recorded_burst()
    _run(lambda server: bench_record(server, nodes=nodes, seconds=seconds, rate=rate, replay=ticks), nodes, as_json)


@bench_app.command()
def active(as_json: Json = False, long: Long = False, nodes: Nodes = 1) -> None:
    """Active instance: a call against the same work by hand; its guarded commits against a plain stored message."""
    from aegis.cli.bench.active import bench_active

    rounds, count = (15, 3000) if long else (7, 1000)
    _run(lambda server: bench_active(server, nodes=nodes, rounds=rounds, count=count), nodes, as_json)


@bench_app.command()
def orders(as_json: Json = False, long: Long = False, nodes: Nodes = 1) -> None:
    """Orders: from the caller to the durable acknowledgement, against a plain stored message; and how many a second."""
    from aegis.cli.bench.orders import LONG, SHORT, bench_orders

    _run(lambda server: bench_orders(server, nodes=nodes, extent=LONG if long else SHORT), nodes, as_json)


@bench_app.command()
def console(as_json: Json = False, long: Long = False) -> None:
    """Consoles: how old ticks are in 200 tabs, what they cost the management service, and an order beside 50 tabs."""
    from aegis.cli.bench.console import LONG, SHORT, bench_console

    say = _teller()
    _run(lambda server: bench_console(server, extent=LONG if long else SHORT, say=say), 1, as_json)


@bench_app.command()
def restart(as_json: Json = False, long: Long = False) -> None:
    """Restart: a desk on a simulated CTP counter, all of it killed, until all that is wanted ticks again."""
    from aegis.cli.bench.restart import LONG, SHORT, bench_restart

    _report(bench_restart(rounds=LONG if long else SHORT, say=_teller()), as_json)


@bench_app.command()
def universe(
    as_json: Json = False,
    nodes: Nodes = 1,
    over: Annotated[
        Source, typer.Option(help="The simulated market within the service, or a simulated CTP counter.")
    ] = Source.SIMULATED,
) -> None:
    """Subscriptions: the time and the memory that all futures take, and 25,000 contracts with options."""
    from aegis.cli.bench.universe import bench_universe

    _run(lambda server: bench_universe(server, over=over), nodes, as_json)


def _recorded_burst() -> Path | None:
    """The recording of a whole market, where the directory that AEGIS_RECORDED_TICKS names has one."""
    directory = os.environ.get("AEGIS_RECORDED_TICKS")
    return next(iter(sorted(Path(directory).glob("MARKET_*"))), None) if directory else None


def _teller() -> Callable[[str], None]:
    """Tells on standard error how far a long run is."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.1f} s  {text}", file=sys.stderr, flush=True)

    return say


def _run(bench: Callable[[EmbeddedServer], Awaitable[Report]], nodes: int, as_json: bool) -> None:
    """Run a benchmark against servers of its own."""
    from aegis_sdk.server import EmbeddedServer, ServerOptions

    if nodes not in (1, 3):
        raise typer.BadParameter("1 or 3", param_hint="--nodes")

    async def measured() -> Report:
        with TemporaryDirectory(prefix="aegis-bench-") as directory:
            options = ServerOptions(directory=Path(directory), nodes=cast("Literal[1, 3]", nodes))
            async with EmbeddedServer(options) as server:
                return await bench(server)

    _report(measured(), as_json)


def _cases(chosen: list[_C] | None, every: list[_C], of_a_cluster: Container[_C], nodes: int) -> list[_C]:
    """What is measured. Raises BadParameter for a case that needs more nodes."""
    possible = [each for each in every if nodes > 1 or each not in of_a_cluster]
    if refused := [each for each in chosen or () if each not in possible]:
        raise typer.BadParameter(f"{refused[0]} needs --nodes 3", param_hint="--case")
    return chosen or possible


def _report(bench: Coroutine[Any, Any, Report], as_json: bool) -> None:
    """Run a benchmark, and print what it reports; exit code 1 where a figure is beyond its bar."""
    import logging

    import uvloop

    from aegis_sdk.telemetry import configure_logging

    configure_logging(level=logging.ERROR)
    found = uvloop.run(bench)
    report = found.as_json()
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _show(report)
    if beyond := found.beyond():
        print(*beyond, sep="\n", file=sys.stderr)
        raise typer.Exit(1)


def _show(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"aegis bench {report['name']}", title_justify="left")
    has_bars = any(case.get(kind) for case in report["cases"] for kind in ("bars", "ratio_bars", "least"))
    for heading in ("case", "figure", "Aegis", "plain", "Aegis/plain", *(("bar",) if has_bars else ())):
        table.add_column(heading, justify="left" if heading in ("case", "figure") else "right")
    for case in report["cases"]:
        for position, (figure, value) in enumerate(case["aegis"].items()):
            plain = (case["plain"] or {}).get(figure)
            ratio = (case["ratio"] or {}).get(figure)
            table.add_row(
                case["case"] if position == 0 else "",
                figure,
                f"{value:,}",
                "" if plain is None else f"{plain:,}",
                "" if ratio is None else f"{ratio:.2f}",
                *((_bar(case, figure),) if has_bars else ()),
            )
        table.add_section()
    console.print(table)
    for case in report["cases"]:
        if case.get("note"):
            console.print(f"{case['case']}: {case['note']}")
    machine = report["machine"]
    console.print(f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {machine['system']}")


def _bar(case: dict[str, Any], figure: str) -> str:
    """The most that a figure may be, and how much more than plain; or the least; and whether it is beyond."""
    absolute, ratio = case.get("bars", {}).get(figure), case.get("ratio_bars", {}).get(figure)
    least = case.get("least", {}).get(figure)
    words = (
        *([f"{absolute:,g}"] if absolute is not None else []),
        *([f"{ratio:g} x"] if ratio else []),
        *([f"at least {least:,g}"] if least is not None else []),
        *(["beyond"] if figure in case.get("beyond", ()) else []),
    )
    return " ".join(words)
