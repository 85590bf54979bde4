"""The CTP input adapter."""

from aegis.ctp.attempts import Patience
from aegis.marketdata.adapters.ctp.feed import CtpFeed, CtpOptions
from aegis.marketdata.adapters.ctp.logins import start_of
from aegis.marketdata.adapters.ctp.watched import Limits

__all__ = ["CtpFeed", "CtpOptions", "Limits", "Patience", "start_of"]
