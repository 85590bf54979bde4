"""A small file system for the store of a node, that can be filled. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .permissions import NotPermitted

_BLOCK: Final = b"\0" * 2**20


class SmallDisk:
    """A file system in memory at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave no room."""
        file = os.open(self.path / "ballast", os.O_WRONLY | os.O_CREAT)
        try:
            for size in (len(_BLOCK), 4096, 1):
                _write_until_full(file, _BLOCK[:size])
        finally:
            os.close(file)

    def empty(self) -> None:
        (self.path / "ballast").unlink(missing_ok=True)


def _write_until_full(file: int, block: bytes) -> None:
    try:
        while os.write(file, block):
            pass
    except OSError:
        return


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Gone afterwards. Raises NotPermitted where nothing can be mounted."""
    path.mkdir(parents=True, exist_ok=True)
    command = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "aegis-chaos", str(path))
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotPermitted(f"mount: {error}") from error
    if done.returncode:
        raise NotPermitted(done.stderr.strip())
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(("umount", "--lazy", str(path)), check=False)
