"""Each example runs by itself and prints what it says it prints."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[0-9]*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(example: Path) -> None:
    document = ast.get_docstring(ast.parse(example.read_text())) or ""
    expected = textwrap.dedent(document.partition("Prints:\n")[2])
    assert expected, "the docstring says nothing of what is printed"
    if "vnpy" in example.stem:
        pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")
    done = subprocess.run([sys.executable, example], capture_output=True, text=True, timeout=60, check=False)
    printed = [line for line in done.stdout.splitlines() if "[info" not in line and "[warning" not in line]
    assert (done.returncode, "\n".join(printed).strip()) == (0, expected.strip()), done.stderr
