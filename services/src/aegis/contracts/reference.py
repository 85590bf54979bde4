"""Which contract of a product leads, and which led it when.

A *roll* is the first trading day on which another contract is the main one. A product's rolls in order are its
continuous contract: prices are those of the contract that led on the day. docs/reference-data.md states the rule.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from aegis_sdk.method import Method

__all__ = [
    "CONTINUOUS",
    "MAINS",
    "RULE",
    "ContinuousReply",
    "ContinuousRequest",
    "MainView",
    "MainsReply",
    "MainsRequest",
    "RollView",
]

RULE: Final = 1
"""The version of the rule; a history says by which it was made."""

_SERVICE: Final = "marketdata"

Text = Annotated[str, Field(max_length=128)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MainsRequest(_Frozen):
    """Which products, by exchange and code where given."""

    exchange: Text = ""
    product: Text = ""


class MainView(_Frozen):
    """The leading contracts of one product, by name such as `SHFE.rb2505`. Days are trading days, `YYYYMMDD`."""

    exchange: str
    product: str
    main: str
    second: str  # the later contract with the most open interest; empty where there is none
    since: str  # the first day on which `main` led
    decided_day: str  # at whose close that was looked at last; it holds from the day after
    revision: int  # grows with each decision
    rule: int


class MainsReply(_Frozen):
    """All that fit, by exchange and product."""

    mains: list[MainView]


class ContinuousRequest(_Frozen):
    """One product; without an exchange, on whichever has it."""

    product: Annotated[str, Field(min_length=1, max_length=128)]
    exchange: Text = ""


class RollView(_Frozen):
    """One roll. Prices are the last ones of the day before it, in yuan: both at the same moment."""

    from_day: str
    contract: str
    decided_day: str
    old_contract: str  # empty for the first
    old_price: float | None  # of the old contract
    new_price: float | None


class ContinuousReply(_Frozen):
    """The rolls of a product, oldest first, at least one."""

    exchange: str
    product: str
    decided_day: str
    revision: int
    rule: int
    rolls: list[RollView]

    def contract_on(self, day: str) -> str:
        """The contract that led on a trading day; empty before the first that is known."""
        place = bisect_right([roll.from_day for roll in self.rolls], day)
        return self.rolls[place - 1].contract if place else ""

    def shift_on(self, day: str) -> float | None:
        """What is added to a price of `day` to compare it with one of today, in yuan: the gaps of all rolls since.

        None where a price of a roll is not known.
        """
        gaps = [
            None if roll.old_price is None or roll.new_price is None else roll.new_price - roll.old_price
            for roll in self.rolls
            if roll.from_day > day and roll.old_contract
        ]
        return None if None in gaps else sum(gap for gap in gaps if gap is not None)


MAINS: Final = Method(_SERVICE, "mains", MainsRequest, MainsReply, idempotent=True)
CONTINUOUS: Final = Method(_SERVICE, "continuous", ContinuousRequest, ContinuousReply, idempotent=True)
