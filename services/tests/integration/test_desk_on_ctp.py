"""A desk on the simulated CTP counter, as `aegis up` starts it where that is built."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.operations.counter import is_built

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

AEGIS = str(Path(sys.executable).with_name("aegis"))


class Desk:
    def __init__(self, home: Path) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
            "AEGIS_HOME": str(home / "desk"),
            "HOME": str(home),
            "TMPDIR": str(home),
        }
        self._home = home

    def aegis(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [AEGIS, *words], env=self._environment, cwd=self._home, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def processes(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in json.loads(self.aegis("ps", "--json"))["processes"]}

    def feeds(self) -> list[dict[str, Any]]:
        """Whoever publishes first."""
        return json.loads(self.aegis("feeds", "--json"))

    def status(self) -> dict[str, Any]:
        return self.feeds()[0]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Desk]:
    made = Desk(home)
    made.aegis("up", "-d")
    yield made
    assert list(home.glob("aegis-ctp-*")), "where sessions keep their files"
    made.aegis("down")
    assert not list(home.glob("aegis-ctp-*")), "nothing of a session is left"


def until(holds: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)


def test_a_desk_has_its_ticks_from_the_counter_also_after_that_was_killed(desk: Desk, home: Path) -> None:
    counter = desk.processes()["ctpsim"]
    until(lambda: desk.status()["role"] == "active")
    until(lambda: [one["state"] for one in desk.feeds()] == ["ready", "ready"])
    status, standby = desk.feeds()
    assert (status["role"], status["source"]) == ("active", "ctpsim.primary")
    assert (standby["role"], standby["source"]) == ("standby", "ctpsim.backup")
    assert status["wanted"] == status["subscribed"] > 500
    until(lambda: desk.status()["stored"] > 500)
    assert not (home / ".vntrader").exists(), "vnpy has written into the home directory"

    os.kill(counter["pid"], signal.SIGKILL)
    until(lambda: desk.processes()["ctpsim"]["pid"] not in (counter["pid"], None))
    sessions = {status["session"], standby["session"]}

    def anew() -> int:
        """What was stored by those that have a new session and all that is wanted."""
        ready = [one for one in desk.feeds() if one["state"] == "ready" and one["session"] not in sessions]
        return sum(one["stored"] for one in ready if one["subscribed"] == status["wanted"])

    until(lambda: anew() > 0)
    stored = anew()
    until(lambda: anew() > stored + 500)
    assert desk.processes()["marketdata-1"]["restarts"] == 0

    checks = json.loads(desk.aegis("doctor", "--ctp", "--profile", str(home / "desk/ctpsim/ctpsim.toml"), "--json"))
    assert checks["healthy"]
    assert [check["outcome"] for check in checks["checks"]] == ["OK"] * 14  # each login


def test_another_market_is_a_matter_of_an_option(desk: Desk, tmp_path: Path) -> None:
    """The desk of this test runs already; another directory is another desk."""
    other = Desk(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.aegis("up", "-d", "--market", "simulated")
    try:
        assert "ctpsim" not in other.processes()
        assert other.status()["source"] == "simulated"
    finally:
        other.aegis("down")
    assert "markets of their own" in other_problem(other, "--market", "ctpsim", "--replay", ".")


def other_problem(desk: Desk, *words: str) -> str:
    done = subprocess.run([AEGIS, "up", *words], env=desk._environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    return done.stderr
