"""The trading service's settings, read once from the environment.

AEGIS_ACCOUNTS          the accounts file (TOML), the same for all instances; without it one paper account, `paper`
AEGIS_RECONCILE_S       seconds between two comparisons of an account with its venue; 60
AEGIS_SETTLE_S          seconds after which a venue is asked once more for an order that it has not heard of; 10

An accounts file has a table for each account:

    [accounts.A1]
    env = "paper"               # sim, paper or live
    group = "desk"              # accounts of one group are one key; an account in none is its own
    venue = "paper"             # who takes its orders

    [accounts.A1.rules]         # how its venue counts; CTP's where they are not given. Read at each start
    [accounts.A1.risk]          # until `aegis_config` has others
    tick_feeds = ["sim/main"]

    [accounts.123456]           # at CTP an account has the name of its user
    env = "sim"                 # that of its profile
    venue = "ctp"
    profile = "simnow"          # a name or a path, whose [primary] it logs in by
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from aegis.accounting.rules import Rules
from aegis.contracts.orders import AccountName, OrderEnv
from aegis.trading.domain.risk import RiskSettings
from aegis_sdk.config import validated
from aegis_sdk.errors import ConfigurationError

__all__ = ["AccountSettings", "TradingSettings"]

_MOST_ACCOUNTS: Final = 500


class AccountSettings(BaseModel):
    """One account, by its name at its venue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: OrderEnv
    group: AccountName | None = None
    venue: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")] = "paper"
    profile: Annotated[str, Field(min_length=1, max_length=1_024)] | None = None
    rules: Rules = Rules()
    risk: RiskSettings = RiskSettings()

    @model_validator(mode="after")
    def _fit_together(self) -> AccountSettings:
        if (self.env == "paper") != (self.venue == "paper"):
            raise ValueError("the paper venue takes paper accounts, and nobody else does")
        if (self.profile is not None) != (self.venue == "ctp"):
            raise ValueError("an account at CTP has a profile to log in by, and nobody else has")
        return self


_ACCOUNTS: Final = TypeAdapter(dict[AccountName, AccountSettings])
_PAPER: Final = {"paper": AccountSettings(env="paper", risk=RiskSettings(tick_feeds=["sim/main"]))}


class TradingSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accounts: Annotated[dict[AccountName, AccountSettings], Field(min_length=1, max_length=_MOST_ACCOUNTS)] = _PAPER
    reconcile_s: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    settle_s: Annotated[float, Field(ge=0, le=3_600)] = 10.0

    @field_validator("accounts")
    @classmethod
    def _one_key_each(cls, accounts: dict[str, AccountSettings]) -> dict[str, AccountSettings]:
        """A group may have the name of an account that is in it, and of no other."""
        for name, account in accounts.items():
            group = account.group
            if group in accounts and (accounts[group].group or group) != group:
                raise ValueError(f"{name} is in group {group}, an account that is in another one")
            if group in accounts and group != name and accounts[group].group is None:
                raise ValueError(f"{name} is in group {group}, an account that is in none")
        return accounts

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """The accounts of each key."""
        groups: dict[str, tuple[str, ...]] = {}
        for name, account in self.accounts.items():
            key = account.group or name
            groups[key] = (*groups.get(key, ()), name)
        return groups

    @property
    def venues(self) -> dict[str, tuple[str, ...]]:
        """The accounts at each venue. A login at CTP is a venue of its own, `ctp-<account>`."""
        venues: dict[str, tuple[str, ...]] = {}
        for name, account in self.accounts.items():
            venue = account.venue if account.profile is None else f"{account.venue}-{name}"
            venues[venue] = (*venues.get(venue, ()), name)
        return venues

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> TradingSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field in cls.model_fields if environment.get(variable := _variable(field))
        }
        if "accounts" in values:
            values["accounts"] = _read(Path(values["accounts"]))
        return validated(cls, values, shown=_variable)


def _read(path: Path) -> dict[str, AccountSettings]:
    variable = _variable("accounts")
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(variable, f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(variable, f"{path} is no TOML: {error}") from None
    if unknown := table.keys() - {"accounts"}:
        raise ConfigurationError(variable, f"{path} has {sorted(unknown)[0]!r} beside `accounts`")
    try:
        return _ACCOUNTS.validate_python(table.get("accounts", {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigurationError(variable, f"{path}: accounts.{where}: {first['msg']}") from None


def _variable(field: str) -> str:
    return f"AEGIS_{field.upper()}"
