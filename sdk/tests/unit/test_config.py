"""Settings from the environment: complete or refused, naming the variable; secrets never shown."""

from pathlib import Path

import pytest

from aegis_sdk.config import Settings
from aegis_sdk.errors import ConfigurationError

NATS = {"AEGIS_NATS_URL": "nats://127.0.0.1:4222"}


def test_defaults_need_only_an_address() -> None:
    settings = Settings.from_environment(NATS)
    assert settings.nats_url == ("nats://127.0.0.1:4222",)
    assert (settings.nats_replicas, settings.zone, settings.weight, settings.instance) == (1, "local", 100, "")


def test_several_addresses_are_separated_by_commas_and_get_the_default_port() -> None:
    settings = Settings.from_environment({"AEGIS_NATS_URL": "nats://a:1, tls://b , c"})
    assert settings.nats_url == ("nats://a:1", "tls://b:4222", "nats://c:4222")


def test_a_password_may_come_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame\n")
    settings = Settings.from_environment({**NATS, "AEGIS_NATS_PASSWORD_FILE": str(file)})
    assert settings.nats_password.get_secret_value() == "open sesame"
    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AEGIS_NATS_URL", ""),
        ("AEGIS_NATS_URL", "http://a"),
        ("AEGIS_NATS_URL", "nats://user:secret@a"),
        ("AEGIS_NATS_REPLICAS", "2"),
        ("AEGIS_NATS_REPLICAS", "three"),
        ("AEGIS_INSTANCE", "a.b"),
        ("AEGIS_ZONE", "a b"),
        ("AEGIS_WEIGHT", "0"),
        ("AEGIS_TIMERS", "hasty"),
        ("AEGIS_WEIGHT", "heavy"),
        ("AEGIS_NATS_PASSWORD_FILE", "/nonexistent/password"),
    ],
)
def test_a_wrong_setting_is_named(variable: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment({**NATS, variable: value})
    assert refused.value.field == variable
    assert "secret" not in str(refused.value)
