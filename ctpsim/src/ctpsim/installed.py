"""Where `ctpsim build` leaves what, and whether it is there."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Final

from aegis_sdk.errors import ConfigurationError
from ctpsim.headers import Layout

__all__ = ["LIBRARIES", "LOCALE", "gate", "headers", "layout", "layout_file", "libraries", "locale_directory", "share"]

LIBRARIES: Final = {"M": "libthostmduserapi_se.so", "T": "libthosttraderapi_se.so"}
LOCALE: Final = "zh_CN.GB18030"


def share() -> Path:
    return Path(sys.prefix) / "share" / "ctpsim"


def libraries() -> Path:
    """The directory of the drop-in libraries."""
    return share() / "lib"


def gate() -> Path:
    """What stands between a market data library and its user, in a desk too: so it is not of ours, like the locale."""
    return Path(sys.prefix) / "share" / "aegis" / "lib" / LIBRARIES["M"]


def headers() -> Path:
    """CTP's own headers, as they were fetched."""
    return share() / "include"


def layout_file() -> Path:
    return share() / "layout.json"


def locale_directory() -> Path:
    """The LOCPATH with which CTP's texts can be read."""
    return Path(sys.prefix) / "share" / "aegis" / "locale"


@cache
def layout() -> Layout:
    """The layout that the libraries were built with. Raises ConfigurationError where they were not."""
    try:
        return Layout.from_json(layout_file().read_bytes())
    except FileNotFoundError:
        raise ConfigurationError("ctpsim", "its libraries are not built: make setup, or ctpsim build") from None
