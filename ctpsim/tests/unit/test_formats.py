"""CTP's records and the frames that carry them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.errors import AegisError, CodecError
from ctpsim import frames
from ctpsim.frames import HEAD, Kind, Limits, Reassembly, Resume, Topics
from ctpsim.front.sessions import PrivateStream, TraderSession
from ctpsim.glue import glue
from ctpsim.headers import DATA_TYPES, MARKET, RECORDS, TRADER, Layout, parse
from ctpsim.records import MISSING, Records

HEADERS = {
    DATA_TYPES: """
        typedef char TThostFtdcNameType[21];
        typedef char TThostFtdcFlagType;
        typedef double TThostFtdcPriceType;
        typedef int TThostFtdcVolumeType;
    """,
    RECORDS: """
        struct CThostFtdcThingField
        {
            ///a comment with TThostFtdcNameType in it;
            TThostFtdcFlagType Flag;
            TThostFtdcNameType Name;
            TThostFtdcPriceType Price;
            TThostFtdcVolumeType Volume;
        };
        struct CThostFtdcRspInfoField { TThostFtdcVolumeType ErrorID; TThostFtdcNameType ErrorMsg; };
    """,
    MARKET: """
        virtual void OnFrontConnected(){};
        virtual void OnRspThing(CThostFtdcThingField *pThing, CThostFtdcRspInfoField *pRspInfo,
                                int nRequestID, bool bIsLast) {};
        virtual void OnRtnThing(CThostFtdcThingField *pThing) {};
        virtual int SubscribeThings(char *ppInstrumentID[], int nCount) = 0;
        virtual int ReqQryThing(CThostFtdcThingField *pThing, int nRequestID) = 0;
        virtual int Join() = 0;
    """,
    TRADER: "",
}
LAYOUT = parse(HEADERS)


def test_headers_become_records_requests_and_callbacks_in_their_order() -> None:
    assert [(field.name, field.code, field.length) for field in LAYOUT.records["Thing"]] == [
        ("Flag", "c", 1),
        ("Name", "c", 21),
        ("Price", "d", 1),
        ("Volume", "i", 1),
    ]
    assert [call.name for call in LAYOUT.requests["M"]] == ["SubscribeThings", "ReqQryThing"]
    assert [call.arguments for call in LAYOUT.callbacks["M"]] == [("record", "error", "request", "last"), ("record",)]


def test_an_argument_that_is_not_understood_is_refused() -> None:
    with pytest.raises(AegisError, match="OnRtnOther"):
        parse({**HEADERS, TRADER: "virtual void OnRtnOther(double price) {};"})


def test_a_layout_is_the_same_after_it_was_stored_and_another_one_is_not() -> None:
    assert Layout.from_json(LAYOUT.to_json()).digest == LAYOUT.digest
    assert parse({**HEADERS, MARKET: ""}).digest != LAYOUT.digest


def test_the_glue_has_a_size_a_callback_and_a_request_for_each() -> None:
    text = glue(LAYOUT, "M", "v1")
    assert "static_assert(sizeof(CThostFtdcThingField) == 40);" in text
    assert "auto *record = call.data<CThostFtdcThingField>(); if (call.understood) spi->OnRtnThing(record);" in text
    assert (
        "int ReqQryThing(CThostFtdcThingField *record, int id) override { return request(1, record, id, true); }"
        in text
    )


def test_a_record_comes_back_as_it_was_packed() -> None:
    records = Records(LAYOUT)
    values = {"Flag": "0", "Name": "螺纹钢2605", "Price": MISSING, "Volume": 7}
    packed = records.pack("Thing", **values)
    assert len(packed) == records.size("Thing") == 40
    assert records.unpack("Thing", packed) == values
    assert struct.unpack_from("d", packed, records.offset("Thing", "Price")) == (MISSING,)


@given(name=st.text(alphabet=st.characters(codec="gb18030", exclude_characters="\0")))
def test_a_text_that_is_too_long_is_cut_between_characters(name: str) -> None:
    records = Records(LAYOUT)
    read = records.unpack("Thing", records.pack("Thing", Name=name))["Name"]
    assert name.startswith(read)
    assert read == name or len(name[: len(read) + 1].encode("gb18030")) > 20


def test_a_field_that_a_record_has_not_and_a_record_of_another_length_are_refused() -> None:
    records = Records(LAYOUT)
    with pytest.raises(KeyError, match="Nonsense"):
        records.pack("Thing", Nonsense=1)
    with pytest.raises(ValueError, match="39 bytes"):
        records.unpack("Thing", bytes(39))


@given(bodies=st.lists(st.binary(max_size=300), max_size=20), cut=st.integers(1, 400))
def test_requests_are_whole_however_they_arrive(bodies: list[bytes], cut: int) -> None:
    stream = b"".join(HEAD.pack(len(body), 3, Kind.CALL, 1, 9, len(body)) + body for body in bodies)
    incoming = Reassembly()
    requests = [request for at in range(0, len(stream), cut) for request in incoming.take(stream[at : at + cut])]
    assert [request.data for request in requests] == bodies


@pytest.mark.parametrize(
    "head",
    [
        HEAD.pack(1 << 20, 0, Kind.CALL, 0, 0, 1 << 20),
        HEAD.pack(8, 0, Kind.CALL, 0, 0, 9),
        HEAD.pack(8, 0, Kind.DROP, 0, 0, 8),
    ],
)
def test_what_no_library_sends_is_refused(head: bytes) -> None:
    with pytest.raises(CodecError):
        list(Reassembly().take(head))


def test_topics_are_read_and_garbage_is_refused() -> None:
    assert frames.topics(struct.pack("<BB9si", 1, 0, b"20251128\0", 4)) == Topics(Resume.RESUME, "20251128", 4)
    for body in (b"", struct.pack("<BB9si", 77, 0, b"", 0), struct.pack("<BB9si", 1, 0, b"\xff", 0)):
        with pytest.raises(CodecError):
            frames.topics(body)


def test_limits_are_in_the_greeting() -> None:
    greeting = frames.hello("M", 1, Limits(query_interval_ms=7, requests_per_s=8, answer=-2))
    assert struct.unpack("<QcIIi", greeting[HEAD.size :]) == (1, b"M", 7, 8, -2)


@pytest.mark.parametrize(
    ("topics", "numbers"),
    [
        (Topics(Resume.RESTART, "20251128", 2), [1, 2, 3]),
        (Topics(Resume.RESUME, "20251128", 2), [3]),
        (Topics(Resume.RESUME, "20251127", 2), [1, 2, 3]),
        (Topics(Resume.QUICK, "20251128", 0), []),
        (Topics(Resume.UNASKED, "", 0), []),
    ],
)
def test_a_session_hears_the_private_stream_from_where_it_wants_to(topics: Topics, numbers: list[int]) -> None:
    stream = PrivateStream()
    stream.begin_day("20251128")
    for _ in range(3):
        stream.add("OnRtnOrder", b"")
    assert [number for number, *_ in stream.missed(topics)] == numbers
    stream.begin_day("20251201")
    assert stream.missed(Topics(Resume.RESTART, "", 0)) == []


def test_order_references_are_numbers_that_rise() -> None:
    session = TraderSession()
    taken = [session.takes_order_ref(text) for text in ("5", "5", "4", "six", "", "10", " 11")]
    assert taken == [True, False, False, False, False, True, True]


def test_a_query_waits_for_the_one_before_it() -> None:
    session = TraderSession()
    assert session.may_query(0.0, 1.0)
    assert not session.may_query(0.4, 1.0)
    assert session.may_query(1.0, 1.0)
    session.querying = True
    assert not session.may_query(9.0, 1.0)
