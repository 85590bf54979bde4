"""Every metric that the code makes is in the docs, and every one that the docs name is made."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = re.compile(r'"(aegis_[a-z0-9_]+)"')
PREFIX = re.compile(r'(?:prefix|_PREFIX)(?:: Final)? = "(aegis_[a-z0-9_]+)"')
WITH_PREFIX = re.compile(r'f"\{(?:prefix|_PREFIX)\}(_[a-z0-9_]+)"')
TABLE = re.compile(r"^\|[^\n]*`(aegis_[a-z]+_)(?:\.\.\.|…)`[^\n]*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
NAMED = re.compile(r"`([a-z][a-z0-9_]+)(?:\{[a-z_,]+\})?`")
FULL = re.compile(r"`(aegis_[a-z0-9_]+)(?:\{[^`]*\})?`")
A_METRIC = re.compile(r"aegis_.*_(total|seconds|bytes|ratio|state|info|entries|followers|topics)")


def made() -> set[str]:
    """The names in modules that make metrics."""
    found: set[str] = set()
    for file in (*(ROOT / "sdk" / "src").rglob("*.py"), *(ROOT / "services" / "src").rglob("*.py")):
        text = file.read_text()
        if not re.search(r"^from aegis_sdk\.metrics import", text, re.MULTILINE):
            continue
        prefixes = set(PREFIX.findall(text))
        found |= set(MADE.findall(text)) - prefixes
        found |= {prefix + rest for prefix in prefixes for rest in WITH_PREFIX.findall(text)}
    return found


def documented() -> tuple[set[str], set[str]]:
    """All names that the docs have, and those that can be nothing but metrics."""
    named: set[str] = set()
    in_tables: set[str] = set()
    for file in (ROOT / "docs").glob("*.md"):
        text = file.read_text()
        named |= set(FULL.findall(text))
        for prefix, rows in TABLE.findall(text):
            firsts = " ".join(row.split("|")[1] for row in rows.splitlines())
            in_tables |= {prefix + name for name in NAMED.findall(firsts) if not name.startswith("aegis_")}
    return named | in_tables, in_tables | {name for name in named if A_METRIC.fullmatch(name)}


def test_every_metric_that_is_made_is_documented() -> None:
    assert made() - documented()[0] == set()


def test_every_metric_that_is_documented_is_made() -> None:
    assert documented()[1] - made() == set()
    assert len(made()) > 50
