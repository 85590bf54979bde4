"""Payloads: what is encoded is decoded again, and what cannot be is an error of ours."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aegis_sdk.codec import decode_json, decode_model, encode_json, encode_model
from aegis_sdk.errors import CodecError, InvalidRequest

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


class Leg(BaseModel):
    symbol: str
    volume: int


class Order(BaseModel):
    account: str
    price: float | None = None
    legs: list[Leg] = []


_orders = st.builds(
    Order,
    account=st.text(max_size=10),
    price=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    legs=st.lists(st.builds(Leg, symbol=st.text(max_size=8), volume=st.integers(-(2**63), 2**63 - 1)), max_size=3),
)


@given(_json)
def test_plain_data_survives(value: Any) -> None:
    assert decode_json(encode_json(value)) == value


@given(_orders)
def test_a_model_survives(order: Order) -> None:
    assert decode_model(Order, encode_model(order)) == order


def test_nothing_is_an_empty_payload() -> None:
    assert encode_model(None) == b""
    assert decode_json(b"") is None


def test_an_empty_payload_is_a_model_without_fields_given() -> None:
    class Filter(BaseModel):
        limit: int = 10

    assert decode_model(Filter, b"") == Filter(limit=10)


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}.__iter__()}, {"key": object}, {(1, 2): 3}])
def test_what_json_cannot_say_is_an_error_of_ours(value: Any) -> None:
    with pytest.raises(CodecError):
        encode_json(value)


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"nul", b"1 2", b"[1,]"])
def test_what_is_not_json_is_an_error_of_ours(payload: bytes) -> None:
    with pytest.raises(CodecError):
        decode_json(payload)


def test_a_number_that_is_none_is_null() -> None:
    assert encode_json([math.nan, math.inf]) == b"[null,null]"


def test_each_field_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_model(Order, b'{"legs": [{"symbol": "rb2510", "volume": "many"}], "price": []}')
    problems = caught.value.details["problems"]
    assert {problem["field"] for problem in problems} == {"account", "legs.0.volume", "price"}
    assert all(problem["problem"] for problem in problems)
    assert "Order" in caught.value.message


def test_what_was_sent_is_not_repeated_in_the_error() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_model(Order, b'{"account": 1, "price": "my secret"}')
    assert "my secret" not in str(caught.value.to_wire())


def test_the_number_of_problems_told_is_bounded() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_model(Order, encode_json({"account": "A1", "legs": [{}] * 1000}))
    assert len(caught.value.details["problems"]) == 20


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[]", b'"text"', b"null"])
def test_what_is_no_model_at_all_is_an_invalid_request(payload: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_model(Order, payload)
