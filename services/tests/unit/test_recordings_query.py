"""Recorded ticks by instrument and time, and whether a recording is complete."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from recordings import record, tick

from aegis.cli.moments import moments, shown
from aegis.contracts.market import Tick
from aegis.recorder.check import check
from aegis.recordings import load
from aegis.recordings.columns import COLUMNS
from aegis.recordings.manifest import FILE, path_of
from aegis.recordings.query import query
from aegis_sdk.errors import ConfigurationError

SHANGHAI = timezone(timedelta(hours=8))
TIMES = ["2025-01-01 21:00:00", "2025-01-02 00:30:00", "2025-01-02 09:30:00", "2025-01-02 15:00:00"]


def at(sequence: int, text: str, day: str = "20250102", **fields: Any) -> Tick:
    moment = datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    return tick(sequence, trading_day=day, ts_exchange_ns=int(moment.timestamp()) * 10**9, **fields)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    day = [at(n, text) for n, text in enumerate(TIMES, start=1)]
    next_day = [
        at(n, text.replace("01-02", "01-03").replace("01-01", "01-02"), "20250103") for n, text in enumerate(TIMES, 5)
    ]
    others = [at(1, TIMES[2], symbol="ag2506"), at(1, TIMES[2], exchange="DCE")]
    record(tmp_path, [*day, *others], next_day)
    return tmp_path


def sequences(recording: Path, since: str = "", until: str = "", **which: Any) -> list[int]:
    table = query(recording, "SHFE.rb2505", moments=moments(since, until), columns=["sequence"], **which)
    return table["sequence"].to_pylist()


def test_a_query_gives_the_ticks_of_one_instrument_in_the_order_of_the_stream(recording: Path) -> None:
    table = query(recording, "SHFE.rb2505")
    assert table.column_names == list(COLUMNS)
    assert table["sequence"].to_pylist() == list(range(1, 9))
    assert set(table["symbol"].to_pylist()) == {"rb2505"}


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"day": "20250103"}, [5, 6, 7, 8]),
        ({"limit": 3}, [1, 2, 3]),
        ({"since": "21:00", "until": "00:30", "day": "20250102"}, [1]),
        ({"since": "21:00", "until": "09:30:01"}, [1, 2, 3, 5, 6, 7]),
        ({"since": "09:30"}, [3, 4, 7, 8]),
        ({"since": "2025-01-02T15:00", "until": "2025-01-03"}, [4, 5]),
        ({"since": "2025-01-02T07:00:00Z", "until": "20250103"}, [4, 5]),
        ({"day": "20250104"}, []),
    ],
)
def test_a_query_is_narrowed_by_day_and_by_times_of_shanghai(
    recording: Path, which: dict[str, Any], expected: list[int]
) -> None:
    assert sequences(recording, **which) == expected


def test_ticks_of_days_that_overlap_in_the_stream_keep_its_order(tmp_path: Path) -> None:
    mixed = [at(n, TIMES[2], day=("20250103", "20250102")[n % 2]) for n in range(1, 7)]
    record(tmp_path, mixed[:3], mixed[3:])
    assert sequences(tmp_path) == [1, 2, 3, 4, 5, 6]


def test_a_query_survives_a_merge_between_its_look_and_its_read(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look is at a state whose files are gone by now."""
    gone = load(recording)
    gone = msgspec.structs.replace(gone, parts=tuple(replace(part, last=99) for part in gone.parts))
    looks = iter([gone])
    monkeypatch.setattr("aegis.recordings.reading.load", lambda path: next(looks, None) or load(path))
    assert sequences(recording) == list(range(1, 9))


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        ("2025-01-03", "", ["20250103", "20250206"]),
        ("", "2025-01-02T21:00", ["20250102", "20250103"]),
        ("2025-01-24T21:00", "2025-01-25T02:30", ["20250206"]),  # the last night before the Spring Festival
        ("2025-01-02T23:00Z", "", ["20250103", "20250206"]),  # in Shanghai it is the third
        ("09:00", "10:00", ["20250102", "20250103", "20250206"]),
    ],
)
def test_only_days_are_opened_to_which_the_times_may_belong(since: str, until: str, days: list[str]) -> None:
    asked = moments(since, until)
    assert [day for day in ("20250102", "20250103", "20250206") if asked.may_be_of(day)] == days


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"instrument": "rb2505"}, "is not like SHFE.rb2505"),
        ({"instrument": "SHFE.rb2505", "day": "../.."}, "is not a trading day"),
        ({"instrument": "SHFE.rb2505", "columns": ["1; DROP TABLE x"]}, "is none of"),
    ],
)
def test_wrong_words_are_refused(recording: Path, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        query(recording, **arguments)


def test_a_symbol_is_data_never_a_part_of_the_query(recording: Path) -> None:
    assert query(recording, "SHFE.x' OR 'a'='a").num_rows == 0


@pytest.mark.parametrize("text", ["9", "25:00", "09:61", "yesterday", "2025-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no time"):
        moments(text, "")


def test_times_are_shown_in_shanghai_to_the_millisecond() -> None:
    assert shown(at(1, TIMES[0]).ts_exchange_ns + 500_999_999) == "2025-01-01 21:00:00.500"


def test_a_whole_recording_is_complete(recording: Path) -> None:
    findings = check(recording)
    assert findings.is_complete
    assert findings.ticks == 10
    assert [(day.instrument, day.trading_day, day.ticks, day.first, day.last) for day in findings.days] == [
        ("DCE.rb2505", "20250102", 1, 1, 1),
        ("SHFE.ag2506", "20250102", 1, 1, 1),
        ("SHFE.rb2505", "20250102", 4, 1, 4),
        ("SHFE.rb2505", "20250103", 4, 5, 8),
    ]


def test_holes_and_repeats_are_told_of_each_instrument_and_day(tmp_path: Path) -> None:
    """What the feed left out is a hole, but no fault of the recording; a tick that is there twice is one."""
    record(tmp_path, [at(n, TIMES[2]) for n in (3, 4, 7)], [at(n, TIMES[2], "20250103") for n in (9, 9, 10)])
    findings = check(tmp_path)
    assert [(day.missing, day.duplicates) for day in findings.days] == [(2, 0), (1, 1)]
    assert (findings.duplicates, findings.is_complete) == (0, False)


def test_a_part_that_is_away_or_cut_off_is_damage(recording: Path) -> None:
    first, second, *_ = (path_of(recording, part) for part in load(recording).parts)
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    findings = check(recording)
    assert set(findings.damaged) == {str(first), str(second)}
    assert not findings.is_complete


def test_a_byte_that_is_another_one_is_damage(recording: Path) -> None:
    """Also where it says something that can be read."""
    path = path_of(recording, load(recording).parts[0])
    for place in (8, path.stat().st_size // 2, path.stat().st_size - 20):
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)
        assert check(recording).damaged == (str(path),)
        content[place] ^= 1
        path.write_bytes(content)
        assert check(recording).is_complete


def test_messages_that_do_not_add_up_are_told(recording: Path) -> None:
    manifest = load(recording)
    [stretch] = manifest.stretches
    for wrong in (
        replace(stretch, ticks=stretch.ticks + 1, last=stretch.last + 1),
        replace(stretch, last=stretch.last + 1),
    ):
        (recording / FILE).write_bytes(msgspec.json.encode(replace(manifest, stretches=(wrong,))))
        assert check(recording).unaccounted == (1,)


def test_what_the_stream_had_discarded_makes_it_incomplete(recording: Path) -> None:
    manifest = load(recording)
    [stretch] = manifest.stretches
    lacks = replace(stretch, last=stretch.last + 2, lost=2)
    (recording / FILE).write_bytes(msgspec.json.encode(replace(manifest, stretches=(lacks,))))
    assert (check(recording).lost, check(recording).is_complete) == (2, False)
