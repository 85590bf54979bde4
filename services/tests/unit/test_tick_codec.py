"""How ticks travel."""

from __future__ import annotations

import json
import os
import pickle
import threading
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from aegis.contracts.market import Level, Tick
from aegis.contracts.tick_codec import JSON, MSGPACK, PICKLE, TickCodec, decode, sent_under, tick_codec
from aegis_sdk.errors import CodecError, ConfigurationError

TICK = Tick(
    env="sim",
    feed="main",
    source="replay",
    session="s1",
    epoch=7,
    sequence=3,
    exchange="CZCE",
    symbol="SP m2505&m2509",
    trading_day="20250102",
    action_day="20250101",
    ts_exchange_ns=1_735_783_200_500_000_000,
    ts_received_ns=1_735_783_200_501_000_000,
    last_price=-3.0,
    open_price=0.0,
    high_price=None,
    low_price=None,
    pre_close_price=None,
    pre_settlement_price=None,
    settlement_price=None,
    upper_limit_price=600.5,
    lower_limit_price=-600.5,
    volume=123,
    turnover=4_086_393.5,
    volume_delta=2,
    turnover_delta=-1.5,
    open_interest=10.0,
    pre_open_interest=None,
    bids=(Level(-4.0, 1), Level(-5.0, 2)),
    asks=(),
    flags=("auction", "stale"),
)
ALL = pytest.mark.parametrize("codec", [JSON, MSGPACK, PICKLE], ids=lambda codec: codec.name)


@ALL
def test_a_tick_arrives_as_it_was_sent(codec: TickCodec) -> None:
    assert decode(codec.headers, codec.encode(TICK), allow_pickle=True) == TICK


finite = st.floats(allow_nan=False, allow_infinity=False)


@ALL
@given(price=st.none() | finite, turnover=finite, size=st.integers(0, 2**63 - 1), symbol=st.text(max_size=20))
def test_any_tick_of_finite_numbers_arrives(
    codec: TickCodec, price: float | None, turnover: float, size: int, symbol: str
) -> None:
    tick = replace(TICK, last_price=price, turnover=turnover, symbol=symbol, bids=(Level(turnover, size),))
    assert decode(codec.headers, codec.encode(tick), allow_pickle=True) == tick


@ALL
@pytest.mark.parametrize("number", [nan, -nan, inf, -inf])
@pytest.mark.parametrize("field", ["last_price", "turnover", "turnover_delta", "open_interest", "bids", "asks"])
def test_what_is_no_number_is_refused(codec: TickCodec, number: float, field: str) -> None:
    value = (Level(1.0, 1), Level(number, 1)) if field in ("bids", "asks") else number
    with pytest.raises(CodecError, match=field):
        codec.encode(replace(TICK, **{field: value}))


@ALL
def test_a_number_that_only_looks_like_an_infinity_is_not_refused(codec: TickCodec) -> None:
    tick = replace(TICK, ts_received_ns=0xCB7FF0_CB7FF0, last_price=1.7e308, turnover=-1.7e308, symbol="null")
    assert decode(codec.headers, codec.encode(tick), allow_pickle=True) == tick


@pytest.mark.parametrize("change", [{"volume": 2**70}, {"symbol": "\udc80"}, {"last_price": object()}])
def test_a_field_that_cannot_be_written_is_an_error_of_this_tick(change: dict[str, object]) -> None:
    with pytest.raises(CodecError, match="the tick 3 of CZCE"):
        MSGPACK.encode(replace(TICK, **change))


@ALL
def test_an_object_in_place_of_a_number_is_an_error(codec: TickCodec) -> None:
    with pytest.raises(CodecError):
        codec.decode(codec.encode(replace(TICK, last_price=threading.Lock())))


def test_json_is_an_object_with_the_names_of_the_fields() -> None:
    assert JSON.headers == {}
    written = json.loads(JSON.encode(TICK))
    assert list(written) == list(Tick.__struct_fields__)
    assert written["bids"] == [[-4.0, 1], [-5.0, 2]]
    assert written["high_price"] is None


@ALL
@pytest.mark.parametrize("payload", [b"", b"{}", b"[]", b"null", b"\xff", b"\x80\x05.", b"\x80\x05N."])
def test_what_is_no_tick_is_an_error(codec: TickCodec, payload: bytes) -> None:
    with pytest.raises(CodecError):
        decode(codec.headers, payload, allow_pickle=True)


@ALL
@given(garbage=st.binary(max_size=64))
def test_no_bytes_break_the_decoder(codec: TickCodec, garbage: bytes) -> None:
    with pytest.raises(CodecError):
        decode(codec.headers, garbage, allow_pickle=True)


@pytest.mark.parametrize("payload", [b'{"env":"\xff', b'{"x":' + b"[" * 100_000], ids=["no text", "brackets"])
def test_what_the_decoder_does_not_call_its_own_error_is_malformed_too(payload: bytes) -> None:
    with pytest.raises(CodecError, match="not a tick in json"):
        decode({}, payload)


@ALL
def test_a_field_of_another_type_is_an_error(codec: TickCodec) -> None:
    with pytest.raises(CodecError):
        codec.decode(codec.encode(replace(TICK, env="moon")))  # type: ignore[arg-type]


def test_an_array_of_a_newer_version_is_read() -> None:
    newer = pickle.dumps((*astuple(replace(TICK, bids=(), asks=())), "a field to come"))
    assert decode(PICKLE.headers, newer, allow_pickle=True).sequence == TICK.sequence


def test_pickle_is_refused_unless_allowed() -> None:
    with pytest.raises(CodecError, match="not allowed"):
        decode(PICKLE.headers, PICKLE.encode(TICK))


def test_a_pickle_that_names_a_function_is_refused() -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, ("/nonexistent/never",)

    for attack in (Attack(), [Attack()], TICK, os.mkdir, Level(1.0, 1)):
        with pytest.raises(CodecError, match="is not allowed"):
            decode(PICKLE.headers, pickle.dumps(attack), allow_pickle=True)


@pytest.mark.parametrize(
    ("said", "epoch"), [("9", 9), ("1", 7), ("", 7), ("-9", 7), ("9.5", 7), ("٩", 7), ("9" * 20, 7), (None, 7)]
)
def test_a_tick_counts_for_its_own_epoch_or_for_that_of_who_stored_it_later(said: str | None, epoch: int) -> None:
    headers = {} if said is None else {"Aegis-Epoch": said}
    assert sent_under(headers, replace(TICK, epoch=7)) == epoch


def test_an_unknown_codec_is_an_error() -> None:
    with pytest.raises(CodecError, match="'xml'"):
        decode({"Aegis-Codec": "xml"}, b"<tick/>")
    with pytest.raises(ConfigurationError, match="json, msgpack, pickle"):
        tick_codec("xml")
    assert tick_codec("msgpack") is MSGPACK
