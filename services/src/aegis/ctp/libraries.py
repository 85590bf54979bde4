"""The CTP libraries of a session's process: the real ones of vnpy_ctp, or drop-in ones in their place.

A library that is loaded before vnpy_ctp is imported takes the place of the one with the same SONAME. Otherwise the real
one loads without a word, so what is loaded is looked up in the process's own map of memory, and must be what was asked
for, both ways. A gate takes the place of the market data library in the same way, and loads it itself.
"""

from __future__ import annotations

import ctypes
import importlib.util
import locale
import os
import sys
from pathlib import Path
from typing import Final

from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step

__all__ = ["NAMES", "gate_library", "load_libraries", "loaded_libraries", "locale_path", "market_library"]

NAMES: Final = ("libthostmduserapi_se.so", "libthosttraderapi_se.so")
LOCALE: Final = "zh_CN.GB18030"


def locale_path() -> str:
    """Where the locale is that CTP's texts are read with: ours, if it was made; empty where the machine's is used."""
    own = Path(sys.prefix) / "share" / "aegis" / "locale"
    return str(own) if (own / LOCALE).is_dir() else ""


def gate_library() -> Path | None:
    """What may stand before the market data library; None where it was not built."""
    own = Path(sys.prefix) / "share" / "aegis" / "lib" / NAMES[0]
    return own if own.exists() else None


def market_library(drop_in: str) -> Path:
    """CTP's own, or the one in its place. vnpy_ctp is installed."""
    return _directory(drop_in) / NAMES[0]


def load_libraries(drop_in: str, gate: Path | None = None) -> Failure | None:
    """Load them, and vnpy_ctp; returns why that cannot be. In a process that has LOCPATH set to `locale_path`."""
    if importlib.util.find_spec("vnpy_ctp") is None:
        return _lacks(Reason.of("vnpy_missing"))
    try:
        locale.setlocale(locale.LC_CTYPE, LOCALE)  # without it the first text from CTP ends the process
    except locale.Error:
        return _lacks(Reason.of("locale_missing", locale=LOCALE))
    finally:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    wanted = [gate or market_library(drop_in), _directory(drop_in) / NAMES[1]]
    try:
        for path in wanted:
            ctypes.CDLL(str(path))
        import vnpy_ctp.api  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (OSError, ImportError) as error:
        return _lacks(Reason.of_error(error))
    loaded = {str(Path(path).resolve()) for path in loaded_libraries()}
    if loaded != {str(path.resolve()) for path in wanted}:
        names = {"loaded": ", ".join(sorted(loaded)), "wanted": ", ".join(map(str, wanted))}
        return _lacks(Reason.of("libraries_differ", **names))
    return None


def loaded_libraries() -> tuple[str, ...]:
    """The CTP libraries that this process runs, by the kernel's word."""
    with open("/proc/self/maps") as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps if "libthost" in line}
    return tuple(sorted(path for path in paths if os.path.basename(path) in NAMES))


def _directory(drop_in: str) -> Path:
    if drop_in:
        return Path(drop_in)
    spec = importlib.util.find_spec("vnpy_ctp")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "api"


def _lacks(cause: Reason) -> Failure:
    return Failure(step=Step.START, kind=Kind.SETUP, cause=cause)
