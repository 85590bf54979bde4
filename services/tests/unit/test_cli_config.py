"""`aegis config`, and `aegis up --profile`: what is wrong is said before anything starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.cli.main import app
from aegis.operations.plan import DeskOptions, ServicePlan, plan
from aegis.operations.withholding import withhold


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("AEGIS_PROFILE", raising=False)
    monkeypatch.setenv("SIMNOW_USER", "123456")
    monkeypatch.setenv("SIMNOW_PASSWORD", "never-shown")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str, str]:
    with pytest.raises(SystemExit) as ended:
        app([*arguments], prog_name="aegis")
    return (ended.value.code, *capsys.readouterr())


def test_a_complete_profile_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "config", "check", "simnow")
    assert code == 0
    assert "is complete, with a backup" in out
    code, out, _ = said(capsys, "config", "check", "simnow", "--json")
    assert (code, json.loads(out)["complete"], json.loads(out)["problems"]) == (0, True, [])


def test_all_that_is_wrong_is_listed_with_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SIMNOW_USER")
    monkeypatch.setenv("SIMNOW_PASSWORD", "never-shown" * 10)
    monkeypatch.setenv("AEGIS_PROFILE", "simnow")
    code, out, _ = said(capsys, "config", "check")
    assert code == 1
    assert "→ export SIMNOW_USER=..." in out
    assert "has 110 bytes; CTP takes at most 40" in out
    code, shown, _ = said(capsys, "config", "check", "--json")
    assert [one["where"] for one in json.loads(shown)["problems"]] == ["primary.user_id", "primary.password"]
    assert (code, said(capsys, "config", "show")[0]) == (1, 1)
    assert "never-shown" not in out + shown


def test_a_profile_is_shown_without_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, "config", "show", "simnow")
    _, shown, _ = said(capsys, "config", "show", "simnow", "--json")
    assert json.loads(shown)["primary"]["user_id"] == "123456"
    assert json.loads(shown)["backup"]["password"] == "***"
    assert "tcp://182.254.243.31:30011" in out
    assert "never-shown" not in out + shown


def test_without_a_profile_those_that_there_are_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "config", "check")
    assert code == 2
    assert "there are: ctpsim, simnow" in err


def test_a_desk_is_not_started_with_an_incomplete_profile(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SIMNOW_USER")
    monkeypatch.delenv("SIMNOW_PASSWORD")
    code, _, err = said(capsys, "up", "--profile", "simnow", "--directory", str(tmp_path / "desk"))
    assert code == 2
    assert "SIMNOW_USER" in err
    assert "SIMNOW_PASSWORD" in err
    assert not (tmp_path / "desk").exists()


@pytest.mark.parametrize("other", [["--replay", "."], ["--wall-clock"], ["--speed", "2"]])
def test_a_profile_excludes_other_sources(capsys: pytest.CaptureFixture[str], other: list[str]) -> None:
    code, _, err = said(capsys, "up", "--profile", "simnow", *other)
    assert code == 2
    assert "a CTP front has its own times" in err


def test_only_market_data_is_told_the_profile() -> None:
    told = [
        one.service for one in plan(DeskOptions(directory="d", profile="simnow")) if "AEGIS_PROFILE" in one.environment
    ]
    assert told == ["marketdata"]


def test_what_a_profile_refers_to_is_told_to_no_other_process() -> None:
    ours = {"SIMNOW_USER": "1", "SIMNOW_PASSWORD": "never-shown", "PATH": "/bin", "HOME": "/nowhere"}
    other = ServicePlan(service="echo", instance="echo-1", command=("echo",))
    services = withhold([*plan(DeskOptions(directory="d", profile="simnow")), other], ours)
    assert ours == {"PATH": "/bin", "HOME": "/nowhere"}
    assert {one.service for one in services if "SIMNOW_PASSWORD" in one.environment} == {"marketdata"}


def test_what_the_profiles_of_accounts_refer_to_only_trading_is_told(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text("accounts.1 = { env = 'sim', venue = 'ctp', profile = 'simnow' }")
    secrets = {"SIMNOW_USER": "1", "SIMNOW_PASSWORD": "never-shown"}
    ours = {**secrets, "AEGIS_ACCOUNTS": str(file), "HOME": "/nowhere"}
    services = withhold(plan(DeskOptions(directory="d")), ours)
    assert ours == {"AEGIS_ACCOUNTS": str(file), "HOME": "/nowhere"}
    told = {one.instance for one in services if "SIMNOW_PASSWORD" in one.environment}
    assert told == {"trading-1", "trading-2"}
    both = withhold(plan(DeskOptions(directory="d", profile="simnow")), {**ours, **secrets})
    assert {one.service for one in both if "SIMNOW_PASSWORD" in one.environment} == {"marketdata", "trading"}
    file.write_text("accounts = ")
    assert withhold(plan(DeskOptions(directory="d")), ours) == plan(DeskOptions(directory="d")), "trading will say why"


def test_without_a_profile_nothing_is_withheld() -> None:
    ours = {"SIMNOW_PASSWORD": "kept", "HOME": "/nowhere"}
    services = plan(DeskOptions(directory="d"))
    assert (withhold(services, ours), ours) == (services, {"SIMNOW_PASSWORD": "kept", "HOME": "/nowhere"})
