"""The market data service put together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aegis.contracts.tick_codec import tick_codec
from aegis.marketdata.adapters.bus import PublisherOptions, StreamPublisher, ticks_stream
from aegis.marketdata.adapters.replay import ReplayFeed, ReplayOptions
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.endpoints import MarketData, Parts
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import Feed, FeedState
from aegis.marketdata.settings import MarketDataSettings
from aegis.profiles import CtpProfile, load
from aegis_sdk.config import Settings
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.events import Events
from aegis_sdk.kv import KeyValue
from aegis_sdk.transport import Transport

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> MarketData:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong: of a profile, all."""
    settings = MarketDataSettings.from_environment(environment)
    replicas = Settings.from_environment(environment).nats_replicas
    profile = load(settings.profile, environment) if settings.profile else None
    feed = _feed(settings, profile)
    options = PublisherOptions(ring=settings.republish_ticks)

    def parts(transport: Transport) -> Parts:
        codec = tick_codec(settings.codec)
        stream = ticks_stream(
            replicas=replicas,
            max_bytes=settings.ticks_max_bytes,
            max_age_s=settings.ticks_max_age_hours * 3600,
        )

        def make_pipeline(origin: Origin, on_changed: Callable[[FeedState, str], None]) -> Pipeline:
            outlet = StreamPublisher(transport, origin, codec.headers, options, stream)
            return Pipeline(origin, codec, outlet, bridge_size=settings.bridge_ticks, on_changed=on_changed)

        async def next_epoch() -> int:
            """The revision of a key that is written at each start: it only ever grows, whatever the clocks say."""
            bucket = KeyValue(transport, "aegis_config")
            await bucket.ensure(replicas=replicas)
            return await bucket.put(f"marketdata.{settings.feed}.epoch", b"")

        return Parts(
            feed=feed,
            events=Events(transport, replicas=replicas),
            next_epoch=next_epoch,
            make_pipeline=make_pipeline,
        )

    return MarketData(settings, parts, profile)


def _feed(settings: MarketDataSettings, profile: CtpProfile | None) -> Feed:
    if profile is not None:
        raise ConfigurationError("AEGIS_PROFILE", "there is no adapter for CTP yet")
    if settings.replay is not None:
        return ReplayFeed(ReplayOptions(path=settings.replay, speed=settings.speed))
    return SimulatedFeed(
        SimulatedOptions(seed=settings.seed, rate=settings.rate, speed=settings.speed, wall_clock=settings.wall_clock)
    )
