"""Ticks as the gate writes them, and as they are read: in every field what vnpy's wrapper would say."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.marketdata.adapters.ctp.gate import Taken, TickReader
from aegis.marketdata.adapters.ctp_fields import depth_record
from aegis.operations.counter import is_built
from ctpsim import installed
from ctpsim.records import MISSING, Records

pytestmark = pytest.mark.skipif(not is_built(), reason="the layout of CTP's records is not built")

texts = st.text(st.characters(codec="gb18030", exclude_characters="\0"), max_size=7)
numbers = st.floats(allow_nan=False) | st.just(MISSING)


def packed(came_ns: int, skipped: int, fields: dict[str, Any]) -> tuple[bytes, Taken]:
    """As the gate writes it, and what that is in the words of the wrapper."""
    records = Records(installed.layout())
    record = records.pack("DepthMarketData", **fields)
    told = Taken(came_ns, skipped, depth_record(records.unpack("DepthMarketData", record)))
    return struct.pack("@qq", came_ns, skipped) + record, told


@given(st.data())
def test_each_field_is_what_the_wrapper_says(data: st.DataObject) -> None:
    reader = TickReader()
    layout = {field.name: field.code for field in installed.layout().records["DepthMarketData"]}
    kinds = {"c": texts, "d": numbers, "i": st.integers(-(2**31), 2**31 - 1)}
    ticks = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 2**62),
                st.integers(0, 2**40),
                st.fixed_dictionaries({name: kinds[code] for name, code in layout.items()}),
            ),
            max_size=3,
        )
    )
    written = [packed(*tick) for tick in ticks]
    read = reader.read(memoryview(b"".join(one for one, _ in written)))
    assert list(read) == [told for _, told in written]


def test_characters_that_are_none_and_a_text_without_an_end_stop_nothing() -> None:
    written, _ = packed(1, 0, {"InstrumentID": "x" * 80, "ExchangeID": "SHFE"})
    broken = written.replace(b"x" * 80 + b"\0", b"\xff" * 81)
    [taken] = TickReader().read(memoryview(broken))
    assert taken.record[1] == "\ufffd" * 81
