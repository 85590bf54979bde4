"""Log files of processes that write to them themselves: bounded in size, and read from their end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["open_log", "rotate", "tail"]

MAX_BYTES: Final = 8 * 2**20
_BLOCK: Final = 64 * 1024


def open_log(path: Path) -> BinaryIO:
    """The file to be handed to a process, for its owner's eyes. Each write goes to its end, also after a rotation."""
    return open(path, "ab", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))


def rotate(paths: Iterable[Path], max_bytes: int = MAX_BYTES) -> dict[Path, OSError]:
    """Move the content of each file that is larger than `max_bytes` to `<name>.1`, in place of what was there.

    The writer keeps its open file, so nothing depends on its being alive or well. What it writes in the microseconds
    between the end of the copy and the cut is lost. Returned are the files that stay as they are, and why.
    """
    failed: dict[Path, OSError] = {}
    for path in paths:
        try:
            if path.stat().st_size > max_bytes:
                _move_aside(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed[path] = error
    return failed


def _move_aside(path: Path) -> None:
    with path.open("r+b") as log, open_log(path.with_name(f"{path.name}.1")) as old:
        old.truncate(0)
        shutil.copyfileobj(log, old, _BLOCK)
        log.truncate(0)


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file, from `<name>.1` on where it was just rotated. Empty where there is none to be read."""
    found = _tail(path, lines)
    if len(found) < lines:
        found = [*_tail(path.with_name(f"{path.name}.1"), lines - len(found)), *found]
    return [line.decode(errors="replace") for line in found]


def _tail(path: Path, lines: int) -> list[bytes]:
    try:
        file = path.open("rb")
    except OSError:
        return []
    with file:
        at = file.seek(0, os.SEEK_END)
        content = b""
        while at > 0 and content.count(b"\n") <= lines:
            step = min(_BLOCK, at)
            at = file.seek(at - step)
            content = file.read(step) + content
    return content.splitlines()[-lines:] if lines > 0 else []
