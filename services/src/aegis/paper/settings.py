"""The paper venue's settings, read once from the environment.

AEGIS_PAPER_ACCOUNTS  accounts and the balance each begins with: `P1=1000000,P2=500000`; needed
AEGIS_PAPER_TICKS     sim or live: the env of the ticks that orders trade against, and of no others; needed
AEGIS_PAPER_FEED      the feed set whose ticks those are; `main` where it is not given
AEGIS_PAPER_RATES     a file of margins and commissions in place of the defaults, as `aegis/paper/domain/rates.toml`
AEGIS_PAPER_STALE_S   seconds after which a tick is too old to trade against; 10
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aegis.contracts.market import Env
from aegis.contracts.orders import AccountName
from aegis_sdk.config import validated

__all__ = ["PaperSettings"]


def _accounts(value: Any) -> Any:
    """`P1=1000000,P2=500000` as a mapping."""
    if not isinstance(value, str):
        return value
    pairs = [pair.partition("=") for pair in value.split(",")]
    if any(not (name.strip() and equals and balance.strip()) for name, equals, balance in pairs):
        raise ValueError("accounts are written NAME=BALANCE, with commas between them")
    named = {name.strip(): balance.strip() for name, _, balance in pairs}
    if len(named) < len(pairs):
        raise ValueError("an account is there twice")
    return named


class PaperSettings(BaseModel):
    """Frozen; validated when built. The balance of an account counts when it is opened, and never again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accounts: Annotated[
        dict[AccountName, Annotated[Decimal, Field(gt=0, le=10**12, decimal_places=2)]],
        Field(min_length=1, max_length=200),
        BeforeValidator(_accounts),
    ]
    ticks: Env
    feed: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "main"
    rates: Path | None = None
    stale_s: Annotated[float, Field(gt=0, le=3600)] = 10.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> PaperSettings:
        """Read the variables listed above. Raises ConfigurationError naming the variable that is wrong."""
        values: dict[str, Any] = {
            field: environment[variable] for field in cls.model_fields if environment.get(variable := _variable(field))
        }
        return validated(cls, values, shown=_variable)


def _variable(field: str) -> str:
    return f"AEGIS_PAPER_{field.upper()}"
