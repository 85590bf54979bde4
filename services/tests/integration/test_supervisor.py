"""What `aegis up` keeps running, against real processes that are killed."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from desks import ECHO, Desk, desk_in, until
from nats import connect

from aegis.contracts.marketdata import STATUS, FeedStatus
from aegis.operations import logfiles, processes
from aegis.operations.processes import ProcessId
from aegis.operations.state import DeskState, Process, ProcessState, RunFile
from aegis_sdk import Client, Empty, NatsTransport
from aegis_sdk.server import ports
from aegis_sdk.transport import StreamConfig

CRASHING = {"service": "bad", "instance": "bad-1", "command": [sys.executable, "-c", "exit('no luck')"]}
STUBBORN = {**ECHO, "environment": {"ECHO_STUBBORN": "1"}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path, [ECHO]) as made:
        yield made


@asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[NatsTransport]:
    nats = desk.run.nats
    assert nats
    transport = await NatsTransport.connect(
        nats.urls, user=nats.user, password=desk.state.password_file.read_text(), connect_timeout=30
    )
    try:
        yield transport
    finally:
        await transport.close()


def one_line(text: str) -> str:
    assert text.count("\n") == 1
    return text


def test_a_desk_comes_up_in_five_seconds_and_goes_down_services_first(desk: Desk) -> None:
    """In five seconds once of three times: a machine that stands still meanwhile makes any desk late."""
    took_s: list[float] = []
    while len(took_s) < 3 and min(took_s, default=5) >= 5:
        done = desk.aegis("up", "-d", *desk.plan)
        assert done.returncode == 0
        assert "everything is ready" in done.stdout
        assert "aegis ticks" in done.stdout
        assert desk.run.state is DeskState.UP
        assert desk.run.processes[-1].since
        took_s.append(desk.run.processes[-1].since - desk.run.started_at)
        ids = desk.all_ids()
        down = desk.aegis("down")
        assert down.returncode == 0
        assert down.stdout.index("echo-1") < down.stdout.index("nats")
        assert not any(map(processes.is_alive, ids))
        assert not desk.state.run_file.exists()
        assert not desk.state.password_file.exists()
    assert min(took_s) < 5


def test_only_its_owner_may_read_what_it_writes(desk: Desk) -> None:
    desk.up()
    assert desk.state.path.stat().st_mode & 0o777 == 0o700
    assert desk.state.run_file.stat().st_mode & 0o777 == 0o600
    assert desk.state.password_file.stat().st_mode & 0o777 == 0o600
    written = list(desk.state.path.rglob("*"))
    assert {"jetstream", "supervisor.log", "echo-1.log"} <= {path.name for path in written}
    assert [path for path in written if path.exists() and path.stat().st_mode & 0o077] == []
    for one in desk.all_ids():
        shown = b"".join(Path(f"/proc/{one.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        assert desk.state.password_file.read_bytes() not in shown


def test_being_run_twice_is_no_error(desk: Desk) -> None:
    desk.up()
    supervisor = desk.run.supervisor
    again = desk.aegis("up", *desk.plan)
    assert again.returncode == 0
    assert "up already, since" in one_line(again.stdout)
    assert str(supervisor.pid) in again.stdout
    assert desk.run.supervisor == supervisor


def test_a_killed_service_is_started_again(desk: Desk) -> None:
    desk.up()
    old = desk.id_of("echo-1")
    processes.send(old, signal.SIGKILL)
    now = desk.until_running_anew("echo-1", old)
    assert (now.restarts, now.last_exit) == (1, "killed by SIGKILL")


async def test_what_the_supervisor_says_is_published_as_a_log(desk: Desk) -> None:
    desk.up()
    said: asyncio.Queue[bytes] = asyncio.Queue()
    async with connected(desk) as transport:
        await transport.subscribe("log.supervisor.*", lambda message: said.put_nowait(message.payload))
        await transport.flush()
        processes.send(desk.id_of("echo-1"), signal.SIGKILL)
        async with asyncio.timeout(30):
            while b"echo-1: ended: killed by SIGKILL" not in await said.get():
                pass  # said earlier, and heard late


async def test_a_killed_nats_server_is_back_on_its_port_with_what_it_stored(desk: Desk) -> None:
    desk.up()
    nats = desk.run.nats
    async with connected(desk) as transport:
        await transport.ensure_stream(StreamConfig(name="KEPT", subjects=["kept"]))
        await transport.append("kept", b"1")
        old = desk.id_of("nats")
        processes.send(old, signal.SIGKILL)
        now = await asyncio.to_thread(desk.until_running_anew, "nats", old)
        assert now.restarts == 1
        assert desk.run.nats == nats
        await transport.wait_connected(30)
        assert await transport.last_sequence("KEPT") == 1


def test_what_crashes_too_often_is_given_up_and_the_rest_goes_on(tmp_path: Path) -> None:
    with desk_in(tmp_path, [ECHO, CRASHING]) as desk:
        up = desk.aegis("up", "-d", *desk.plan)
        assert up.returncode == 1
        assert "given up after 5 crashes" in up.stdout
        assert "no luck" in up.stdout
        assert "not ready: bad-1" in up.stdout
        assert desk.process("bad-1").state is ProcessState.FAILED
        assert desk.process("bad-1").restarts == 4
        assert desk.aegis("call", "echo.say", '{"text": "still here"}').stdout == '{"text": "still here"}\n'


@pytest.mark.parametrize(
    ("command", "environment", "said"),
    [
        (ECHO["command"], {"AEGIS_WEIGHT": "0"}, "configuration: AEGIS_WEIGHT: "),
        (
            [sys.executable, "-m", "aegis.marketdata"],
            {"AEGIS_REPLAY": "/nowhere"},
            "configuration: /nowhere: No such file",
        ),
    ],
    ids=["when it is built", "when it starts"],
)
def test_a_service_that_refuses_its_configuration_is_given_up_at_once(
    tmp_path: Path, command: list[str], environment: dict[str, str], said: str
) -> None:
    refusing = {"service": "refusing", "instance": "refusing-1", "command": command, "environment": environment}
    with desk_in(tmp_path, [ECHO, refusing]) as desk:
        up = desk.aegis("up", "-d", *desk.plan)
        assert up.returncode == 1
        assert "given up: its configuration is wrong" in up.stdout
        assert said in up.stdout
        assert desk.process("refusing-1").restarts == 0
        assert desk.process("echo-1").state is ProcessState.RUNNING


def test_up_ends_with_1_when_something_was_given_up(tmp_path: Path) -> None:
    with desk_in(tmp_path, [CRASHING]) as desk, desk.started("up", *desk.plan) as up:
        until(lambda: desk.process("bad-1").state is ProcessState.FAILED)
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 1


def test_ctrl_c_ends_an_attached_desk_in_order(desk: Desk) -> None:
    with desk.started("up", *desk.plan) as up:
        until(lambda: desk.run.state is DeskState.UP)
        ids = desk.all_ids()
        up.send_signal(signal.SIGINT)
        out, err = up.communicate(timeout=30)
    assert (up.returncode, err) == (0, "")
    assert out.index("echo-1          stopped") < out.index("nats            stopped")
    assert not any(map(processes.is_alive, ids))


def test_a_second_ctrl_c_kills_at_once(tmp_path: Path) -> None:
    with desk_in(tmp_path, [{**STUBBORN, "stop_deadline_s": 60}]) as desk, desk.started("up", *desk.plan) as up:
        until(lambda: desk.run.state is DeskState.UP)
        ids = desk.all_ids()
        up.send_signal(signal.SIGINT)
        until(lambda: desk.process("echo-1").state is ProcessState.STOPPING)
        up.send_signal(signal.SIGINT)
        up.wait(30)
        assert not any(map(processes.is_alive, ids))


def test_what_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    with desk_in(tmp_path, [{**STUBBORN, "stop_deadline_s": 0.3}]) as desk:
        desk.up()
        stubborn = desk.id_of("echo-1")
        assert desk.aegis("down").returncode == 0
        assert not processes.is_alive(stubborn)
        assert "did not stop within 0.3 s" in (desk.state.logs / "supervisor.log").read_text()


def test_down_says_so_when_the_end_takes_longer_than_it_waits(tmp_path: Path) -> None:
    with desk_in(tmp_path, [{**STUBBORN, "stop_deadline_s": 60}]) as desk:
        desk.up()
        down = desk.aegis("down", "--timeout", "0.2")
        assert down.returncode == 1
        assert "still stopping after 0.2 s" in one_line(down.stderr)
        up = desk.aegis("up", *desk.plan)
        assert up.returncode == 1
        assert "just stopping" in one_line(up.stderr)


def test_nothing_survives_a_killed_supervisor_and_up_works_again(desk: Desk) -> None:
    desk.up()
    ids = desk.all_ids()
    processes.send(desk.run.supervisor, signal.SIGKILL)
    assert all(processes.wait_gone(one, 30) for one in ids)
    assert "was killed" in one_line(desk.aegis("ps").stderr)
    desk.up()
    assert desk.process("echo-1").state is ProcessState.RUNNING


@pytest.mark.parametrize("command", ["up", "down"])
def test_remains_of_a_killed_desk_are_ended_and_no_one_else(desk: Desk, command: str) -> None:
    """A pid that another process has by now is left alone."""
    sleepers = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    try:
        left, other = (processes.identify(one.pid) for one in sleepers)
        assert left
        assert other
        desk.state.create()
        desk.state.write(
            RunFile(
                supervisor=ProcessId(left.pid, "boot:1"),
                started_at=0,
                processes=[
                    Process(name="left-1", process=left),
                    Process(name="other-1", process=ProcessId(other.pid, "boot:1")),
                ],
            )
        )
        said = [note.process for note in desk.up()] if command == "up" else desk.aegis("down").stdout
        assert "left-1" in said
        assert sleepers[0].wait(30) == -signal.SIGTERM
        assert processes.is_alive(other)
        assert (desk.state.read() is None) == (command == "down")
    finally:
        for one in sleepers:
            one.kill()
            one.wait()


def test_down_without_a_desk_is_no_error(desk: Desk) -> None:
    down = desk.aegis("down")
    assert (down.returncode, down.stdout) == (0, "No desk runs here.\n")


@pytest.mark.parametrize("options", [[], ["-d"]])
def test_a_port_in_use_is_said_in_one_line(desk: Desk, options: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        up = desk.aegis("up", *desk.plan, "--port", str(port), *options)
    assert up.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in one_line(up.stderr)
    assert not desk.state.run_file.exists()


def test_a_given_port_is_the_port(desk: Desk) -> None:
    reserved = ports.Reserved()
    [port] = reserved.pick(1)
    desk.up(port=port)
    assert desk.run.nats
    assert desk.run.nats.urls == [f"nats://127.0.0.1:{port}"]
    reserved.release()


def test_a_node_of_a_cluster_that_is_killed_comes_back(desk: Desk) -> None:
    desk.up(nodes=3)
    assert [one.name for one in desk.run.processes] == ["nats-1", "nats-2", "nats-3", "echo-1"]
    old = desk.id_of("nats-2")
    processes.send(old, signal.SIGKILL)
    desk.until_running_anew("nats-2", old)
    assert desk.process("nats-1").restarts == 0


async def test_market_data_on_a_cluster_is_on_all_nodes_and_outlives_one(tmp_path: Path) -> None:
    with desk_in(tmp_path, None) as desk:
        desk.up(nodes=3)

        async def status(transport: NatsTransport) -> FeedStatus:
            return await Client(transport).call(STATUS, Empty())

        def stored() -> int:
            return desk.asked(status).stored

        await asyncio.to_thread(until, stored)
        nats = desk.run.nats
        assert nats
        password = desk.state.password_file.read_text()
        client = await connect(nats.urls, user=nats.user, password=password)
        try:
            streams = {one.config.name: one.config.num_replicas for one in await client.jetstream().streams_info()}
        finally:
            await client.close()
        assert {"TICKS", "EVENTS", "KV_aegis_instances"} <= streams.keys()
        assert set(streams.values()) == {3}

        service, old = desk.id_of("marketdata-1"), desk.id_of("nats-2")
        before = await asyncio.to_thread(stored)
        processes.send(old, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: stored() > before + 100)
        desk.until_running_anew("nats-2", old)
        assert desk.id_of("marketdata-1") == service


def test_a_desk_outlives_the_terminal_that_shows_it(desk: Desk) -> None:
    with desk.started("up", *desk.plan) as up:
        until(lambda: desk.run.state is DeskState.UP)
        assert up.stdout
        up.stdout.close()
        old = desk.id_of("echo-1")
        processes.send(old, signal.SIGKILL)
        desk.until_running_anew("echo-1", old)
        assert up.poll() is None


def test_a_desk_goes_on_when_its_run_file_cannot_be_written(desk: Desk) -> None:
    desk.up()
    (desk.state.path / ".desk.json.new").mkdir()  # in its way, as a full disk would be
    old = desk.id_of("echo-1")
    processes.send(old, signal.SIGKILL)
    log = desk.state.logs / "supervisor.log"
    until(lambda: "echo-1: ready again" in log.read_text())
    (desk.state.path / ".desk.json.new").rmdir()
    processes.send(desk.id_of("nats"), signal.SIGKILL)
    until(lambda: desk.process("echo-1").restarts == 1)


def test_a_desk_goes_on_when_a_log_cannot_be_rotated(desk: Desk) -> None:
    desk.up()
    (desk.state.logs / "echo-1.log.1").mkdir()
    with (desk.state.logs / "echo-1.log").open("ab") as log:
        log.truncate(logfiles.MAX_BYTES + 1)
    said = (desk.state.logs / "supervisor.log").read_text
    until(lambda: "echo-1.log cannot be rotated" in said())
    old = desk.id_of("echo-1")
    processes.send(old, signal.SIGKILL)
    desk.until_running_anew("echo-1", old)
    assert said().count("cannot be rotated") == 1


def test_a_run_file_that_is_no_run_file_is_none(desk: Desk) -> None:
    desk.state.create()
    desk.state.run_file.write_bytes(msgspec.json.encode({"pid": 1}))
    desk.up()
