"""The way out: ticks to NATS, captured by the stream TICKS, with proof that they are stored."""

from aegis.marketdata.adapters.bus.publisher import PublisherOptions, StreamPublisher
from aegis.marketdata.adapters.bus.stream import TICKS, ticks_stream

__all__ = ["TICKS", "PublisherOptions", "StreamPublisher", "ticks_stream"]
