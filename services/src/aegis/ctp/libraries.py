"""The CTP libraries of a session's process: the real ones of vnpy_ctp, or drop-in ones in their place.

A library that is loaded before vnpy_ctp is imported takes the place of the one with the same SONAME. Otherwise the real
one loads without a word, so what is loaded is looked up in the process's own map of memory, and must be what was asked
for, both ways.
"""

from __future__ import annotations

import ctypes
import importlib.util
import locale
import os
import sys
from pathlib import Path
from typing import Final

from aegis.ctp.failures import Failure, Kind, Step

__all__ = ["NAMES", "load_libraries", "loaded_libraries", "locale_path"]

NAMES: Final = ("libthostmduserapi_se.so", "libthosttraderapi_se.so")
LOCALE: Final = "zh_CN.GB18030"


def locale_path() -> str:
    """Where the locale is that CTP's texts are read with: ours, if it was made; empty where the machine's is used."""
    own = Path(sys.prefix) / "share" / "aegis" / "locale"
    return str(own) if (own / LOCALE).is_dir() else ""


def load_libraries(drop_in: str) -> Failure | None:
    """Load them, and vnpy_ctp; returns why that cannot be. In a process that has LOCPATH set to `locale_path`."""
    if importlib.util.find_spec("vnpy_ctp") is None:
        return _lacks("vnpy_ctp is not installed: make setup, on a machine with a C++ compiler")
    try:
        locale.setlocale(locale.LC_CTYPE, LOCALE)  # without it the first text from CTP ends the process
    except locale.Error:
        return _lacks(f"the locale {LOCALE} is missing: make setup, or locale-gen {LOCALE}")
    finally:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    try:
        for name in NAMES if drop_in else ():
            ctypes.CDLL(str(Path(drop_in) / name))
        import vnpy_ctp.api  # noqa: F401  # pyright: ignore[reportMissingImports]
    except (OSError, ImportError) as error:
        return _lacks(str(error))
    expected = Path(drop_in).resolve() if drop_in else _of_vnpy_ctp()
    wrong = [path for path in loaded_libraries() if not Path(path).resolve().is_relative_to(expected)]
    if wrong or len(loaded_libraries()) != len(NAMES):
        return _lacks(f"CTP's libraries are {', '.join(wrong) or 'not loaded'}, not those of {expected}")
    return None


def loaded_libraries() -> tuple[str, ...]:
    """The CTP libraries that this process runs, by the kernel's word."""
    with open("/proc/self/maps") as maps:
        paths = {line.split(maxsplit=5)[-1].strip() for line in maps if "libthost" in line}
    return tuple(sorted(path for path in paths if os.path.basename(path) in NAMES))


def _of_vnpy_ctp() -> Path:
    spec = importlib.util.find_spec("vnpy_ctp")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).resolve().parent


def _lacks(message: str) -> Failure:
    return Failure(step=Step.START, kind=Kind.SETUP, message=message)
