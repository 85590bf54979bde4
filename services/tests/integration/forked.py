"""Commands as processes that are copies of one which has imported the program: to do so is most of what each costs."""

from __future__ import annotations

import functools
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

AEGIS: Final = str(Path(sys.executable).with_name("aegis"))
_PROGRAM: Final = """
import importlib, json, os, pkgutil, sys
import aegis.cli.main, aegis.contracts, aegis_sdk, aegis_sdk.transport_nats

for package in (aegis.cli, aegis.contracts, aegis_sdk):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not module.ispkg:
            importlib.import_module(module.name)

asked, told = os.fdopen(int(sys.argv[1])), int(sys.argv[2])
for line in iter(asked.readline, ""):
    command = json.loads(line)
    child = os.fork()
    if not child:
        break
    _, status = os.waitpid(child, 0)
    os.write(told, b"%d\\n" % os.waitstatus_to_exitcode(status))
else:
    sys.exit()
os.close(told)
asked.close()
for number, path in enumerate(command["files"]):
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, number)
    os.close(opened)
os.chdir(command["directory"])
os.environ.clear()
os.environ.update(command["environment"])
sys.argv = command["words"]
sys.exit(aegis.cli.main.app())
"""


class Commands:
    """Runs them one after the other. It ends with the process that made it."""

    def __init__(self) -> None:
        asked, self._ask = os.pipe()
        self._told, told = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(asked), str(told)], stdin=subprocess.DEVNULL, pass_fds=(asked, told)
        )
        os.close(asked)
        os.close(told)

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], stdin: str, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """One to its end. Raises TimeoutError where it takes longer; there is no next one then."""
        with TemporaryDirectory(prefix="aegis-command-") as made:
            files = [Path(made) / name for name in ("stdin", "stdout", "stderr")]
            for file, text in zip(files, (stdin, "", ""), strict=True):
                file.write_text(text)
            command = {
                "words": [AEGIS, *words],
                "environment": dict(environment),
                "directory": os.getcwd(),
                "files": [str(file) for file in files],
            }
            os.write(self._ask, json.dumps(command).encode() + b"\n")
            if not select.select([self._told], [], [], timeout_s)[0]:
                self._process.kill()
                raise TimeoutError(f"{words} took longer than {timeout_s:g} s")
            code = int(os.read(self._told, 100))
            return subprocess.CompletedProcess(words, code, files[1].read_text(), files[2].read_text())


@functools.cache
def _commands() -> Commands:
    return Commands()


def run(
    words: Sequence[str], environment: Mapping[str, str], stdin: str = "", timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """`aegis` with these words, to its end."""
    return _commands().run(words, environment, stdin, timeout_s)
