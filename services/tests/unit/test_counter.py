"""The simulated CTP counter of a desk: what is written down for it and for whoever logs in there."""

from __future__ import annotations

import json
import stat
from itertools import pairwise
from pathlib import Path

import pytest

from aegis.operations.counter import Counter
from aegis.profiles import load


@pytest.fixture
def counter(tmp_path: Path) -> Counter:
    made = Counter(tmp_path / "ctpsim", ((24_001, 24_002), (24_003, 24_004)))
    made.write()
    return made


def test_market_data_can_log_in_where_the_counter_listens(counter: Counter) -> None:
    profile = load(counter.environment()["AEGIS_PROFILE"], {})
    users = json.loads((counter.directory / "users.json").read_text())
    assert profile.env == "sim"
    assert profile.backup is not None
    for login, user, ports in zip((profile.primary, profile.backup), users, counter.fronts, strict=True):
        market, trader = ports
        assert login.market_fronts == (f"tcp://127.0.0.1:{market}",)
        assert login.trader_fronts == (f"tcp://127.0.0.1:{trader}",)
        assert {
            "broker_id": login.broker_id,
            "user_id": login.user_id,
            "password": login.password.get_secret_value(),
            "app_id": login.app_id,
            "auth_code": login.auth_code.get_secret_value(),
        } == user
    command = counter.service().command
    assert ("--requests-per-s", "500") in pairwise(command), "it bounds them, as a broker does"
    assert command[-8:] == ("--port", "24001", "--port", "24002", "--port", "24003", "--port", "24004")


def test_nobody_else_may_read_it_and_no_secret_is_in_a_command(counter: Counter) -> None:
    assert stat.S_IMODE(counter.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in counter.directory.iterdir()} == {0o600}
    users = json.loads((counter.directory / "users.json").read_text())
    told = " ".join((*counter.service().command, *counter.environment().values()))
    assert not [user for user in users if user["password"] in told or user["auth_code"] in told]


def test_each_desk_has_secrets_of_its_own(counter: Counter) -> None:
    before = (counter.directory / "users.json").read_text()
    counter.write()
    assert (counter.directory / "users.json").read_text() != before
