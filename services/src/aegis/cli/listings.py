"""`aegis services` and `aegis instances`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aegis.cli.console import AsJson, duration, print_json, table, terminal
from aegis.cli.desk import connect, run

if TYPE_CHECKING:
    from aegis_sdk.instances import Instance, ServiceDefinition

_STYLES: Final = {"ACTIVE": "green", "STANDBY": "cyan", "UNHEALTHY": "bold red"}
_Table = tuple[list[dict[str, Any]], "list[Instance]", "list[ServiceDefinition]"]


def services(as_json: AsJson = False) -> None:
    """Show the services, their methods and how these fared."""
    from aegis_sdk.census import by_service

    rows = by_service(*run(_ask()))
    if as_json:
        return print_json(rows)
    shown = table(
        "SERVICE",
        "INSTANCES",
        "METHOD",
        "REQUESTS",
        "ERRORS",
        "MEAN",
        right=("INSTANCES", "REQUESTS", "ERRORS", "MEAN"),
    )
    for row in rows:
        first = (row["service"], str(row["instances"]) if row["instances"] else "[red]0[/]")
        for i, method in enumerate(row["methods"] or [None]):
            who = ("", "") if i else first
            if method is None:
                shown.add_row(*who, "-", "-", "-", "-")
                continue
            errors = f"[red]{method['errors']}[/]" if method["errors"] else "0"
            mean = "-" if method["mean_ms"] is None else f"{method['mean_ms']:.2f} ms"
            shown.add_row(*who, method["name"], str(method["requests"]), errors, mean)
    terminal().print(shown if rows else "No service is there.")
    return None


def instances(
    service: Annotated[str, typer.Argument(help="Only those of this service.")] = "", as_json: AsJson = False
) -> None:
    """Show the living instances of services."""
    from aegis_sdk.census import by_instance

    answers, living, _ = run(_ask())
    rows = [row for row in by_instance(answers, living) if service in ("", row["service"])]
    if as_json:
        return print_json(rows)
    columns = ("SERVICE", "INSTANCE", "VERSION", "ZONE", "STATUS", "KEYS", "HEARTBEAT", "UP", "METRICS")
    shown = table(*columns, right=("HEARTBEAT", "UP"))
    for row in rows:
        status = row["status"] or "not registered"
        shown.add_row(
            row["service"],
            row["instance"],
            row["version"] or "-",
            row["zone"] or "-",
            f"[{_STYLES.get(status, 'yellow')}]{status}[/]",
            ", ".join(f"{key}@{epoch}" for key, epoch in row["keys"].items()) or "-",
            "-" if row["heartbeat_age_s"] is None else f"{row['heartbeat_age_s']:.2f} s",
            _uptime(row["started_at"]),
            "-" if row["metrics_port"] is None else f"127.0.0.1:{row['metrics_port']}",
        )
    terminal().print(shown if rows else f"No instance{f' of {service}' if service else ''} is alive.")
    return None


async def _ask() -> _Table:
    import asyncio

    from aegis_sdk.census import ask_all, registered

    async with connect() as transport:
        answers, (living, defined) = await asyncio.gather(ask_all(transport, "STATS"), registered(transport))
        return answers, living, defined


def _uptime(started_at: str) -> str:
    return duration(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started_at)).total_seconds()))
