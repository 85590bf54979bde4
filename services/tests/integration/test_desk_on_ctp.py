"""A desk on the simulated CTP counter, as `aegis up` starts it where that is built."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import desks
import pytest
from desks import until

from aegis.cli.feeds import feed_statuses
from aegis.contracts.marketdata import FeedStatus
from aegis.operations import processes
from aegis.operations.counter import is_built

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


class Desk(desks.Desk):
    """In a home directory of its own."""

    def __init__(self, home: Path) -> None:
        super().__init__(home / "desk", None)
        self.environment |= {"HOME": str(home), "TMPDIR": str(home)}

    def said(self, *words: str) -> str:
        done = self.aegis(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def feeds(self) -> list[FeedStatus]:
        """Whoever publishes first."""
        return self.asked(feed_statuses)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def desk(home: Path) -> Iterator[Desk]:
    made = Desk(home)
    try:
        made.up_by_command()
        yield made
        assert list(home.glob("aegis-ctp-*")), "where sessions keep their files"
        made.said("down")
    finally:
        made.close()
    assert not list(home.glob("aegis-ctp-*")), "nothing of a session is left"


def until_ready(desk: Desk) -> tuple[FeedStatus, FeedStatus]:
    """Whoever publishes, and the standby, once both feeds are ready."""
    found: list[FeedStatus] = []

    def are_ready() -> bool:
        found[:] = desk.feeds()
        return [(one.role, one.state) for one in found] == [("active", "ready"), ("standby", "ready")]

    until(are_ready)
    return found[0], found[1]


def test_a_desk_has_its_ticks_from_the_counter_also_after_that_was_killed(desk: Desk, home: Path) -> None:
    counter = desk.id_of("ctpsim")
    status, standby = until_ready(desk)
    assert (status.source, standby.source) == ("ctpsim.primary", "ctpsim.backup")
    assert status.wanted == status.subscribed > 500
    until(lambda: desk.feeds()[0].stored > 500)
    assert not (home / ".vntrader").exists(), "vnpy has written into the home directory"

    processes.send(counter, signal.SIGKILL)
    desk.until_running_anew("ctpsim", counter)
    sessions = {status.session, standby.session}

    def anew() -> int:
        """What was stored by those that have a new session and all that is wanted."""
        ready = [one for one in desk.feeds() if one.state == "ready" and one.session not in sessions]
        return sum(one.stored for one in ready if one.subscribed == status.wanted)

    until(lambda: anew() > 0)
    stored = anew()
    until(lambda: anew() > stored + 500)
    assert desk.process("marketdata-1").restarts == 0

    checks = json.loads(desk.said("doctor", "--ctp", "--profile", str(home / "desk/ctpsim/ctpsim.toml"), "--json"))
    assert checks["healthy"]
    assert [check["outcome"] for check in checks["checks"]] == ["OK"] * 14  # each login


def test_another_market_is_a_matter_of_an_option(desk: Desk, tmp_path: Path) -> None:
    """The desk of this test runs already; another directory is another desk."""
    other = Desk(tmp_path / "other")
    (tmp_path / "other").mkdir()
    try:
        other.up_by_command("--market", "simulated")
        assert "ctpsim" not in {one.name for one in other.run.processes}
        assert json.loads(other.said("feeds", "--json"))[0]["source"] == "simulated"
        other.said("down")
    finally:
        other.close()
    refused = other.aegis("up", "--market", "ctpsim", "--replay", ".")
    assert (refused.returncode, "markets of their own" in refused.stderr) == (2, True)
