"""The trading service as it meets its callers."""

from aegis.trading.endpoints.service import Parts, Trading

__all__ = ["Parts", "Trading"]
