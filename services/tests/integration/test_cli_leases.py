"""The commands for single-active services, against instances that are processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import forked
import pytest
from desks import AEGIS, until

from aegis_sdk import NatsTransport
from aegis_sdk.lease_view import LeaseView
from aegis_sdk.testing import nats_server_thread

COUNTER = Path(__file__).with_name("counter_service.py")
KEYS = ["K1", "K2", "K3"]

T = TypeVar("T")


class Counters:
    """Instances of one service, and the commands of somebody who knows the way to their NATS."""

    def __init__(self, environment: dict[str, str], service: str, stack: ExitStack) -> None:
        self.environment = environment
        self.service = service
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = stack

    def start(self, *instances: str) -> None:
        """Start instances and wait until somebody holds all keys, and they are known."""
        for instance in instances:
            process = subprocess.Popen(
                [sys.executable, COUNTER],
                env=self.environment | {"COUNTER": self.service, "AEGIS_INSTANCE": instance},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.processes[instance] = process
            self._stack.callback(_ended, process)
        until(lambda: self.known() >= set(instances) and self.states() == ["ACTIVE"] * 3)

    def aegis(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.run(arguments, self.environment)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on; its output is read by the test."""
        process = subprocess.Popen(
            [*AEGIS, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def known(self) -> set[str]:
        """Who could hold a key."""
        return asyncio.run(self._seen(lambda view: set(view.takers(self.service, ""))))

    def rows(self) -> list[dict[str, Any]]:
        return asyncio.run(self._seen(LeaseView.rows))

    async def _seen(self, look: Callable[[LeaseView], T]) -> T:
        """What the commands would see, in a fraction of their time."""
        transport = await NatsTransport.connect(
            [self.environment["AEGIS_NATS_URL"]],
            user=self.environment["AEGIS_NATS_USER"],
            password=self.environment["AEGIS_NATS_PASSWORD"],
        )
        try:
            async with LeaseView.open(transport, self.service) as view:
                return look(view)
        finally:
            await transport.close()

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows()]

    def holder(self, key: str) -> str:
        return next(row["holder"] for row in self.rows() if row["key"] == key)

    def has_stalled(self, key: str, count: int) -> bool:
        done = self.aegis("call", f"{self.service}.stalls", "{}", "--key", key)
        return done.returncode == 0 and json.loads(done.stdout)["total"] >= count

    def other(self, instance: str) -> str:
        return next(one for one in self.processes if one != instance)


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def read(done: subprocess.CompletedProcess[str]) -> Any:
    """The one JSON document that a command printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def problem(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The one line in which a command said what is wrong."""
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("aegis: ")
    return done.stderr


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Of somebody who knows the way to a server of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")}
    with nats_server_thread() as access:
        yield kept | {
            "AEGIS_HOME": "/nowhere",
            "AEGIS_NATS_URL": access.url,
            "AEGIS_NATS_USER": access.user,
            "AEGIS_NATS_PASSWORD": access.password,
        }


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with environment() as made:
        yield made


@pytest.fixture(scope="module")
def counters(server: dict[str, str]) -> Iterator[Counters]:
    """Two healthy instances, which no test harms."""
    with ExitStack() as stack:
        made = Counters(server, "counter", stack)
        made.start("counter-1", "counter-2")
        yield made


@pytest.fixture
def few(server: dict[str, str], request: pytest.FixtureRequest) -> Iterator[Counters]:
    """A service of one test."""
    with ExitStack() as stack:
        yield Counters(server, f"c{abs(hash(request.node.name))}", stack)


# Leases


def test_leases_tell_who_holds_which_key(counters: Counters) -> None:
    rows = read(counters.aegis("leases", "counter", "--json"))
    assert [(row["service"], row["key"], row["state"]) for row in rows] == [("counter", key, "ACTIVE") for key in KEYS]
    for row in rows:
        assert row["holder"] in counters.processes
        assert row["epoch"] == row["sequence"] > 0
        assert (row["last_holder"], row["successor"]) == (None, None)
    shown = counters.aegis("leases").stdout.splitlines()
    assert shown[0].split() == ["SERVICE", "KEY", "HOLDER", "EPOCH", "STATE", "SINCE", "LAST", "GAP"]
    assert [line.split()[:5] for line in shown[1:] if line.startswith("counter ")] == [
        ["counter", row["key"], row["holder"], str(row["epoch"]), "ACTIVE"] for row in rows
    ]


def test_leases_of_a_service_without_keys_are_none(counters: Counters) -> None:
    assert read(counters.aegis("leases", "nobody", "--json")) == []
    assert counters.aegis("leases", "nobody").stdout == "No key of nobody has ever had a holder.\n"


def test_a_desk_without_a_ledger_says_so_in_one_line() -> None:
    with environment() as none, ExitStack() as stack:
        nobody = Counters(none, "counter", stack)
        for arguments in (["leases"], ["leases", "--watch"]):
            done = nobody.aegis(*arguments)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout == "This desk has no ledger: no single-active service has run here yet.\n"
        assert read(nobody.aegis("leases", "--json")) == []
        assert "this desk has no ledger" in problem(nobody.aegis("handover", "counter", "K1"))
        assert "no instance counter-1 is alive" in problem(nobody.aegis("drain", "counter-1"))


def test_leases_are_watched_until_ctrl_c(counters: Counters) -> None:
    began = counters.holder("K1")
    with counters.started("leases", "counter", "--watch", "--json") as watch:
        assert watch.stdout
        assert json.loads(watch.stdout.readline())[0]["holder"] == began
        assert counters.aegis("handover", "counter", "K1").returncode == 0
        last: dict[str, Any] = {}
        while (last.get("state"), last.get("holder")) != ("ACTIVE", counters.other(began)):
            last = json.loads(watch.stdout.readline())[0]
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=30)
    assert watch.returncode == 0


def test_a_key_is_lost_while_its_holder_does_not_live(few: Counters) -> None:
    """Stopped, it neither says so nor is anybody there to take its keys."""
    few.start("alone-1")
    assert "nobody but alone-1 is there to take" in problem(few.aegis("handover", few.service, "K1"))
    assert "nobody else of" in problem(few.aegis("drain", "alone-1"))
    few.processes["alone-1"].send_signal(signal.SIGSTOP)
    until(lambda: few.states() == ["LOST"] * 3)
    assert few.rows()[0]["holder"] == "alone-1"
    assert "alone-1, which held" in problem(few.aegis("handover", few.service, "K1"))
    few.processes["alone-1"].send_signal(signal.SIGCONT)
    until(lambda: few.states() == ["ACTIVE"] * 3)
    few.processes["alone-1"].terminate()
    assert few.processes["alone-1"].wait(30) == 0
    assert [(row["state"], row["holder"], row["last_holder"]) for row in few.rows()] == [
        ("VACANT", None, "alone-1")
    ] * 3
    assert "nobody holds" in problem(few.aegis("handover", few.service, "K1"))


# Handover


def test_a_key_is_handed_over(counters: Counters) -> None:
    giver, taker = (holder := counters.holder("K2")), counters.other(holder)
    before = next(row for row in counters.rows() if row["key"] == "K2")
    done = read(counters.aegis("handover", "counter", "K2", "--json"))
    assert (done["from"], done["holder"]) == (giver, taker)
    assert done["epoch"] > before["epoch"]
    assert 0 < done["ms"] < 5_000
    [row] = [row for row in counters.rows() if row["key"] == "K2"]
    assert (row["holder"], row["epoch"], row["state"], row["gap_ms"]) == (taker, done["epoch"], "ACTIVE", None)
    said = counters.aegis("handover", "counter", "K2", "--to", giver).stdout
    assert re.fullmatch(rf"counter/K2 went from {taker} to {giver} in \d+ ms, epoch \d+\n", said)
    said = counters.aegis("handover", "counter", "K2", "--to", giver).stdout
    assert f"counter/K2 is held by {giver} already" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["counter", "K9"], "counter has no key K9, but K1, K2, K3"),
        (["nobody", "K1"], "nobody has no keys; `aegis leases` shows who has"),
        (["counter", "K1", "--to", "counter-9"], "no instance counter-9 of counter is alive; counter-"),
    ],
)
def test_a_handover_that_cannot_be_says_why(counters: Counters, arguments: list[str], said: str) -> None:
    assert said in problem(counters.aegis("handover", *arguments))


# Drain


def test_a_drained_instance_gives_all_keys_away_and_takes_none(few: Counters) -> None:
    few.start("leaving-1")
    few.start("staying-1")
    done = read(few.aegis("drain", "leaving-1", "--json"))
    assert [(one["key"], one["holder"]) for one in done["keys"]] == [(key, "staying-1") for key in KEYS]
    assert done["left"] == []
    until(lambda: few.states() == ["ACTIVE"] * 3)
    said = few.aegis("drain", "leaving-1").stdout
    assert re.fullmatch(r"leaving-1 is drained after \d+\.\d s: it held no key\. It takes none .*\n", said)
    assert "nobody but staying-1 is there" in problem(few.aegis("handover", few.service, "K1"))


def test_a_drain_that_is_not_over_in_time_tells_what_is_left(few: Counters) -> None:
    """A key at work is given away when the work is done."""
    few.start("leaving-1")
    few.start("staying-1")
    stall = ("call", f"{few.service}.stall", "{}", "--key", "K3", "--timeout")
    with few.started(*stall, "30"):
        until(lambda: few.has_stalled("K3", 1))
        done = few.aegis("drain", "leaving-1", "--timeout", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("2 of 3 keys of leaving-1 are held by others\n")
    assert done.stderr.endswith("after 3 s 1 of 3 keys are not held by others: K3 (ACTIVE, leaving-1)\n")


def test_an_instance_that_is_not_there_is_not_drained(counters: Counters) -> None:
    assert "no instance counter-9 is alive" in problem(counters.aegis("drain", "counter-9"))


# Maintenance


def test_an_instance_in_maintenance_gives_its_keys_and_takes_none_until_it_is_released(few: Counters) -> None:
    few.start("away-1")
    assert "nobody else of" in problem(few.aegis("maintenance", "away-1")), "its keys would be left"
    few.start("here-1")
    said = few.aegis("maintenance", "away-1").stdout
    assert re.fullmatch(r"away-1 is in maintenance until it is released: 0 calls at work, \d keys to give\n", said)
    until(lambda: [(row["holder"], row["state"]) for row in few.rows()] == [("here-1", "ACTIVE")] * 3)
    assert "nobody but here-1 is there" in problem(few.aegis("handover", few.service, "K1"))
    assert few.aegis("maintenance", "away-1", "--release").stdout.startswith("away-1 is released")
    until(lambda: few.known() == {"away-1", "here-1"})
    done = read(few.aegis("maintenance", "away-1", "--release", "--service", few.service, "--json"))
    assert done == {"instance": "away-1", "on": False, "at_work": 0, "keys": 0}
    assert "no instance away-9 is alive" in problem(few.aegis("maintenance", "away-9"))


# Calls


def test_a_call_with_a_key_reaches_its_active_instance(counters: Counters) -> None:
    done = counters.aegis("call", "counter.add", '{"amount": 2}', "--key", "K3")
    total = read(done)["total"]
    [row] = [row for row in counters.rows() if row["key"] == "K3"]
    said = re.fullmatch(r"OK in epoch (\d+), journal entry \d+, idempotency key ([0-9a-f]{32})\n", done.stderr)
    assert said, done.stderr
    assert int(said[1]) == row["epoch"]
    again = ("--key", "K3", "--idempotency-key", said[2])
    assert read(counters.aegis("call", "counter.add", '{"amount": 2}', *again)) == {"total": total}
    assert "negative: it only counts up" in problem(
        counters.aegis("call", "counter.add", '{"amount": -1}', "--key", "K3")
    )


def test_a_call_that_was_not_executed_ends_with_3(counters: Counters) -> None:
    arguments = ("call", "counter.add", "{}", "--key", "K9", "--timeout", "0.3")
    said = problem(counters.aegis(*arguments), 3)
    assert "NOT EXECUTED: " in said
    assert "This call had no effect: call again" in said


def test_that_a_call_was_not_executed_says_nothing_of_an_earlier_one(counters: Counters) -> None:
    arguments = ("call", "counter.add", "{}", "--key", "K9", "--timeout", "0.3", "--idempotency-key", "mine")
    said = problem(counters.aegis(*arguments), 3)
    assert "call again" not in said
    assert "add --idempotency-key mine" in said


def test_a_call_with_an_unknown_outcome_ends_with_4_and_says_how_to_ask_again(counters: Counters) -> None:
    said = problem(counters.aegis("call", "counter.stall", "{}", "--key", "K3", "--timeout", "1.5"), 4)
    assert "UNKNOWN: " in said
    assert "do not repeat it as new" in said
    [name] = re.findall(r"--idempotency-key ([0-9a-f]{32})$", said)
    again = ("call", "counter.stall", "{}", "--key", "K3", "--idempotency-key", name)
    until(lambda: counters.aegis(*again).returncode == 0)
    assert read(counters.aegis(*again)) == {"total": -1}


def test_a_call_that_is_interrupted_ends_with_4_and_says_how_to_ask_again(few: Counters) -> None:
    few.start("one-1")
    stall = ("call", f"{few.service}.stall", "{}", "--key", "K2", "--idempotency-key", "stopped", "--timeout", "30")
    with few.started(*stall) as call:
        until(lambda: few.has_stalled("K2", 1))
        call.send_signal(signal.SIGINT)
        out, err = call.communicate(timeout=30)
    assert (call.returncode, out, err.count("\n")) == (4, "", 1)
    assert "add --idempotency-key stopped" in err
