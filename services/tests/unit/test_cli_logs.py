"""How log lines are read, ordered and shown, and lengths of time told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.cli.console import duration
from aegis.cli.log_lines import parse, shown
from aegis.cli.logs import FileEnd


def test_a_line_of_aegis_is_event_level_and_values() -> None:
    line = parse(
        '{"event": "connected", "level": "info", "timestamp": "2026-01-02T03:04:05.6Z", "n": 1, "e": ""}', "a-1"
    )
    assert (line.event, line.level, line.at) == ("connected", "info", "2026-01-02T03:04:05.6Z")
    text = shown(line, with_process=True).plain
    assert text.split()[1:] == ["INFO", "a-1", "connected", "n=1"]


def test_a_traceback_stands_below_its_line() -> None:
    line = parse('{"event": "failed", "level": "error", "exception": "Traceback\\n  ValueError"}', "a-1")
    assert shown(line).plain == "ERROR failed\n    Traceback\n      ValueError"


def test_a_line_of_nats_has_its_time_and_level() -> None:
    line = parse("[7] 2026/01/02 03:04:05.678901 [WRN] Slow consumer", "nats")
    assert (line.at, line.level, line.event) == ("2026-01-02T03:04:05.678901Z", "warning", "Slow consumer")


@pytest.mark.parametrize("raw", ["plain", "{broken", "[]", "{}"])
def test_any_other_line_is_shown_somehow(raw: str) -> None:
    assert isinstance(shown(parse(raw, "a-1")).plain, str)


def test_a_followed_file_gives_whole_lines_and_begins_anew_when_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("before\n")
    end = FileEnd(path)
    assert end.new_lines() == []
    with path.open("a") as log:
        log.write("one\ntw")
        log.flush()
        assert end.new_lines() == ["one"]
        log.write("o\n")
        log.flush()
        assert end.new_lines() == ["two"]
    path.write_text("new\n")
    assert end.new_lines() == ["new"]
    path.unlink()
    assert end.new_lines() == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (200, "3 m 20 s"), (18_720, "5 h 12 m"), (183_600, "2 d 3 h")],
)
def test_a_length_of_time_has_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text
