"""`aegis health --watch`: what it shows, and ends with, when its check fails on the way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from aegis.cli.health_source import Source
from aegis.cli.health_view import lines_of
from aegis.cli.main import app
from aegis.contracts.health import HealthReport
from aegis.marketdata.health.reports import report_of
from aegis.marketdata.health.watch import Watch
from aegis_sdk import clock
from aegis_sdk.errors import Unavailable
from aegis_sdk.transport import ConnectionState


def healthy() -> HealthReport:
    watch = Watch(cast("Any", SimpleNamespace(state=ConnectionState.CONNECTED)), *cast("Any", (None, None)), "main")
    watch._known_at = clock.now()  # pyright: ignore[reportPrivateUsage]  # market data has answered
    return report_of(watch, "main")


class Failing:
    """An agent that answers a few times. With its last answer, or failure, somebody presses Ctrl-C."""

    def __init__(self, *answers: HealthReport | Exception) -> None:
        self.answers = list(answers)

    async def report(self) -> HealthReport:
        answer = self.answers.pop(0)
        if not self.answers:
            os.kill(os.getpid(), signal.SIGINT)
        if isinstance(answer, Exception):
            raise answer
        return answer


def watched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], source: Failing, *options: str
) -> tuple[object, list[str]]:
    """Its exit code, and the lines that it wrote."""

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Failing]:
        yield source

    monkeypatch.setattr("aegis.cli.health.connect", opened)
    monkeypatch.setattr(Source, "open", opened)
    monkeypatch.setattr("aegis.cli.health._WATCH_S", 0.01)
    with pytest.raises(SystemExit) as ended:
        app(["health", "--watch", *options], prog_name="aegis")
    return ended.value.code, capsys.readouterr().out.splitlines()


def test_what_was_before_the_check_failed_is_not_what_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Failing(healthy(), Unavailable("nobody answers"), Unavailable("nobody answers"))
    code, lines = watched(monkeypatch, capsys, source)
    assert lines[0].startswith("main: HEALTHY")
    assert (code, lines[-1]) == (3, "main: UNKNOWN - nobody answers")


def test_what_is_listed_against_theory_is_named() -> None:
    report = healthy()
    universe = report.universe.model_copy(update={"missing": 1, "named_missing": ["SHFE.zz2505"], "not_listed": 0})
    lines = lines_of(report.model_copy(update={"universe": universe}))
    [at] = [number for number, line in enumerate(lines) if line.startswith("Futures: 0 listed, ")]
    assert lines[at + 1] == "  1 listed before, and no more: SHFE.zz2505"


def test_a_check_that_succeeds_again_says_how_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Failing(Unavailable("nobody answers"), healthy())
    code, lines = watched(monkeypatch, capsys, source, "--json")
    assert [json.loads(line)["level"] for line in lines] == ["unknown", "healthy"]
    assert code == 0
