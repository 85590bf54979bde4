"""No log line has a field named `event`: that is the name of its sentence, and a second one raises."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for package in ("sdk", "services", "ctpsim") for path in (ROOT / package / "src").rglob("*.py")]


def calls_with_two_events(source: str) -> list[int]:
    """The lines of calls `_log.<level>("...", event=...)`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and "log" in ast.unparse(node.func.value)
        and any(keyword.arg == "event" for keyword in node.keywords)
    ]


def test_a_log_line_says_its_event_once() -> None:
    assert len(SOURCES) > 300
    found = {str(path.relative_to(ROOT)): calls_with_two_events(path.read_text()) for path in SOURCES}
    assert not {path: lines for path, lines in found.items() if lines}


def test_one_that_says_two_is_found() -> None:
    assert calls_with_two_events('_log.warning("lost", event=name)') == [1]
