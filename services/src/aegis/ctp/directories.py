"""A session's own directory, where CTP keeps its flow files: private, and gone with the session.

It is locked for as long as its service lives. What a service left behind that was killed is locked by nobody, and is
swept away before the next session of any service on the machine begins.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["SessionDirectory", "sweep"]

_PREFIX: Final = "aegis-ctp-"


class SessionDirectory:
    """Made when it is built, in the directory for temporary files. Raises OSError where that cannot be."""

    def __init__(self) -> None:
        made = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
        self._lock = os.open(made, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (made / ".vntrader").mkdir()  # else vnpy makes one in the home directory
        self.path = made.rename(made.with_name(made.name[1:]))  # only now: nobody sees it without its lock

    def remove(self) -> None:
        """Once; by then the session must have ended."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep() -> list[Path]:
    """Remove directories of sessions whose service is gone; which."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _removed(path)]


def _removed(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # somebody else's, or gone already
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
