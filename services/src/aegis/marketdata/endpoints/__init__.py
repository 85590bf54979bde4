"""The market data service: its life, and what it can be asked."""

from aegis.marketdata.endpoints.service import MarketData, Parts

__all__ = ["MarketData", "Parts"]
