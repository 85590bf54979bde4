"""Ticks as columns and files, and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace
from recordings import record, tick

from aegis.contracts.market import Level, Quote, Tick
from aegis.recorder.adapters.directory import RecordingDirectory
from aegis.recordings import RecordingDamaged, load
from aegis.recordings.columns import COLUMNS, quote_maker
from aegis.recordings.manifest import FILE, Part, path_of
from aegis.recordings.reading import first_received_ns, instruments, overlapping, quotes
from aegis.recordings.table import SCHEMA, UNFIT, batch_of
from aegis_sdk.errors import AegisError

PRICE = st.none() | st.floats(-1e9, 1e9)
NUMBER = st.integers(-(2**63), 2**63 - 1)
SIDE = st.lists(st.builds(Level, st.floats(-1e6, 1e6), NUMBER), max_size=5).map(tuple)
TICKS = st.builds(
    replace,
    st.just(tick()),
    last_price=PRICE,
    settlement_price=PRICE,
    pre_open_interest=PRICE,
    volume=NUMBER,
    turnover=st.floats(-1e15, 1e15),
    symbol=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    bids=SIDE,
    asks=SIDE,
    flags=st.sets(st.sampled_from(["snapshot", "auction", "out_of_session"])).map(tuple),
)


def quote_of(one: Tick) -> Quote:
    """What the tick was made of, by the names of the fields."""
    return Quote(*[getattr(one, name) for name in Quote.__struct_fields__ if name != "skipped"])


@given(st.lists(TICKS, min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_columns_hold_all_of_a_tick(ticks: list[Tick]) -> None:
    batch = batch_of(3, [(one, place, place + 7) for place, one in enumerate(ticks)])
    assert batch.schema.equals(SCHEMA)
    rows = [tuple(row.values()) for row in batch.to_pylist()]
    make = quote_maker(COLUMNS)
    assert [make(row) for row in rows] == [quote_of(one) for one in ticks]
    assert [row[:3] for row in rows] == [(3, place, place + 7) for place in range(len(ticks))]
    named = set(Tick.__struct_fields__) - {"bids", "asks", "flags"}
    for row, one in zip(batch.to_pylist(), ticks, strict=True):
        assert {name: row[name] for name in named} == {name: getattr(one, name) for name in named}


def test_flags_that_the_sequencer_gives_are_left_to_the_next_one() -> None:
    [row] = batch_of(1, [(tick(flags=("auction", "stale", "reset")), 1, 1)]).to_pylist()
    assert quote_maker(COLUMNS)(tuple(row.values())).flags == ("auction",)


@pytest.mark.parametrize("unfit", [tick(volume=2**63), tick(symbol="\ud800")], ids=["number", "text"])
def test_a_number_beyond_64_bits_and_a_text_that_is_no_utf8_fit_no_column(unfit: Tick) -> None:
    with pytest.raises(UNFIT):
        batch_of(1, [(unfit, 1, 1)])


def test_a_recording_is_read_in_the_order_of_the_stream_over_exchanges_and_parts(tmp_path: Path) -> None:
    symbols = [("SHFE", "rb2505"), ("DCE", "m2505"), ("SHFE", "ag2506")]
    ticks = [tick(n, symbol, exchange=exchange) for n in range(1, 9) for exchange, symbol in symbols]
    record(tmp_path, ticks[:5], ticks[5:15], ticks[15:])
    assert len(load(tmp_path).parts) == 6
    assert list(quotes(tmp_path)) == [quote_of(one) for one in ticks]
    assert instruments(tmp_path) == [("DCE", "m2505"), ("SHFE", "ag2506"), ("SHFE", "rb2505")]
    assert first_received_ns(tmp_path) == ticks[0].ts_received_ns


def test_a_recording_whose_parts_are_merged_while_it_is_read_is_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.recordings.reading._FETCHED", 2)
    ticks = [tick(n) for n in range(1, 13)]
    record(tmp_path, *(ticks[n : n + 3] for n in range(0, 12, 3)))
    reading = quotes(tmp_path)
    read = [next(reading) for _ in range(5)]
    directory = RecordingDirectory(tmp_path)
    directory.merge(directory.manifest.parts)
    assert read + list(reading) == [quote_of(one) for one in ticks]
    directory.close()


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2)])
def test_parts_that_are_away_or_cut_off_are_said(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    record(tmp_path, [tick(1)], [tick(2)])
    spoil(path_of(tmp_path, load(tmp_path).parts[1]))
    reading = quotes(tmp_path)
    assert next(reading) == quote_of(tick(1))
    with pytest.raises(AegisError, match="cannot be read"):
        next(reading)
    with pytest.raises(AegisError, match="cannot be read"):
        instruments(tmp_path)


def test_an_empty_recording_has_nothing_to_read(tmp_path: Path) -> None:
    record(tmp_path)
    assert list(quotes(tmp_path)) == instruments(tmp_path) == []
    assert first_received_ns(tmp_path) == 0


def test_only_parts_that_overlap_are_sorted_together() -> None:
    def part(first: int, last: int, generation: int = 1) -> Part:
        return Part("20250102", "SHFE", generation, first, last, 1, 1, "")

    early, late, overlaps, again = part(1, 9), part(20, 29), part(5, 12), part(1, 5, 2)
    assert overlapping([again, late, overlaps, early]) == [[early, overlaps], [late], [again]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "has no"), (b"{", "cannot be understood"), (b'{"version": 2}', "is of version 2")],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RecordingDamaged, match=problem):
        load(tmp_path)


def test_every_field_of_a_tick_has_its_column() -> None:
    fields = set(Tick.__struct_fields__) - {"bids", "asks"}
    assert fields <= set(COLUMNS)
    assert len(COLUMNS) == len(set(COLUMNS)) == len(fields) + 3 + 20
    assert len(astuple(tick())) == len(fields) + 2
