"""Settings of the trading service: accounts, their venues and their profiles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from aegis.contracts.trading import order_key
from aegis.profiles.writing import write_profile
from aegis.trading.adapters.ctp import CtpVenue
from aegis.trading.bootstrap import build
from aegis.trading.settings import TradingSettings
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    made = MemoryTransport(MemoryBroker())
    yield made
    await made.close()


def written(path: Path, text: str) -> dict[str, str]:
    file = path / "accounts.toml"
    file.write_text(text)
    return {"AEGIS_ACCOUNTS": str(file), "AEGIS_NATS_URL": "nats://127.0.0.1:4222"}


def test_without_a_file_there_is_one_paper_account() -> None:
    settings = TradingSettings.from_environment({})
    assert settings.groups == {"paper": ("paper",)}
    assert settings.accounts["paper"].risk.tick_feeds == ["sim/main"]


def test_accounts_of_a_group_are_one_key(tmp_path: Path) -> None:
    text = """
    [accounts.A1]
    env = "paper"
    group = "desk"
    [accounts.A2]
    env = "paper"
    group = "desk"
    [accounts.A3]
    env = "paper"
    """
    assert TradingSettings.from_environment(written(tmp_path, text)).groups == {"desk": ("A1", "A2"), "A3": ("A3",)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[accounts.A1]\nenv = 'fun'", "A1.env"),
        ("[accounts.A1]\nenv = 'live'", "paper venue"),
        ("[accounts.'A 1']\nenv = 'paper'", "A 1"),
        ("[accounts.A1]\nenv = 'paper'\n[accounts.A1.risk]\ncollar = 2", "risk.collar"),
        ("[accounts.A1]\nenv = 'paper'\ngroup = 'A2'\n[accounts.A2]\nenv = 'paper'", "in none"),
        ("[account.A1]\nenv = 'paper'", "beside"),
        ("[accounts.A1]\nenv = 'sim'\nvenue = 'ctp'", "has a profile"),
        ("[accounts.A1]\nenv = 'paper'\nprofile = 'simnow'", "nobody else has"),
        ("accounts = ", "no TOML"),
        ("", "at least 1"),
    ],
)
def test_a_wrong_accounts_file_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_ACCOUNTS") as refused:
        TradingSettings.from_environment(written(tmp_path, text))
    assert problem in str(refused.value)


LOGIN = {
    "broker_id": "9999",
    "user_id": "100001",
    "password": "never-shown",
    "app_id": "client_test_1.0",
    "auth_code": "0000000000000000",
    "market_fronts": "tcp://127.0.0.1:1",
    "trader_fronts": "tcp://127.0.0.1:2",
}


def at_ctp(path: Path, account: str = "100001", env: str = "sim") -> Mapping[str, str]:
    """Accounts of which two are at CTP, and two on paper."""
    write_profile(path / "one.toml", path, LOGIN)
    write_profile(path / "two.toml", path, {**LOGIN, "user_id": "100002"})
    text = f"""
    [accounts]
    P1 = {{ env = "paper" }}
    P2 = {{ env = "paper" }}
    {account} = {{ env = "{env}", venue = "ctp", profile = "{path / "one.toml"}" }}
    100002 = {{ env = "sim", venue = "ctp", profile = "{path / "two.toml"}" }}
    """
    return written(path, text)


async def test_each_account_at_ctp_has_a_venue_of_its_own_which_logs_in_by_its_profile(
    tmp_path: Path, transport: MemoryTransport
) -> None:
    service = build(at_ctp(tmp_path))
    assert service.settings.venues == {"paper": ("P1", "P2"), "ctp-100001": ("100001",), "ctp-100002": ("100002",)}
    service.transport = transport
    await service.on_start()
    try:
        venues = service.acting.venues
        assert venues["P1"] is venues["P2"]
        assert isinstance(venues["100001"], CtpVenue)
        assert venues["100001"] is not venues["100002"]
        assert [service.acting.can_void(account) for account in venues] == [True, True, False, False]
        assert "never-shown" not in str(service.configuration())
    finally:
        await service.on_stop()


@pytest.mark.parametrize(("account", "env"), [("100003", "sim"), ("100001", "live")])
def test_a_profile_of_another_account_or_env_is_refused(tmp_path: Path, account: str, env: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{account} \({env}\) is not the account of the profile one"):
        build(at_ctp(tmp_path, account, env))


def test_a_venue_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="known venues: ctp, paper"):
        build(written(tmp_path, "[accounts.A1]\nenv = 'sim'\nvenue = 'ctpp'"))


def test_an_order_s_idempotency_key_tells_accounts_apart() -> None:
    assert order_key("a", "1") != order_key("b", "1")
    assert len(order_key("a" * 32, "b" * 32)) <= 128
