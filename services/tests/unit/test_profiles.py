"""A profile is complete, or refused with everything that is wrong with it, and never tells a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aegis.marketdata.bootstrap import build
from aegis.marketdata.endpoints import MarketData
from aegis.marketdata.settings import MarketDataSettings
from aegis.profiles import CtpLogin, CtpProfile, Problem, ProfileError, load, names
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.instances import InstanceRecord
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

SECRET = "hunter2-never-shown"
ENVIRONMENT = {"PASSWORD": SECRET, "CODE": "CODE-never-shown", "HOME": "/nowhere"}

COMPLETE = """
env = "live"
mode = "production"

[primary]
broker_id = "8000"
user_id = "123456"
password_env = "PASSWORD"
app_id = "client_aegis_1.0"
auth_code_env = "CODE"
market_fronts = ["tcp://10.0.0.1:41213", "tcp://10.0.0.2:41213"]
trader_fronts = ["tcp://10.0.0.1:41205"]
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "desk.toml"


def read(path: Path, text: str, environment: dict[str, str] = ENVIRONMENT) -> CtpProfile:
    path.write_text(text)
    return load(str(path), environment)


def problems(path: Path, text: str, environment: dict[str, str] = ENVIRONMENT) -> dict[str, Problem]:
    """By field. None of their words tells a secret."""
    with pytest.raises(ProfileError) as refused:
        read(path, text, environment)
    told = str(refused.value)
    for one in refused.value.problems:
        assert one.where in told
        assert one.fix
    for secret in environment.values():
        assert secret in ("", "/nowhere") or secret not in f"{told} {refused.value.problems!r}"
    return {one.where: one for one in refused.value.problems}


def with_lines(*lines: str, without: str = "") -> str:
    """The complete profile with more lines in [primary], and without those that begin with a word."""
    kept = [line for line in COMPLETE.splitlines() if not without or not line.startswith(without)]
    return "\n".join([*kept, *lines])


def test_drop_in_libraries_are_for_simulations_only(written: Path) -> None:
    simulated = COMPLETE.replace('"live"', '"sim"')
    assert read(written, simulated).libraries == ""
    assert read(written, f'libraries = "/opt/drop-in"\n{simulated}').libraries == "/opt/drop-in"
    environment = {**ENVIRONMENT, "LIBRARIES": "/opt/other"}
    assert read(written, f'libraries_env = "LIBRARIES"\n{simulated}', environment).libraries == "/opt/other"
    assert "not set" in problems(written, f'libraries_env = "NOWHERE"\n{simulated}')["libraries"].problem
    for form in ("libraries", "libraries_env"):
        refused = problems(written, f'{form} = "LIBRARIES"\n{COMPLETE}', environment)
        assert "env is live" in refused["libraries"].problem
    live = read(written, COMPLETE)
    with pytest.raises(ValidationError, match="own libraries"):
        CtpProfile.model_validate({**live.model_dump(), "libraries": "/opt/drop-in"})


def test_a_complete_profile_is_one_frozen_object(written: Path) -> None:
    profile = read(written, COMPLETE)
    login = profile.primary
    assert (profile.name, profile.env, profile.production, profile.backup) == ("desk", "live", True, None)
    assert (login.broker_id, login.user_id, login.app_id) == ("8000", "123456", "client_aegis_1.0")
    assert login.password.get_secret_value() == SECRET
    assert login.market_fronts == ("tcp://10.0.0.1:41213", "tcp://10.0.0.2:41213")
    with pytest.raises(ValidationError):
        login.user_id = "654321"  # pyright: ignore[reportAttributeAccessIssue]


def test_the_evaluation_mode_is_not_production(written: Path) -> None:
    assert not read(written, COMPLETE.replace('"production"', '"evaluation"')).production


def test_an_empty_profile_names_every_field_at_once(written: Path) -> None:
    assert [*problems(written, "[primary]")] == ["mode", "env", *(f"primary.{one}" for one in CtpLogin.model_fields)]


def test_all_kinds_of_problems_are_told_together(written: Path) -> None:
    text = with_lines('passwd = "x"', without="user_id").replace("8000", "80001234567").replace("live", "paper")
    found = problems(written, f"connection = 'relay'\nregion = 'north'\n{text}", {**ENVIRONMENT, "CODE": ""})
    assert {where: one.problem.split(":")[0] for where, one in found.items()} == {
        "connection": "is relay (中继), which is not supported",
        "region": "is not known",
        "env": found["env"].problem,
        "primary.broker_id": "has 11 bytes; CTP takes at most 10",
        "primary.user_id": "is missing",
        "primary.auth_code": "is missing",
        "primary.passwd": "is not known",
    }


@pytest.mark.parametrize(
    ("field", "limit"), [("broker_id", 10), ("user_id", 15), ("password", 40), ("app_id", 32), ("auth_code", 16)]
)
def test_a_value_longer_than_the_field_of_ctp_is_refused(field: str, limit: int, written: Path) -> None:
    """Its wrapper copies it without looking: the process would end."""
    text = with_lines(f'{field}_env = "LONG"', without=field)
    assert getattr(read(written, text, {**ENVIRONMENT, "LONG": "x" * limit}).primary, field)
    found = problems(written, text, {**ENVIRONMENT, "LONG": "x" * (limit + 1)})
    assert found[f"primary.{field}"].problem == f"has {limit + 1} bytes; CTP takes at most {limit}"


@pytest.mark.parametrize("value", ["", "密码", "a\nb", "a\x00b", " padded ", "x" * 400])
def test_nothing_that_ctp_cannot_hold_gets_into_a_login_that_is_built_by_hand(value: str) -> None:
    given: dict[str, Any] = dict.fromkeys(CtpLogin.model_fields, "x")
    given |= {"market_fronts": ("tcp://a:1",), "trader_fronts": ("tcp://a:1",)}
    CtpLogin(**given)
    for field in CtpLogin.model_fields:
        wrong = (value,) if field.endswith("fronts") else value
        with pytest.raises(ValidationError) as refused:
            CtpLogin(**{**given, field: wrong})
        assert len(value) < 3 or value not in str(refused.value)


@pytest.mark.parametrize(
    "front",
    ["tcp://10.0.0.1:41213", "ssl://front.example.com:41213", "tcp://[::1]:1", "socks5://10.0.0.9:1080/10.0.0.1:41213"],
)
def test_the_forms_of_a_front_that_ctp_knows_are_taken(front: str, written: Path) -> None:
    text = with_lines(f'market_fronts = "{front}"', without="market_fronts")
    assert read(written, text).primary.market_fronts == (front,)


@pytest.mark.parametrize(
    "front",
    [
        "10.0.0.1:41213",
        "tcp://10.0.0.1",
        "tcp://10.0.0.1:0",
        "tcp://10.0.0.1:70000",
        "tcp://10.0.0.1:41213/path",
        "udp://10.0.0.1:41213",
        "tcp://:41213",
        "socks5://user:never-shown@10.0.0.9:1080",
        f"tcp://{'x' * 100}:1",
    ],
)
def test_other_forms_of_a_front_are_refused_and_counted(front: str, written: Path) -> None:
    text = with_lines(f'market_fronts = ["tcp://10.0.0.1:1", "{front}"]', without="market_fronts")
    found = problems(written, text, {**ENVIRONMENT, "FRONT": "never-shown"})
    assert found["primary.market_fronts"].problem.endswith("(number 2)")


def test_no_front_and_too_many_are_refused(written: Path) -> None:
    for fronts in ([], ["tcp://a:1"] * 9):
        found = problems(written, with_lines(f"market_fronts = {fronts!r}", without="market_fronts"))
        assert found["primary.market_fronts"].problem == f"has {len(fronts)} addresses; 1 to 8 are wanted"


# Secrets


def test_a_secret_in_a_file_that_others_may_read_is_refused(written: Path) -> None:
    text = with_lines('password = "inline"', without="password")
    written.touch(0o644)
    assert problems(written, text)["primary.password"].fix.endswith(f"chmod 600 {written}")
    written.chmod(0o600)
    assert read(written, text).primary.password.get_secret_value() == "inline"


def test_the_public_code_of_simnow_is_no_secret(written: Path) -> None:
    text = with_lines(f'auth_code = "{"0" * 16}"', without="auth_code")
    written.touch(0o644)
    assert read(written, text).primary.auth_code.get_secret_value() == "0" * 16
    assert "primary.password" in problems(written, with_lines(f'password = "{"0" * 16}"', without="password"))


def test_a_secret_comes_from_a_private_file_beside_the_profile(written: Path) -> None:
    text = with_lines('password_file = "desk.password"', without="password")
    secret = written.with_suffix(".password")
    assert "cannot be read" in problems(written, text)["primary.password"].problem
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o640)
    assert "others may read" in problems(written, text)["primary.password"].problem
    secret.chmod(0o600)
    assert read(written, text).primary.password.get_secret_value() == SECRET


@pytest.mark.parametrize("content", [b"x" * 5_000, b"\xff\xfe"])
def test_what_is_no_secret_is_not_taken_for_one(content: bytes, written: Path) -> None:
    secret = written.with_suffix(".password")
    secret.touch(0o600)
    secret.write_bytes(content)
    found = problems(written, with_lines(f'password_file = "{secret}"', without="password"))
    assert [*found] == ["primary.password"]


def test_a_field_that_is_given_twice_is_refused(written: Path) -> None:
    found = problems(written, with_lines('user_id_env = "PASSWORD"'))
    assert found["primary.user_id"].problem == "is given 2 times: user_id, user_id_env"


def test_no_secret_is_shown(written: Path) -> None:
    profile = read(written, COMPLETE)
    record = InstanceRecord(
        service="marketdata",
        instance="m",
        configuration=MarketData(
            MarketDataSettings(profile="desk"), lambda _: pytest.fail("not started"), profile
        ).configuration(),
    )
    assert record.configuration["ctp"]["primary"]["user_id"] == "123456"  # pyright: ignore
    assert record.configuration["ctp"]["primary"]["password"] == "***"  # pyright: ignore
    for shown in (repr(profile), str(profile.primary), profile.model_dump_json(), record.model_dump_json()):
        assert not any(secret in shown for secret in (SECRET, "CODE-never-shown"))


# The backup


def test_a_backup_front_has_the_account_of_the_primary(written: Path) -> None:
    profile = read(written, COMPLETE + '[backup]\nmarket_fronts = ["tcp://b:1"]\ntrader_fronts = ["tcp://b:2"]')
    assert profile.backup
    assert profile.backup.market_fronts == ("tcp://b:1",)
    assert profile.backup.password == profile.primary.password


def test_a_backup_account_has_a_password_of_its_own(written: Path) -> None:
    assert [*problems(written, COMPLETE + '[backup]\nuser_id = "2"')] == ["backup.password"]
    profile = read(written, COMPLETE + '[backup]\nuser_id = "2"\npassword_env = "CODE"')
    assert profile.backup
    assert profile.backup.market_fronts == profile.primary.market_fronts


def test_a_backup_broker_takes_nothing_over(written: Path) -> None:
    found = problems(written, COMPLETE + '[backup]\nbroker_id = "9000"')
    assert [*found] == [f"backup.{field}" for field in CtpLogin.model_fields if field != "broker_id"]


def test_a_backup_that_is_the_primary_is_refused(written: Path) -> None:
    assert (
        "is no backup"
        in problems(written, COMPLETE + '[backup]\nuser_id = "123456"\npassword_env = "PASSWORD"')["backup"].problem
    )


def test_what_is_wrong_with_the_primary_is_not_told_of_the_backup_too(written: Path) -> None:
    text = COMPLETE.replace("8000", "x" * 11) + '[backup]\nmarket_fronts = ["tcp://b:1"]'
    assert [*problems(written, text, {"HOME": "/nowhere"})] == [
        "primary.broker_id",
        "primary.password",
        "primary.auth_code",
    ]


# Where profiles are


def test_ones_own_profile_goes_before_the_template_of_its_name(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "AEGIS_CONFIG_DIR": str(tmp_path), "SIMNOW_USER": "1", "SIMNOW_PASSWORD": "2"}
    assert load("simnow", environment).primary.broker_id == "9999"
    (tmp_path / "simnow.toml").write_text(COMPLETE)
    assert load("simnow", environment).primary.broker_id == "8000"


def test_profiles_are_looked_for_where_configuration_belongs(tmp_path: Path) -> None:
    place = tmp_path / "aegis" / "profiles"
    place.mkdir(parents=True)
    (place / "desk.toml").write_text(COMPLETE)
    environment = {**ENVIRONMENT, "XDG_CONFIG_HOME": str(tmp_path)}
    assert names(environment) == ["ctpsim", "desk", "simnow"]
    assert load("desk", environment).name == "desk"
    assert load("desk", {**ENVIRONMENT, "AEGIS_CONFIG_DIR": str(place)}).name == "desk"


@pytest.mark.parametrize("profile", ["nowhere", "/nowhere/desk.toml", "what is this", "../etc/passwd", ""])
def test_a_profile_that_is_not_there_is_one_problem(profile: str) -> None:
    with pytest.raises(ProfileError) as refused:
        load(profile, ENVIRONMENT)
    assert [one.where for one in refused.value.problems] == [""]


@pytest.mark.parametrize(
    "text", ["env = ", "env = 1\nmode = []\nprimary = 3", "[primary]\n[backup]", "backup = 1", "[primary.password]"]
)
def test_whatever_a_file_holds_is_told_as_problems(text: str, written: Path) -> None:
    assert problems(written, text)


def test_the_templates_are_complete_once_their_variables_are_set() -> None:
    for name in ("simnow", "ctpsim"):
        with pytest.raises(ProfileError) as refused:
            load(name, {"HOME": "/nowhere"})
        wanted = [one.fix.removeprefix("export ").removesuffix("=...") for one in refused.value.problems]
        values = {one: "tcp://127.0.0.1:1,tcp://127.0.0.1:2" if "FRONT" in one else "1" for one in wanted}
        assert load(name, {"HOME": "/nowhere", **values}).env == "sim"


# The market data service's setting


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AEGIS_REPLAY", "ticks.csv"),
        ("AEGIS_WALL_CLOCK", "1"),
        ("AEGIS_SEED", "7"),
        ("AEGIS_RATE", "100"),
        ("AEGIS_SPEED", "10"),
    ],
)
def test_a_profile_excludes_other_sources(variable: str, value: str) -> None:
    assert MarketDataSettings.from_environment({"AEGIS_PROFILE": "simnow"}).profile == "simnow"
    with pytest.raises(ConfigurationError, match=f"{variable} is for other sources"):
        MarketDataSettings.from_environment({"AEGIS_PROFILE": "simnow", variable: value})


@pytest.mark.parametrize(("stall_s", "held"), [(1, 132_000), (15, 180_000), (60, 630_000), (3_600, 1_000_000)])
async def test_a_standby_holds_what_comes_while_a_front_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stall_s: float, held: int
) -> None:
    """At 10,000 a second, until the silence is a stall, and its own turn has come."""
    made: list[int] = []
    monkeypatch.setattr("aegis.marketdata.bootstrap.Pipeline", lambda *_, held_size, **__: made.append(held_size))
    (tmp_path / "desk.toml").write_text(COMPLETE)
    environment = {
        **ENVIRONMENT,
        "AEGIS_NATS_URL": "nats://127.0.0.1:1",
        "AEGIS_PROFILE": str(tmp_path / "desk.toml"),
        "AEGIS_CTP_STALL_S": str(stall_s),
    }
    build(environment)._build(MemoryTransport(MemoryBroker())).make_pipeline(lambda *_: None)
    assert made == [held]
