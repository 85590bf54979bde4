"""The CTP input adapter."""

from aegis.marketdata.adapters.ctp.feed import CtpFeed, CtpOptions
from aegis.marketdata.adapters.ctp.logins import start_of

__all__ = ["CtpFeed", "CtpOptions", "start_of"]
