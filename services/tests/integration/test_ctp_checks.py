"""`aegis doctor --ctp` at a counter that does not let it in: which step fails, and what to do about it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ctp_counter import shared_counter
from typer.testing import CliRunner

from aegis.cli import ctp_checks
from aegis.cli.main import app
from aegis.ctp.failures import Kind
from aegis.marketdata.adapters.ctp.watched import Limits
from aegis.operations.counter import is_built
from aegis.profiles.writing import write_profile
from aegis_sdk.server import ports

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


RESERVED = ports.Reserved()


def nowhere() -> str:
    """Where nobody will listen."""
    [port] = RESERVED.pick(1)
    return f"tcp://{ports.HOST}:{port}"


@pytest.mark.parametrize(
    ("wrong", "step", "cause", "kind", "reached"),
    [
        ({"password": "wrong"}, "log in at the trader front", "the counter says (error 3): ", Kind.CREDENTIALS, True),
        ({"auth_code": "wrong"}, "authenticate", "the counter says (error 63): ", Kind.CREDENTIALS, True),
        ({"trader_fronts": nowhere()}, "connect to the trader front", "no answer for 1 s", Kind.NOT_READY, False),
    ],
)
def test_a_login_that_fails_names_its_step_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wrong: dict[str, str],
    step: str,
    cause: str,
    kind: Kind,
    reached: bool,
) -> None:
    monkeypatch.setattr(ctp_checks, "Limits", lambda: Limits(answer_s=10.0 if reached else 1.0))
    counter, profile = shared_counter(), tmp_path / "wrong.toml"
    write_profile(profile, counter.libraries, {**counter.login(), **wrong})
    done = CliRunner().invoke(app, ["doctor", "--ctp", "--profile", str(profile), "--json"])
    assert done.exit_code == 1, done.output
    said = json.loads(done.stdout)
    *before, failed = said["checks"]
    assert said["healthy"] is False
    assert {one["outcome"] for one in before} <= {"OK"}
    assert any(one["found"].startswith("connect to the trader front: ") for one in before) is reached, before
    assert (failed["name"], failed["outcome"]) == ("ctp primary", "FAIL")
    assert failed["found"].startswith(f"could not {step}: {cause}")
    assert failed["todo"] == ctp_checks._TODO[kind]
    assert counter.users[0].password not in done.output
    assert "wrong" not in done.output.replace(str(profile), "")
