"""What `aegis query` and `aegis record --check` say, and how a desk records."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from recordings import record, tick
from typer.testing import CliRunner

from aegis.cli.main import app
from aegis.operations.plan import DeskOptions, plan
from aegis.recordings import load
from aegis.recordings.manifest import FILE


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    record(tmp_path, [tick(n, ts_exchange_ns=1_735_781_400 * 10**9 + n * 10**6, volume=n) for n in (1, 2, 4)])
    return tmp_path


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def test_a_query_is_a_table_in_the_time_of_shanghai(recording: Path) -> None:
    heading, first, *others = said("query", "SHFE.rb2505", "--directory", str(recording)).splitlines()
    shown = "DAY TIME LAST_PRICE BID_PRICE_1 BID_SIZE_1 ASK_PRICE_1 ASK_SIZE_1 VOLUME OPEN_INTEREST FLAGS"
    assert " ".join(heading.split()) == shown
    assert " ".join(first.split()) == "20250102 2025-01-02 09:30:00.001 3310 3309 1 3311 2 1 0"
    assert len(others) == 2


def test_a_query_for_programs_is_json_or_csv(recording: Path) -> None:
    of = ("query", "SHFE.rb2505", "--directory", str(recording))
    first, *others = map(json.loads, said(*of, "--json", "--limit", "2").splitlines())
    assert (first["ts_exchange_ns"], first["bid_price_1"], first["bid_price_2"]) == (1735781400001000000, 3309.0, None)
    assert len(others) == 1
    assert said(*of, "--csv", "--columns", "symbol,volume").splitlines() == [
        "symbol,volume",
        *(f"rb2505,{n}" for n in "124"),
    ]
    assert said(*of, "--day", "20250103") == "No tick fits.\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["rb2505"], "is not like SHFE.rb2505"),
        (["SHFE.rb2505", "--columns", "price"], "is none of"),
        (["SHFE.rb2505", "--from", "noon"], "is no time"),
        (["SHFE.rb2505", "--json", "--csv"], "--json another"),
        (["SHFE.rb2505", "--directory", "/nowhere"], "is no recording"),
    ],
)
def test_wrong_usage_of_a_query_is_said_in_one_line(recording: Path, arguments: list[str], problem: str) -> None:
    assert problem in said("query", "--directory", str(recording), *arguments, code=2)


def test_a_check_says_whether_a_recording_is_complete_and_its_exit_code_too(recording: Path) -> None:
    text = said("record", "--check", "--directory", str(recording))
    assert "SHFE.rb2505" in text  # the feed left out a tick of it
    assert text.endswith("Complete: 3 ticks of 1 instruments.\n")
    manifest = load(recording)
    lacks = replace(manifest.stretches[0], last=5, lost=2, gaps=((4, 5),))
    (recording / FILE).write_bytes(msgspec.json.encode(replace(manifest, stretches=(lacks,))))
    text = said("record", "--check", "--directory", str(recording), code=1)
    assert "lost: 4 to 5" in text
    assert "NOT complete" in text
    found = json.loads(said("record", "--check", "--json", "--directory", str(recording), code=1))
    assert (found["complete"], found["lost"], found["days"][0]["missing"]) == (False, 2, 1)


def test_a_desk_records_where_it_is_asked_to_and_the_recorder_outlives_the_feed() -> None:
    assert "recorder" not in [one.service for one in plan(DeskOptions(directory="x"))]
    recorder, marketdata, *_ = plan(DeskOptions(directory="x", record="/recording"))
    assert (recorder.service, marketdata.service) == ("recorder", "marketdata")  # stopped in reverse
    assert recorder.environment == {"AEGIS_RECORD_DIRECTORY": "/recording"}
