"""Errors carry data, and those of a call arrive as what they were raised as."""

import inspect
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk import errors
from aegis_sdk.errors import (
    AegisError,
    ConfigurationError,
    InternalError,
    Rejected,
    RpcError,
    StreamError,
    error_from_wire,
)

RPC_ERRORS = [
    found
    for found in vars(errors).values()
    if inspect.isclass(found) and issubclass(found, RpcError) and found != RpcError
]
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class PriceOutOfBand(Rejected):
    """An error of a user of the SDK."""

    code = "price_out_of_band"


def over_the_wire(error: RpcError) -> RpcError:
    return error_from_wire(msgspec.json.decode(msgspec.json.encode(error.to_wire())))


@pytest.mark.parametrize("kind", [*RPC_ERRORS, PriceOutOfBand])
def test_every_error_of_a_call_arrives_as_its_own_class(kind: type[RpcError]) -> None:
    arrived = over_the_wire(kind("no", limit=5, names=["a"]))
    assert type(arrived) is kind
    assert (arrived.message, arrived.details) == ("no", {"limit": 5, "names": ["a"]})
    assert (arrived.code, arrived.status, arrived.retryable) == (kind.code, kind.status, kind.retryable)


@given(st.text(max_size=20), st.dictionaries(st.text(min_size=1, max_size=8), _json, max_size=4))
def test_any_message_and_details_survive(message: str, details: dict[str, Any]) -> None:
    error = Rejected(message)
    error.details = details
    arrived = over_the_wire(error)
    assert (arrived.message, arrived.details) == (message or "rejected", details)


def test_only_what_changed_nothing_may_be_retried() -> None:
    retryable = {kind.__name__ for kind in RPC_ERRORS if kind.retryable}
    assert retryable == {"Overloaded", "Unavailable", "Draining", "Suspended", "Moved", "NotExecuted"}


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in RPC_ERRORS]
    assert len(codes) == len(set(codes))


def test_a_code_that_is_not_known_here_is_a_rejection_that_names_it() -> None:
    arrived = error_from_wire({"code": "margin_call", "message": "no", "retryable": True, "details": {"account": "A1"}})
    assert type(arrived) is Rejected
    assert not arrived.retryable
    assert arrived.details == {"account": "A1", "code": "margin_call"}


@pytest.mark.parametrize("body", [{}, {"message": "?"}, {"code": "internal", "details": "not an object"}])
def test_a_body_that_says_little_is_an_internal_error(body: dict[str, Any]) -> None:
    arrived = error_from_wire(body)
    assert type(arrived) is InternalError
    assert arrived.details == {}


def test_an_error_without_a_message_says_its_code() -> None:
    assert str(PriceOutOfBand()) == "price_out_of_band"


def test_a_subclass_without_a_code_of_its_own_does_not_take_that_of_its_parent() -> None:
    class TooLate(Rejected):
        pass

    assert type(over_the_wire(TooLate("no"))) is Rejected


def test_every_error_has_the_one_root() -> None:
    for name in errors.__all__:
        found = getattr(errors, name)
        assert not inspect.isclass(found) or issubclass(found, AegisError)


def test_a_setting_is_named_with_its_problem() -> None:
    error = ConfigurationError("port", "99999 is not 0 to 65535")
    assert (error.field, error.problem) == ("port", "99999 is not 0 to 65535")
    assert str(error) == "port: 99999 is not 0 to 65535"


def test_a_refusal_of_jetstream_carries_its_code() -> None:
    error = StreamError("wrong last sequence: 5", 10071)
    assert (error.code, error.description) == (10071, "wrong last sequence: 5")
    assert str(error) == "wrong last sequence: 5 (err_code 10071)"
    assert str(StreamError("refused")) == "refused"


def test_the_table_of_the_module_names_every_error_and_status() -> None:
    table = errors.__doc__ or ""
    for name in errors.__all__:
        found = getattr(errors, name)
        if inspect.isclass(found):
            line = next((line for line in table.splitlines() if name in line.split()), None)
            assert line, name
            assert not (issubclass(found, RpcError) and found != RpcError) or str(found.status) in line
