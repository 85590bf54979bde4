"""docs/subjects.md says what subjects.py does."""

import inspect
import re
from pathlib import Path

from aegis_sdk import subjects

DOCUMENT = Path(__file__).parents[3] / "docs" / "subjects.md"
ROW = re.compile(r"^\| .* \| `(?P<subject>[^`]+)` \| `(?P<function>\w+)` \|$", re.MULTILINE)
NOT_SUBJECTS = {"matches", "escape", "unescape", "split", "token", "instance_key", "kv_key", "ledger_key"}


def documented() -> dict[str, str]:
    return {row["function"]: row["subject"] for row in ROW.finditer(DOCUMENT.read_text())}


def test_every_subject_is_documented() -> None:
    assert set(documented()) == set(subjects.__all__) - NOT_SUBJECTS


def test_every_documented_subject_is_what_the_code_makes() -> None:
    for name, shown in documented().items():
        function = getattr(subjects, name)
        arguments = [
            7 if parameter.annotation == "int" else f"_{parameter.name}_"
            for parameter in inspect.signature(function).parameters.values()
        ]
        expected = re.sub(r"<(\w+)>", lambda found: "7" if found[1] in ("epoch", "shard") else f"_{found[1]}_", shown)
        assert function(*arguments) == expected, name
