"""The CTP input adapter."""

from aegis.marketdata.adapters.ctp.feed import CtpFeed, CtpOptions
from aegis.marketdata.adapters.ctp.logins import libraries_for, start_of

__all__ = ["CtpFeed", "CtpOptions", "libraries_for", "start_of"]
