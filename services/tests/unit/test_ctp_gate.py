"""Ticks as the gate writes them, and as they are read: in every field what vnpy's wrapper would say."""

from __future__ import annotations

import struct
from functools import cache
from random import Random
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

TEXTS = ("", "SHFE", "rb2505", "20250102", "螺纹", "21:00:00")
NUMBERS = (0.0, -0.0, 3_512.5, -7.0, 1e-9, MISSING, float("inf"))
WHOLE = (0, 1, -5, 500, 2**31 - 1, -(2**31))


@cache
def ctps_records() -> Records:
    return Records(installed.layout())


def packed(came_ns: int, skipped: int, fields: dict[str, Any]) -> tuple[bytes, Taken]:
    """As the gate writes it, and what that is in the words of the wrapper."""
    records = ctps_records()
    record = records.pack("DepthMarketData", **fields)
    told = came_ns, skipped, depth_record(records.unpack("DepthMarketData", record))
    return struct.pack("@qq", came_ns, skipped) + record, told


@given(st.randoms(use_true_random=True))
def test_each_field_is_what_the_wrapper_says(random: Random) -> None:
    kinds = {"c": TEXTS, "d": NUMBERS, "i": WHOLE}
    fields = installed.layout().records["DepthMarketData"]
    written = [
        packed(random.randrange(2**62), skipped, {field.name: random.choice(kinds[field.code]) for field in fields})
        for skipped in range(3)
    ]
    read = TickReader().read(b"".join(one for one, _ in written))
    assert list(read) == [told for _, told in written]


def test_characters_that_are_none_and_a_text_without_an_end_stop_nothing() -> None:
    written, _ = packed(1, 0, {"InstrumentID": "x" * 80, "ExchangeID": "SHFE"})
    broken = written.replace(b"x" * 80 + b"\0", b"\xff" * 81)
    [(_, _, record)] = TickReader().read(broken)
    assert record[1] == "\ufffd" * 81
