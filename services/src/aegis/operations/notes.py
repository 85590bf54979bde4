"""What a supervisor says while it works, to a terminal, a log or the program that detached it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

__all__ = ["Note", "Report"]


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One line, and what belongs to it.

    Once is said: `up`, when every process is ready, or `degraded`, when one was given up or is late, or `aborted`.
    """

    kind: Literal["step", "warning", "failure", "up", "degraded", "aborted"]
    text: str
    process: str = ""
    detail: Sequence[str] = ()  # the end of a log
    after_s: float = 0.0  # since the start of the desk


Report = Callable[[Note], None]
