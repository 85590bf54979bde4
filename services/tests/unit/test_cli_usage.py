"""Wrong usage, and help: said quickly and in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from typer.core import TyperGroup

from aegis.cli.main import app
from aegis_sdk.errors import Unavailable


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["up", "--nodes", "2"], "must be 1 or 3; see `aegis up --help`"),
        (["up", "--replay", "/nowhere"], "/nowhere"),
        (["up", "--codec", "xml"], "xml"),
        (["up", "--wall-clock", "--replay", "."], "a replay has the times of its file"),
        (["up", "--wall-clock", "--speed", "5"], "the real sessions have the speed of real time"),
        (["ps", "extra"], "unexpected extra argument"),
        (["call", "echo.say", "{"], "the request is not JSON"),
        (["call", "echo"], "is not written SERVICE.METHOD"),
        (["call", "echo.say", "--key", "K", "--instance", "echo-1"], "leave out --instance"),
        (["call", "echo.say", "--idempotency-key", "x"], "is for calls with --key"),
        (["handover", "accounts"], "Missing argument"),
        (["drain"], "Missing argument"),
        (["drain", "a-1", "--timeout", "0"], "--timeout"),
        (["ticks", "XSHG.rb"], "names no exchange"),
        (["snapshot", "XSHG.rb"], "names no exchange"),
        (["continuous"], "name a product"),
        (["contracts", "--main", "--expiry", "2026"], "goes with --exchange and --product only"),
        (["order", "place", "SHFE.rb2605", "hold", "1"], "not one of 'buy', 'sell'"),
        (["order", "place", "SHFE.rb2605", "sell", "1", "--", "-5"], "-5 is no price above 0"),
        (["order", "place", "SHFE.rb2605", "sell", "1", "cheap"], "cheap is no price above 0"),
        (["order", "place", "SHFE.rb2605", "sell", "1", "nan"], "nan is no price above 0"),
        (["order", "place", "rb2605", "sell", "1", "3000"], "INSTRUMENT: rb2605 is not written as SHFE.rb2605"),
        (["order", "list", "-i", "rb2605"], "rb2605 is not written as SHFE.rb2605"),
        (["positions", "shfe.rb2605"], "shfe.rb2605 is not written as SHFE.rb2605"),
        (["trading", "mode", "off"], "not one of 'normal', 'close_only'"),
        (["contracts", "--kind", "swap"], "is none of future, option"),
        (["contracts", "--expiry", "May"], "not the beginning of a day"),
        (["subscribe"], "name instruments"),
        (["subscribe", "--product", "rb", "--kind", "x"], "is none of future, option"),
        (["subscribe", "SHFE." + 130 * "x"], "is no instrument"),
        (["unsubscribe"], "or --all alone"),
        (["unsubscribe", "SHFE.rb2505", "--all"], "or --all alone"),
        (["subscriptions", "--state", "gone"], "is none of ticking, subscribed"),
    ],
)
def test_wrong_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        app(arguments, prog_name="aegis")
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith("aegis: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_check_of_health_that_cannot_run_ends_with_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_NATS_URL", "nats://127.0.0.1:1")
    with pytest.raises(SystemExit) as ended:
        app(["health"], prog_name="aegis")
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (3, "")
    assert err.startswith("aegis: the check could not run: ")


@pytest.mark.parametrize("arguments", [["--look", "0"], ["--nonsense"], ["extra"]])
def test_wrong_usage_of_a_check_of_health_is_not_critical(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """2 would say that the feed is."""
    with pytest.raises(SystemExit) as ended:
        app(["health", *arguments], prog_name="aegis")
    assert (ended.value.code, capsys.readouterr().out) == (3, "")


def test_a_check_of_health_that_fails_for_any_reason_ends_with_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 would say that the feed is degraded. With --json that is an object like all others."""

    def broken(*_: Any) -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [ValueError("no such thing")])])

    monkeypatch.setattr("aegis.cli.health.run", broken)
    monkeypatch.setattr("aegis.cli.health._once", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        app(["health", "--json", "--feed", "spare"], prog_name="aegis")
    out, err = capsys.readouterr()
    assert (ended.value.code, err.count("\n")) == (3, 1)
    assert "no such thing" in err
    told = json.loads(out)
    assert (told["feed"], told["level"], told["exit_code"]) == ("spare", "unknown", 3)
    assert [one["code"] for one in told["why"]] == ["check_failed"]


def test_of_errors_that_end_tasks_together_the_first_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ExceptionGroup("tasks", [ExceptionGroup("more", [Unavailable("nobody answers")])])

    monkeypatch.setattr(TyperGroup, "main", broken)
    with pytest.raises(SystemExit) as ended:
        app(["ps"], prog_name="aegis")
    assert (ended.value.code, capsys.readouterr().err) == (1, "aegis: unavailable: nobody answers\n")


def test_a_bare_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app([], prog_name="aegis")
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert "Begin with `aegis up`" in out


def test_help_needs_none_of_the_heavy_libraries() -> None:
    """They take most of a second; a person who asks for help does not wait for them."""
    program = "import sys, aegis.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"typer", "aegis"} <= set(loaded)
    assert not {"asyncio", "msgspec", "nats", "pydantic", "rich", "structlog", "uvloop"} & set(loaded)
