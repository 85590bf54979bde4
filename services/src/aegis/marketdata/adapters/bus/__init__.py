"""The way out: ticks to NATS, captured by the stream TICKS, with proof that they are stored; and what is kept there."""

from aegis.marketdata.adapters.bus.env_store import EnvStore
from aegis.marketdata.adapters.bus.follower import OnTick, TickFollower
from aegis.marketdata.adapters.bus.publisher import StreamPublisher
from aegis.marketdata.adapters.bus.publisher_options import PublisherOptions
from aegis.marketdata.adapters.bus.roll_store import RollStore
from aegis.marketdata.adapters.bus.stream import TICKS, ticks_stream
from aegis.marketdata.adapters.bus.universe_store import UniverseStore
from aegis.marketdata.adapters.bus.wish_store import WishStore

__all__ = [
    "TICKS",
    "EnvStore",
    "OnTick",
    "PublisherOptions",
    "RollStore",
    "StreamPublisher",
    "TickFollower",
    "UniverseStore",
    "WishStore",
    "ticks_stream",
]
