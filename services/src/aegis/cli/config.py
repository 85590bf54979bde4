"""`aegis config check` and `aegis config show`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aegis.cli.console import AsJson, fail, print_json, table, terminal

if TYPE_CHECKING:
    from aegis.profiles import CtpProfile, Problem

config_app = typer.Typer(no_args_is_help=True, help="Look at a CTP profile before a desk is started with it.")

Profile = Annotated[str, typer.Argument(help="Its name or its file; AEGIS_PROFILE without.", show_default=False)]


@config_app.command()
def check(profile: Profile = "", as_json: AsJson = False) -> None:
    """Say whether a profile is complete, or all that is wrong with it and how to mend it.

    Exits with 1 where something is wrong. Nothing is connected to.
    """
    path, loaded, problems = _load(profile or _default())
    if as_json:
        told = [one._asdict() for one in problems]
        print_json({"profile": profile or _default(), "path": path, "complete": loaded is not None, "problems": told})
    elif loaded is None:
        _print_problems(path, problems)
    else:
        backup = "with a backup" if loaded.backup else "without a backup"
        terminal().print(f"[green]OK[/]  {path} is complete, {backup}.")
    raise typer.Exit(1 if loaded is None else 0)


@config_app.command()
def show(profile: Profile = "", as_json: AsJson = False) -> None:
    """Show a profile as a desk will use it, its secrets masked."""
    path, loaded, problems = _load(profile or _default())
    if loaded is None:
        _print_problems(path, problems)
        raise typer.Exit(1)
    from aegis_sdk.instances import masked

    values = masked(loaded.model_dump(mode="json"))
    if as_json:
        return print_json({"path": path, **values})
    return _print_profile(path, values)


def _default() -> str:
    from aegis.profiles import names

    given = os.environ.get("AEGIS_PROFILE", "")
    if not given:
        fail(f"name a profile, or set AEGIS_PROFILE; there are: {', '.join(names(os.environ))}", 2)
    return given


def _load(profile: str) -> tuple[str, CtpProfile | None, tuple[Problem, ...]]:
    """Where it is, and either the profile or what is wrong with it."""
    from aegis.profiles import ProfileError, find, load

    path = Path(profile)
    try:
        path = find(profile, os.environ)
        return str(path), load(profile, os.environ), ()
    except ProfileError as error:
        return str(path), None, error.problems


def _print_problems(path: str, problems: tuple[Problem, ...]) -> None:
    from rich.markup import escape

    shown = table("", "FIELD", "PROBLEM")
    for one in problems:
        shown.add_row("[bold red]FAIL[/]", escape(one.where) or "-", escape(one.problem))
        if one.fix:
            shown.add_row("", "", f"[dim]→ {escape(one.fix)}[/]")
    terminal().print(escape(path), style="dim")
    terminal().print(shown)


def _print_profile(path: str, values: dict[str, Any]) -> None:
    from rich.markup import escape

    rows = table("FIELD", "VALUE")
    for field, value in values.items():
        inner = {f"{field}.{key}": one for key, one in value.items()} if isinstance(value, dict) else {field: value}
        for name, one in inner.items():
            text = ", ".join(one) if isinstance(one, list) else "-" if one is None else str(one)
            rows.add_row(name, escape(text))
    terminal().print(escape(path), style="dim")
    terminal().print(rows)
