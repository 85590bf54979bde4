"""The CTP input adapter. Its parts are imported when they are asked for: a session's process reads this too."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aegis.ctp.attempts import Patience
    from aegis.marketdata.adapters.ctp.feed import CtpFeed, CtpOptions
    from aegis.marketdata.adapters.ctp.logins import start_of
    from aegis.marketdata.adapters.ctp.watched import Limits

__all__ = ["CtpFeed", "CtpOptions", "Limits", "Patience", "start_of"]

_MODULES: Final = {
    "CtpFeed": f"{__name__}.feed",
    "CtpOptions": f"{__name__}.feed",
    "Limits": f"{__name__}.watched",
    "Patience": "aegis.ctp.attempts",
    "start_of": f"{__name__}.logins",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
