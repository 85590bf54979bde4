"""Where the management service may listen, and by which names browsers know it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.management.settings import ManagementSettings
from aegis_sdk.errors import ConfigurationError


def settings(**values: str) -> ManagementSettings:
    return ManagementSettings.from_environment({f"AEGIS_MANAGEMENT_{name}": value for name, value in values.items()})


def test_without_settings_it_is_on_the_loopback_alone() -> None:
    usual = settings()
    assert (usual.host, usual.port, usual.is_secure) == ("127.0.0.1", 8420, False)
    assert usual.own_origins(8420) == ("http://127.0.0.1:8420", "http://localhost:8420")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_another_address_needs_tls_and_a_name(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not the loopback"):
        settings(HOST=host)
    with pytest.raises(ConfigurationError, match="is not the loopback"):
        settings(HOST=host, ORIGINS="https://desk.example.com")
    with pytest.raises(ConfigurationError, match="AEGIS_MANAGEMENT_ORIGINS"):
        settings(HOST=host, BEHIND_TLS="1", PROXIES="10.0.0.1")
    origins = "https://desk.example.com, https://b.example.com:8443"
    behind = settings(HOST=host, BEHIND_TLS="1", PROXIES="10.0.0.1", ORIGINS=origins)
    assert behind.own_origins(8420) == ("https://desk.example.com", "https://b.example.com:8443")
    assert behind.is_secure
    key = tmp_path / "key.pem"
    key.touch()
    assert settings(HOST=host, TLS_KEY=str(key), TLS_CERTIFICATE=str(key), ORIGINS="https://d.example.com").is_secure


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HOST": "localhost"}, "HOST"),
        ({"PORT": "99999"}, "PORT"),
        ({"TLS_KEY": "/nowhere/key.pem"}, "TLS_KEY"),
        ({"TLS_KEY": "/nowhere/key.pem", "TLS_CERTIFICATE": "/nowhere/c.pem"}, "TLS_CERTIFICATE"),
        ({"ORIGINS": "desk.example.com"}, "ORIGINS"),
        ({"ORIGINS": "https://desk.example.com/path"}, "ORIGINS"),
        ({"BEHIND_TLS": "1", "ORIGINS": "https://desk.example.com"}, "PROXIES"),
        ({"CONSOLE": "/nowhere"}, "CONSOLE"),
        ({"NATS_MONITORS": "http://127.0.0.1:8222,http://user:secret@127.0.0.1:8223"}, "NATS_MONITORS"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"AEGIS_MANAGEMENT_{named}"):
        settings(**values)
