"""Instance records."""

import pytest
from pydantic import SecretStr, ValidationError

from aegis_sdk.instances import InstanceRecord, masked


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "NATS_PASSWORD",
        "client_secret",
        "api_key",
        "token",
        "AEGIS_TOKEN",
        "auth_code",
        "nkey",
        "accessToken",
        "apiKey",
        "access-token",
        "authCode",
    ],
)
def test_values_with_the_name_of_a_secret_are_masked(name: str) -> None:
    assert masked({name: "hunter2"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["user", "front", "tokens_per_second", "keys", "seedling", "shipping", "tokensPerSecond", "pinNumber"]
)
def test_other_values_are_shown(name: str) -> None:
    assert masked({name: "value"}) == {name: "value"}


def test_secrets_are_found_at_any_depth() -> None:
    configuration = {"ctp": {"password": "hunter2", "fronts": ["tcp://u:hunter2@x:1"]}, "key": SecretStr("hunter2")}
    assert masked(configuration) == {"ctp": {"password": "***", "fronts": ["tcp://***@x:1"]}, "key": "***"}


def test_a_secret_that_is_not_set_can_be_seen_to_be_missing() -> None:
    assert masked({"password": "", "other": SecretStr("")}) == {"password": "", "other": ""}


def test_each_record_is_an_incarnation_of_its_own() -> None:
    one, two = (InstanceRecord(service="quotes", instance="a") for _ in range(2))
    assert one.incarnation != two.incarnation


@pytest.mark.parametrize("field", ["service", "instance"])
def test_names_are_tokens(field: str) -> None:
    with pytest.raises(ValidationError):
        InstanceRecord.model_validate({"service": "quotes", "instance": "a", field: "*"})
