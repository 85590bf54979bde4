"""The commands, against one desk that is up with market data and an echo, and against none."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from desks import ECHO, Desk, desk_in, until

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import JSON, PICKLE
from aegis.operations import processes
from aegis_sdk import NatsTransport, subjects

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ticks"
MARKETDATA = {
    "service": "marketdata",
    "instance": "marketdata-1",
    "command": [sys.executable, "-m", "aegis.marketdata"],
    "environment": {"AEGIS_RATE": "500"},
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_in(tmp_path_factory.mktemp("desk"), [MARKETDATA, ECHO]) as made:
        made.up()
        yield made


@contextmanager
def market_data_alone(directory: Path, **environment: str) -> Iterator[Desk]:
    """A desk that is up in a third of the time, and down when this ends."""
    with desk_in(directory, [{**MARKETDATA, "environment": environment}]) as made:
        made.up()
        yield made
        assert made.aegis("down").returncode == 0


@pytest.fixture
def none(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path, None) as made:
        yield made


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


def remote(desk: Desk) -> dict[str, str]:
    """The environment of somebody who only knows the desk's NATS."""
    nats = desk.run.nats
    assert nats
    return {
        "AEGIS_HOME": "/nowhere",
        "AEGIS_NATS_URL": ",".join(nats.urls),
        "AEGIS_NATS_USER": nats.user,
        "AEGIS_NATS_PASSWORD_FILE": nats.password_file,
    }


def access(desk: Desk) -> dict[str, Any]:
    nats = desk.run.nats
    assert nats
    return {"servers": nats.urls, "user": nats.user, "password": Path(nats.password_file).read_text()}


def test_ps_tells_of_each_process(desk: Desk) -> None:
    found = read(desk.aegis("ps", "--json"))
    assert found["state"] == "UP"
    assert [row["name"] for row in found["processes"]] == ["supervisor", "nats", "marketdata-1", "echo-1"]
    for row in found["processes"]:
        assert processes.identify(row["pid"])
        assert row["memory_bytes"] > 2**20
        assert row["cpu_percent"] >= 0
        assert row["uptime_s"] > 0
    shown = desk.aegis("ps").stdout
    assert "marketdata-1" in shown
    assert "RUNNING" in shown


def test_services_and_their_methods_are_listed(desk: Desk) -> None:
    desk.aegis("call", "echo.say", '{"text": "no"}')
    found = {row["service"]: row for row in read(desk.aegis("services", "--json"))}
    assert {"status", "latest", "instruments"} <= {one["name"] for one in found["marketdata"]["methods"]}
    [say] = found["echo"]["methods"]
    assert found["echo"]["instances"] == 1
    assert say["errors"] >= 1
    assert say["mean_ms"] is not None


def test_instances_are_listed_also_from_elsewhere(desk: Desk) -> None:
    def seen() -> dict[str, Any]:
        [row] = read(desk.aegis("instances", "echo", "--json", **remote(desk)))
        return row

    row = seen()
    assert f"127.0.0.1:{row['metrics_port']}" in desk.aegis("instances", "echo").stdout
    assert (row["instance"], row["status"]) == ("echo-1", "ACTIVE")
    until(lambda: seen()["heartbeat_age_s"] < 2)


def test_a_call_prints_the_reply_as_json(desk: Desk) -> None:
    assert read(desk.aegis("call", "echo.say", '{"text": "你好"}')) == {"text": "你好"}
    assert read(desk.aegis("call", "echo.say", "-", "--instance", "echo-1", stdin='{"text": "b"}')) == {"text": "b"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["echo.say", '{"text": "no"}'], 'refused: it says no {"text": "no"}'),
        (["echo.say", "{}"], "invalid_request: not a valid Text"),
        (["echo.shout"], "unavailable: nobody serves rpc.echo.shout"),
        (["echo.say", "{}", "--instance", "echo-9"], "unavailable: nobody serves direct.echo.echo-9.say"),
    ],
)
def test_what_goes_wrong_with_a_call_is_one_line(desk: Desk, arguments: list[str], said: str) -> None:
    assert said in problem(desk.aegis("call", *arguments))


def test_an_instance_without_keys_cannot_be_drained(desk: Desk) -> None:
    assert "echo-1 cannot be drained: echo has no keys" in problem(desk.aegis("drain", "echo-1"))


def test_ticks_are_objects_for_programs(desk: Desk) -> None:
    done = desk.aegis("ticks", "SHFE.*", "IF*", "--count", "30", "--json")
    assert done.returncode == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 30
    assert {one["exchange"] for one in found} <= {"SHFE", "CFFEX"}
    assert "30 ticks of" in done.stderr


def test_every_tick_is_a_line_in_a_pipe(desk: Desk) -> None:
    done = desk.aegis("ticks", "rb*", "--count", "10", "--no-latest")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 10
    assert all(" SHFE.rb" in line for line in done.stdout.splitlines())
    assert "\033" not in done.stdout


def test_ctrl_c_ends_ticks_with_a_summary(desk: Desk) -> None:
    with desk.started("ticks") as ticks:
        assert ticks.stdout
        ticks.stdout.readline()
        ticks.send_signal(signal.SIGINT)
        _, err = ticks.communicate(timeout=30)
    assert ticks.returncode == 0
    assert "instruments in" in err
    assert err.count("\n") == 1


def test_ticks_end_quietly_when_nobody_reads_on(desk: Desk) -> None:
    with desk.started("ticks") as ticks:
        assert ticks.stdout
        assert ticks.stderr
        ticks.stdout.readline()
        ticks.stdout.close()
        assert ticks.wait(30) == 1
        assert ticks.stderr.read() == ""


def test_ticks_of_an_earlier_market_are_left_out(tmp_path: Path) -> None:
    """After a simulation, a replay in the same directory begins with its own instruments."""
    with market_data_alone(tmp_path, AEGIS_RATE="500") as simulated:
        assert read(simulated.aegis("ticks", "--json", "--count", "1"))["source"] == "simulated"
    recording = str(FIXTURES / "czce_day.csv")
    with market_data_alone(tmp_path, AEGIS_REPLAY=recording, AEGIS_SPEED="0") as replayed:
        assert read(replayed.aegis("ticks", "--json", "--count", "1"))["source"] == "replay:czce_day.csv"


async def test_what_is_no_tick_is_counted_and_pickle_is_none_on_a_desk_of_json(desk: Desk) -> None:
    [live] = desk.aegis("ticks", "rb*", "--count", "1", "--json").stdout.splitlines()
    good = Tick(**{**json.loads(live), "symbol": "zz1", "bids": (), "asks": ()})
    trap = PICKLE.encode(msgspec.structs.replace(good, symbol="trap"))
    transport = await NatsTransport.connect(**access(desk))
    try:
        with desk.started("ticks", "SHFE.zz1", "--no-latest", "--count", "3", "--json") as ticks:
            async with asyncio.timeout(30):
                while ticks.poll() is None:
                    transport.publish(subjects.tick("SHFE", "zz1"), b"nonsense")
                    transport.publish(subjects.tick("SHFE", "zz1"), trap, PICKLE.headers)
                    transport.publish(subjects.tick("SHFE", "zz1"), JSON.encode(good))
                    await asyncio.sleep(0.02)
            out, err = ticks.communicate()
    finally:
        await transport.close()
    assert [json.loads(line)["symbol"] for line in out.splitlines()] == ["zz1"] * 3
    assert err.startswith("3 ticks of 1 instrument in ")
    assert err.endswith(" messages could not be read as a tick\n")


def test_pickle_is_read_from_a_desk_that_writes_it(tmp_path: Path) -> None:
    with market_data_alone(tmp_path, AEGIS_CODEC="pickle", AEGIS_RATE="500") as desk:
        assert read(desk.aegis("ticks", "--json", "--count", "1"))["source"] == "simulated"
        assert read(desk.aegis("ticks", "--json", "--count", "1", "--no-latest"))["source"] == "simulated"


def test_a_program_joins_the_desk_by_what_env_prints(desk: Desk) -> None:
    variables = read(desk.aegis("env", "--json"))
    lines = desk.aegis("env").stdout.splitlines()
    assert lines == [f"export {name}={value}" for name, value in variables.items()]
    assert variables["AEGIS_NATS_REPLICAS"] == "1"
    elsewhere = {**variables, "AEGIS_HOME": "/nowhere"}
    assert read(desk.aegis("call", "marketdata.status", **elsewhere))["feed"] == "main"


def test_logs_of_all_processes_come_in_order(desk: Desk) -> None:
    done = desk.aegis("logs", "--json", "-n", "200")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"supervisor", "marketdata-1", "echo-1"} <= {line["process"] for line in lines}
    times = [line["timestamp"] for line in lines if line["timestamp"]]
    assert times == sorted(times)
    one = desk.aegis("logs", "echo")
    assert "service_started service=echo instance=echo-1" in one.stdout
    assert "Server is ready" in desk.aegis("logs", "nats").stdout
    assert "there is no log of 'nobody'" in problem(desk.aegis("logs", "nobody"))


def test_logs_are_followed(desk: Desk) -> None:
    with desk.started("logs", "echo", "-f", "-n", "0") as logs:
        assert logs.stdout
        path = desk.state.logs / "echo-1.log"

        def written_lines_arrive() -> bool:
            with path.open("a") as log:
                log.write('{"event": "followed", "level": "info", "timestamp": "2026-01-02T03:04:05Z"}\n')
            return (desk.state.path / "seen").exists()

        import threading

        def read_one() -> None:
            assert logs.stdout
            if "followed" in logs.stdout.readline():
                (desk.state.path / "seen").touch()

        reader = threading.Thread(target=read_one)
        reader.start()
        until(written_lines_arrive)
        reader.join()


def test_logs_of_a_desk_elsewhere_are_only_followed(desk: Desk) -> None:
    assert "add -f" in problem(desk.aegis("logs", **remote(desk)), 2)


def test_doctor_finds_a_healthy_desk(desk: Desk) -> None:
    found = read(desk.aegis("doctor", "--json"))
    assert found["healthy"] is True
    checks = {one["name"]: one["outcome"] for one in found["checks"]}
    assert checks["jetstream"] == checks["ticks"] == checks["echo-1"] == "OK"
    assert checks["nats"] in ("OK", "WARN")  # its answer is late on a busy machine


def test_doctor_says_what_is_wrong_where_there_is_no_nats(none: Desk) -> None:
    done = none.aegis("doctor", "--json", AEGIS_NATS_URL="nats://127.0.0.1:1")
    assert done.returncode == 1
    [nats] = [one for one in json.loads(done.stdout)["checks"] if one["outcome"] == "FAIL"]
    assert (nats["name"], "no NATS at nats://127.0.0.1:1" in nats["found"]) == ("nats", True)


@pytest.mark.parametrize("command", [["ps"], ["services"], ["ticks"]])
def test_without_a_desk_commands_say_how_to_start_one(none: Desk, command: list[str]) -> None:
    assert "start one with `aegis up`" in problem(none.aegis(*command))


def test_a_wrong_variable_is_named(none: Desk) -> None:
    assert "AEGIS_NATS_URL: " in problem(none.aegis("services", AEGIS_NATS_URL="http://x"))


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"AEGIS_RATE": "0"}, "AEGIS_RATE: "),
        ({"AEGIS_WALL_CLOCK": "1", "AEGIS_SPEED": "5"}, "wall_clock: "),
        ({"AEGIS_WALL_CLOCK": "1", "AEGIS_REPLAY": "/x"}, ": AEGIS_WALL_CLOCK is for the simulated market"),
        ({"AEGIS_ZONE": "a b"}, "AEGIS_ZONE: "),
        ({"AEGIS_REPLAY": "/nowhere"}, "/nowhere: No such file"),
    ],
)
@pytest.mark.parametrize("options", [[], ["-d"]])
def test_up_refuses_wrong_settings_before_anything_starts(
    none: Desk, options: list[str], environment: dict[str, str], said: str
) -> None:
    assert said in problem(none.aegis("up", *options, **environment), 2)
    assert not none.state.path.exists()


def test_up_refuses_a_file_that_is_no_recording(none: Desk, tmp_path: Path) -> None:
    (tmp_path / "ticks.csv").write_text("a,b,c\n1,2,3\n")
    assert "ticks.csv: " in problem(none.aegis("up", "--replay", str(tmp_path / "ticks.csv")), 2)
    assert not none.state.path.exists()


def test_up_keeps_to_the_variables_and_says_how_to_find_its_desk(tmp_path: Path) -> None:
    """Access to another NATS is no concern of a desk that brings its own."""
    with desk_in(tmp_path, [{**MARKETDATA, "environment": {"AEGIS_WANTED": "nothing"}}]) as made:
        made.environment |= {"AEGIS_CODEC": "msgpack", "AEGIS_SPEED": "7", "AEGIS_NATS_PASSWORD_FILE": "/nowhere"}
        home = made.environment.pop("AEGIS_HOME")
        up = made.aegis("up", "-d", *made.plan, "--directory", home)
        assert up.returncode == 0, up.stderr
        assert f"AEGIS_HOME={home} aegis down" in up.stdout
        made.environment |= {"AEGIS_HOME": home}
        assert read(made.aegis("call", "marketdata.status"))["codec"] == "msgpack"
        told = Path(f"/proc/{made.id_of('marketdata-1').pid}/environ").read_bytes().split(b"\0")
        assert b"AEGIS_SPEED=7" in told


def test_a_state_directory_that_cannot_be_made_is_one_line(none: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in problem_after_start(none.aegis("up", AEGIS_HOME=str(tmp_path / "file" / "home")))


def problem_after_start(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_versions_are_shown(none: Desk) -> None:
    assert read(none.aegis("version", "--json"))["aegis"]
