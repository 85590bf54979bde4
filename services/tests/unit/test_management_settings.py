"""Where the management service may listen, and by which names browsers know it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tls_files import certified

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
    certificate, key = map(str, certified(tmp_path))
    assert settings(HOST=host, TLS_KEY=key, TLS_CERTIFICATE=certificate, ORIGINS="https://d.example.com").is_secure


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"HOST": "localhost"}, "HOST"),
        ({"PORT": "99999"}, "PORT"),
        ({"TLS_KEY": "/nowhere/key.pem"}, "TLS_KEY"),
        ({"TLS_KEY": "/nowhere/key.pem", "TLS_CERTIFICATE": "/nowhere/c.pem"}, "TLS_CERTIFICATE"),
        ({"ORIGINS": "desk.example.com"}, "ORIGINS"),
        ({"ORIGINS": "https://desk.example.com/path"}, "ORIGINS"),
        ({"ORIGINS": "https://desk.example.com:99999"}, "ORIGINS"),
        ({"PROXIES": "10.0.0.1, proxy.example.com"}, "PROXIES"),
        ({"PROXIES": "*"}, "PROXIES"),
        ({"PROXIES": "10.0.0.1/8"}, "PROXIES"),
        ({"BEHIND_TLS": "1", "ORIGINS": "https://desk.example.com"}, "PROXIES"),
        ({"CONSOLE": "/nowhere"}, "CONSOLE"),
        ({"NATS_MONITORS": "http://127.0.0.1:8222,http://user:secret@127.0.0.1:8223"}, "NATS_MONITORS"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"AEGIS_MANAGEMENT_{named}"):
        settings(**values)


def test_a_certificate_and_a_key_that_cannot_be_used_are_named_before_anything_starts(tmp_path: Path) -> None:
    """The web server would end with a traceback, or ask the terminal for a passphrase, behind the registration."""
    (certificate, key), (_, other) = certified(tmp_path), certified(tmp_path, "other")
    _, closed = certified(tmp_path, "closed", passphrase="secret")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    wrong = [
        (nothing, key, "TLS_CERTIFICATE.*no certificate in PEM"),
        (key, key, "TLS_CERTIFICATE.*no certificate in PEM"),
        (certificate, nothing, "TLS_KEY.*no key in PEM"),
        (certificate, other, "TLS_KEY.*not that of the certificate"),
        (certificate, closed, "TLS_KEY.*is encrypted"),
    ]
    for one, of, says in wrong:
        with pytest.raises(ConfigurationError, match=f"AEGIS_MANAGEMENT_{says}"):
            settings(TLS_CERTIFICATE=str(one), TLS_KEY=str(of))


def test_a_usual_port_is_left_out_of_an_origin_as_browsers_do() -> None:
    named = settings(ORIGINS="https://desk.example.com:443, http://desk.example.com:80, https://desk.example.com:80")
    assert named.origins == ("https://desk.example.com", "http://desk.example.com", "https://desk.example.com:80")
    assert settings(PORT="80").own_origins(80) == ("http://127.0.0.1", "http://localhost")
    assert settings(HOST="::1", PORT="80").own_origins(80) == ("http://[::1]", "http://localhost")


def test_proxies_are_addresses_and_networks() -> None:
    assert settings(PROXIES="10.0.0.1, fd00::/8").proxies == ("10.0.0.1", "fd00::/8")
