"""The trading service put together: the only place that knows all of its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aegis.contracts.orders import OrderEnv
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

__all__ = ["build", "trading"]

VenueOf = Callable[[Transport, tuple[str, ...]], Venue]
"""Makes a venue of a connection and the accounts that are traded there."""

_VENUES: Final[Mapping[str, VenueOf]] = {"paper": PaperVenue}
_VOIDING: Final = frozenset(("paper",))


def build(environment: Mapping[str, str]) -> Trading:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong."""
    settings = TradingSettings.from_environment(environment)
    for name, account in settings.accounts.items():
        if account.venue not in _VENUES:
            known = ", ".join(sorted(_VENUES)) or "none"
            raise ConfigurationError("AEGIS_ACCOUNTS", f"{name} is traded at {account.venue!r}; known venues: {known}")
    return trading(settings, _VENUES, Settings.from_environment(environment).nats_replicas)


def trading(settings: TradingSettings, venues: Mapping[str, VenueOf], replicas: int = 1) -> Trading:
    """The service at these venues."""

    def parts(transport: Transport) -> Parts:
        def market(may_hear: Callable[[str], tuple[OrderEnv, RiskSettings]]) -> Market:
            return Market(transport, may_hear)

        def accounts_at(venue: str) -> tuple[str, ...]:
            return tuple(name for name, account in settings.accounts.items() if account.venue == venue)

        used = sorted({account.venue for account in settings.accounts.values()})
        risk = {name: account.risk for name, account in settings.accounts.items()}
        return Parts(
            venues={name: venues[name](transport, accounts_at(name)) for name in used},
            market=market,
            config=ConfigStore(transport, risk, replicas=replicas),
            statements=StatementStore(transport, replicas=replicas),
            events=Events(transport, replicas=replicas),
            voiding=_VOIDING,
        )

    return Trading(settings, parts)
