"""Wall clocks that jump, in processes of ours alone: Debian's libfaketime stands between them and the machine's.

Only the time of day is faked; the monotonic and the boot clock go on as they do. (`time.sleep` of such a process fails:
the library knows no sleep until a point of the monotonic clock.)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .permissions import NotPermitted

LIBRARY: Final = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
HOUR_S: Final = 3600.0


def require() -> None:
    """Raise NotPermitted where no wall clock can jump."""
    if LIBRARY is None:
        raise NotPermitted("libfaketime is not installed: sudo apt-get install libfaketime")


class WallClock:
    """That of whatever process is started with its environment: one that is started anew keeps the jump."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ahead_s = 0.0

    @property
    def environment(self) -> Mapping[str, str]:
        if LIBRARY is None:
            return {}
        self.move_to(self.ahead_s)
        return {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",  # or compiled modules would look older than their source
        }

    def move_to(self, ahead_s: float) -> None:
        """From now on it is so far ahead of the machine's; takes effect at once. Raises NotPermitted."""
        require()
        new = self._path.with_suffix(".new")
        new.write_text(f"{ahead_s:+.0f}\n")
        new.replace(self._path)
        self.ahead_s = ahead_s


def clean_up(pid: int) -> None:
    """Remove what the library leaves behind of a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)
