"""The CTP input adapter."""

from aegis.marketdata.adapters.ctp.feed import CtpFeed, CtpOptions

__all__ = ["CtpFeed", "CtpOptions"]
