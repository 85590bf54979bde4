"""The trading service put together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aegis.contracts.orders import OrderEnv
from aegis.profiles import load
from aegis.trading.adapters.ctp import CtpVenue, start_of
from aegis.trading.adapters.ctp.frames import Start
from aegis.trading.adapters.paper import PaperVenue
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.endpoints import Parts, Trading
from aegis.trading.market import Market
from aegis.trading.ports import Venue
from aegis.trading.settings import TradingSettings
from aegis.trading.stores import ConfigStore, StatementStore
from aegis_sdk.config import Settings
from aegis_sdk.errors import ConfigurationError
from aegis_sdk.events import Events
from aegis_sdk.transport import Transport

__all__ = ["build"]

_VENUES: Final = ("ctp", "paper")
_VOIDING: Final = frozenset(("paper",))


def build(environment: Mapping[str, str]) -> Trading:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong: of a profile, all."""
    settings = TradingSettings.from_environment(environment)
    replicas = Settings.from_environment(environment).nats_replicas
    starts = _starts(settings, environment)

    def venue(transport: Transport, accounts: tuple[str, ...]) -> Venue:
        start = starts.get(accounts[0])
        if start is None:
            return PaperVenue(transport, accounts)
        return CtpVenue(start, known=partial(service.names, accounts[0]))

    def parts(transport: Transport) -> Parts:
        def market(may_hear: Callable[[str], tuple[OrderEnv, RiskSettings]]) -> Market:
            return Market(transport, may_hear)

        return Parts(
            venues={name: venue(transport, accounts) for name, accounts in settings.venues.items()},
            market=market,
            config=ConfigStore(
                transport, {name: account.risk for name, account in settings.accounts.items()}, replicas=replicas
            ),
            statements=StatementStore(transport, replicas=replicas),
            events=Events(transport, replicas=replicas),
            voiding=_VOIDING,
        )

    service = Trading(settings, parts)
    return service


def _starts(settings: TradingSettings, environment: Mapping[str, str]) -> dict[str, Start]:
    """How each account at CTP logs in; its profile must be that account's."""
    starts: dict[str, Start] = {}
    for name, account in settings.accounts.items():
        if account.venue not in _VENUES:
            says = f"{name} is traded at {account.venue!r}; known venues: {', '.join(_VENUES)}"
            raise ConfigurationError("AEGIS_ACCOUNTS", says)
        if account.profile is None:
            continue
        profile = load(account.profile, environment)
        of = profile.primary.user_id, profile.env
        if of != (name, account.env):
            says = f"{name} ({account.env}) is not the account of the profile {profile.name}: {of[0]} ({of[1]})"
            raise ConfigurationError("AEGIS_ACCOUNTS", says)
        starts[name] = start_of(profile, profile.primary)
    return starts
