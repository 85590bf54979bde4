"""The CTP venue."""

from aegis.ctp.attempts import Patience
from aegis.trading.adapters.ctp.logins import start_of
from aegis.trading.adapters.ctp.queries import Pace
from aegis.trading.adapters.ctp.venue import CtpVenue, VenueOptions
from aegis.trading.adapters.ctp.watched import Limits

__all__ = ["CtpVenue", "Limits", "Pace", "Patience", "VenueOptions", "start_of"]
