"""What the ledger stores comes back as it was, and what is none is refused as such."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.errors import CodecError
from aegis_sdk.ledger.records import (
    Begin,
    Entry,
    Intent,
    Lease,
    LeaseState,
    Part,
    Record,
    Result,
    Verdict,
    decode_entry,
    decode_lease,
    encode_begin,
    encode_entry,
    encode_lease,
)

_names = st.text(max_size=12)
_json = st.one_of(st.none(), st.integers(-(2**53), 2**53), _names, st.lists(_names, max_size=2)).map(
    lambda value: msgspec.Raw(msgspec.json.encode(value))
)
_records = st.one_of(
    st.builds(Intent, _names, _names, _json),
    st.builds(Result, _names, st.sampled_from(Verdict), _json, _json),
    st.builds(Part, st.integers(0, 9), st.integers(1, 9), st.binary(max_size=20)),
)


@given(st.integers(1, 2**62), st.integers(1, 2**62), st.lists(_records, min_size=1, max_size=4))
def test_every_entry_arrives_as_it_was_written(epoch: int, n: int, records: list[Record]) -> None:
    assert decode_entry(encode_entry(epoch, n, records)) == Entry(epoch, n, tuple(records))


@given(
    st.builds(Lease, st.sampled_from(LeaseState), _names, _names, _names, _names, st.integers(0, 10**9)),
)
def test_every_lease_arrives_as_it_was_written(lease: Lease) -> None:
    assert decode_lease(encode_lease(lease)) == lease


def test_a_begin_has_neither_epoch_nor_number() -> None:
    begin = Begin("a-1", "i", "t")
    assert decode_entry(encode_begin(begin)) == Entry(0, 0, (begin,))


@pytest.mark.parametrize(
    "entry",
    [
        Entry(5, 1, (Begin("a-1", "i", "t"),)),
        Entry(0, 0, (Begin("a-1", "i", "t"), Intent("k", "m"))),
        Entry(0, 0, (Intent("k", "m"),)),
        Entry(0, 1, (Intent("k", "m"),)),
        Entry(5, 0, (Intent("k", "m"),)),
        Entry(-5, 1, (Intent("k", "m"),)),
        Entry(5, 1, ()),
    ],
)
def test_an_entry_that_breaks_the_grammar_is_refused(entry: Entry) -> None:
    with pytest.raises(CodecError, match="not a journal entry"):
        decode_entry(msgspec.json.encode(entry))


@given(st.binary(max_size=40))
def test_nothing_that_is_no_record_gets_through(payload: bytes) -> None:
    with pytest.raises(CodecError, match="not a journal entry"):
        decode_entry(payload)
    with pytest.raises(CodecError, match="not a lease"):
        decode_lease(payload)


def test_the_form_of_what_is_stored_does_not_change() -> None:
    """Ledgers outlive versions: what an older one wrote must stay readable."""
    result = Result("k", Verdict.OK, msgspec.Raw(b'{"by":1}'), msgspec.Raw(b"2"))
    assert encode_entry(7, 3, [Intent("k", "deposit"), result, Part(0, 1, b"\xff")]) == (
        b'{"epoch":7,"n":3,"records":['
        b'{"kind":"intent","idempotency_key":"k","method":"deposit","data":null},'
        b'{"kind":"result","idempotency_key":"k","verdict":"ok","data":{"by":1},"reply":2},'
        b'{"kind":"snapshot","part":0,"parts":1,"data":"/w=="}]}'
    )
    assert encode_begin(Begin("a-1", "i", "t")) == (
        b'{"epoch":0,"n":0,"records":[{"kind":"begin","holder":"a-1","incarnation":"i","attempt":"t"}]}'
    )
    assert encode_lease(Lease(LeaseState.ACTIVE, "a-1", "i", "t")) == (
        b'{"state":"ACTIVE","holder":"a-1","incarnation":"i","attempt":"t"}'
    )
