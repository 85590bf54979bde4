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
    rows = _by_service(*run(_ask("STATS")))
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
    rows = [row for row in _by_instance(*run(_ask("STATS"))) if service in ("", row["service"])]
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


async def _ask(verb: str) -> _Table:
    import asyncio

    from aegis.cli.discovery import ask_all, registered

    async with connect() as transport:
        answers, (living, defined) = await asyncio.gather(ask_all(transport, verb), registered(transport))
        return answers, living, defined


def _by_service(
    answers: list[dict[str, Any]], living: list[Instance], defined: list[ServiceDefinition]
) -> list[dict[str, Any]]:
    """Each service with its methods, the figures of its instances added up."""
    definitions = {one.name: one for one in defined}
    names = {*definitions, *(one["name"] for one in answers), *(one.record.service for one in living)}
    rows: list[dict[str, Any]] = []
    for name in sorted(names):
        ours = [one for one in answers if one["name"] == name]
        ids = {one["id"] for one in ours} | {one.record.instance for one in living if one.record.service == name}
        definition = definitions.get(name)
        rows.append(
            {
                "service": name,
                "version": max((one["version"] for one in ours), default=definition.version if definition else ""),
                "description": definition.description if definition else "",
                "instances": len(ids),
                "methods": _methods(ours),
            }
        )
    return rows


def _methods(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for endpoint in (one for answer in answers for one in answer.get("endpoints") or []):
        name = endpoint["name"]
        method = found.setdefault(
            name, {"name": name, "subject": endpoint["subject"], "requests": 0, "errors": 0, "mean_ms": None, "ns": 0}
        )
        method["requests"] += endpoint["num_requests"]
        method["errors"] += endpoint["num_errors"]
        method["ns"] += endpoint["processing_time"]
    for method in found.values():
        spent = method.pop("ns")
        method["mean_ms"] = round(spent / method["requests"] / 1e6, 3) if method["requests"] else None
    return [found[name] for name in sorted(found)]


def _by_instance(
    answers: list[dict[str, Any]], living: list[Instance], _: list[ServiceDefinition]
) -> list[dict[str, Any]]:
    """Those of the registry, and those that only answer: services that others wrote."""
    rows = [
        {
            "service": one.record.service,
            "instance": one.record.instance,
            "version": one.record.version,
            "zone": one.record.zone,
            "status": str(one.status),
            "keys": one.record.keys,
            "heartbeat_age_s": round(one.age_s, 3),
            "started_at": one.record.started_at.isoformat(),
            "metrics_port": one.record.metrics_port,
        }
        for one in living
    ]
    known = {(row["service"], row["instance"]) for row in rows}
    rows += [
        {
            "service": one["name"],
            "instance": one["id"],
            "version": one["version"],
            "zone": "",
            "status": None,
            "keys": {},
            "heartbeat_age_s": None,
            "started_at": one["started"],
            "metrics_port": None,
        }
        for one in answers
        if (one["name"], one["id"]) not in known
    ]
    return sorted(rows, key=lambda row: (row["service"], row["instance"]))


def _uptime(started_at: str) -> str:
    return duration(max(0.0, (datetime.now(UTC) - datetime.fromisoformat(started_at)).total_seconds()))
