"""Recorded ticks, played again as a feed."""

from aegis.marketdata.adapters.replay.feed import Rejections, ReplayFeed, ReplayOptions
from aegis.marketdata.adapters.replay.reading import RecordingUnreadable, read_quotes

__all__ = ["RecordingUnreadable", "Rejections", "ReplayFeed", "ReplayOptions", "read_quotes"]
