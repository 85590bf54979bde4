"""The paper venue behind the port of trading."""

from aegis.trading.adapters.paper.venue import PaperVenue

__all__ = ["PaperVenue"]
