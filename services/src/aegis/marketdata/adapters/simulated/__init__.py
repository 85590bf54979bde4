"""A simulated market: a feed that needs nothing, at any hour. The engine is pure, `feed` is its edge."""

from aegis.marketdata.adapters.simulated.feed import SimulatedFeed, SimulatedOptions

__all__ = ["SimulatedFeed", "SimulatedOptions"]
