"""The market data service put together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aegis.contracts.subscriptions import Scope
from aegis.contracts.tick_codec import tick_codec
from aegis.marketdata.adapters.bus import (
    EnvStore,
    OnTick,
    PublisherOptions,
    RollStore,
    StreamPublisher,
    TickFollower,
    UniverseStore,
    WishStore,
    ticks_stream,
)
from aegis.marketdata.adapters.ctp import CtpFeed, CtpOptions, Limits, Patience, start_of
from aegis.marketdata.adapters.replay import ReplayFeed, ReplayOptions
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.bridge import DEFAULT_SIZE, StateHandler
from aegis.marketdata.domain.expectation import all_trade
from aegis.marketdata.endpoints import MarketData, Parts
from aegis.marketdata.pipeline import Pipeline, held_through
from aegis.marketdata.ports import Feed, FlowControl
from aegis.marketdata.settings import MarketDataSettings
from aegis.profiles import CtpProfile, load
from aegis.resting_ticks import RestingTicks
from aegis_sdk.config import Settings
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.events import Events
from aegis_sdk.transport import Transport

__all__ = ["build"]

_CTP_BRIDGE: Final = 1_024
"""What does not fit waits in the ring of the CTP session, where the newest of an instrument need not wait long."""


def build(environment: Mapping[str, str]) -> MarketData:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong: of a profile, all."""
    settings = MarketDataSettings.from_environment(environment)
    replicas = Settings.from_environment(environment).nats_replicas
    profile = load(settings.profile, environment) if settings.profile else None
    feed, flow = _feed(settings, profile)
    options = PublisherOptions(ring=settings.republish_ticks)
    held_size = held_through(settings.ctp_stall_s if profile else 0)
    bridge_size = settings.bridge_ticks or (_CTP_BRIDGE if profile else DEFAULT_SIZE)

    def parts(transport: Transport) -> Parts:
        codec = tick_codec(settings.codec)
        stream = ticks_stream(
            replicas=replicas,
            max_bytes=settings.ticks_max_bytes,
            max_age_s=settings.ticks_max_age_hours * 3600,
        )

        def make_pipeline(on_changed: StateHandler) -> Pipeline:
            outlet = StreamPublisher(transport, codec.headers, options, stream)
            return Pipeline(codec, outlet, bridge_size=bridge_size, held_size=held_size, on_changed=on_changed)

        def make_follower(on_tick: OnTick, after: int) -> TickFollower:
            pickled = settings.codec == "pickle"
            return TickFollower(
                transport, stream, settings.feed, feed.market, on_tick, after=after, allow_pickle=pickled
            )

        return Parts(
            feed=feed,
            flow=flow,
            desk=_desk(settings),
            wishes=WishStore(transport, settings.feed, replicas=replicas),
            universes=UniverseStore(transport, settings.feed, replicas=replicas),
            rolls=RollStore(transport, settings.feed, replicas=replicas),
            resting=RestingTicks(transport, replicas=replicas),
            envs=EnvStore(transport, settings.feed),
            events=Events(transport, replicas=replicas),
            make_pipeline=make_pipeline,
            make_follower=make_follower,
        )

    return MarketData(settings, parts, profile)


def _feed(settings: MarketDataSettings, profile: CtpProfile | None) -> tuple[Feed, FlowControl]:
    """The feed, and how much it may be asked for at once: a replay everything, since it begins with the first."""
    if profile is not None:
        return _ctp_feed(settings, profile), FlowControl()
    if settings.replay is not None:
        return ReplayFeed(ReplayOptions(path=settings.replay, speed=settings.speed)), FlowControl(batch=None)
    simulated = SimulatedOptions(
        seed=settings.seed,
        rate=settings.rate,
        in_turn=settings.in_turn,
        speed=settings.speed,
        wall_clock=settings.wall_clock,
        universe=settings.universe,
    )
    return SimulatedFeed(simulated), FlowControl()


def _ctp_feed(settings: MarketDataSettings, profile: CtpProfile) -> CtpFeed:
    login = profile.primary if settings.login == "primary" else profile.backup
    if login is None:
        raise ConfigurationError("AEGIS_LOGIN", f"the profile {profile.name} has no [backup]")
    return CtpFeed(
        f"{profile.name}.{settings.login}",
        profile.name,
        profile.env,
        start_of(profile, login),
        CtpOptions(limits=Limits(stall_s=settings.ctp_stall_s), patience=Patience(attempts=settings.ctp_attempts)),
        expects=all_trade,
    )


def _desk(settings: MarketDataSettings) -> tuple[Scope, ...]:
    """What the desk wants, as data. All of a replay: else rows of options would be left out of it."""
    wanted = settings.wanted or ("futures" if settings.replay is None else "everything")
    return {"futures": (Scope(),), "everything": (Scope(kind=None),), "nothing": ()}[wanted]
