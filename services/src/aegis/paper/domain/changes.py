"""What is journaled of one account: everything that changes it, decided before it is stored.

A change carries its time and whatever it needs, so that applying it anywhere, at any time, makes the same state.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from aegis.contracts.amounts import ZERO, Money, Price
from aegis.contracts.orders import ClientOrderId, Day, Text
from aegis.contracts.venue import InstrumentTerms, Submit

__all__ = [
    "Cancelled",
    "Change",
    "DayBegun",
    "Entered",
    "Fill",
    "Filled",
    "Opened",
    "Voided",
    "read_change",
    "write_change",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Change(_Frozen):
    ts_ns: int


class Opened(_Change):
    """The account begins. `mark` makes its numbers different from other accounts'."""

    kind: Literal["opened"] = "opened"
    account: str
    mark: str
    trading_day: Day
    balance: Money


class Fill(_Frozen):
    """Lots of an order at a price."""

    client_order_id: ClientOrderId
    price: Price
    lots: Annotated[int, Field(ge=1)]


class Entered(_Change):
    """An order came. It is refused, or taken; then it is filled so far, and what is left of it waits or is cancelled.

    `number` is its own in the account; 0, as older journals have it: the one after the last. `terms` are given where
    they are new. `hold_price` is what a lot may cost at most.
    """

    kind: Literal["entered"] = "entered"
    order: Submit
    number: Annotated[int, Field(ge=0)] = 0
    hold_price: Price = ZERO
    terms: InstrumentTerms | None = None
    refused: str = ""
    text: Text = ""
    fills: list[Fill] = []
    ended: str = ""  # why what is left is cancelled at once


class Filled(_Change):
    """Orders that waited were filled."""

    kind: Literal["filled"] = "filled"
    fills: Annotated[list[Fill], Field(min_length=1)]


class Cancelled(_Change):
    """An order was cancelled because its owner asked."""

    kind: Literal["cancelled"] = "cancelled"
    client_order_id: ClientOrderId


class Voided(_Change):
    """A name that no order has will never have one: somebody has cancelled it."""

    kind: Literal["voided"] = "voided"
    client_order_id: ClientOrderId


class DayBegun(_Change):
    """A new trading day: positions are settled at these prices, orders expire, today's lots are yesterday's."""

    kind: Literal["day_begun"] = "day_begun"
    trading_day: Day
    settlements: dict[str, Price]


Change = Opened | Entered | Filled | Cancelled | Voided | DayBegun
_CHANGE: Final[TypeAdapter[Change]] = TypeAdapter(Annotated[Change, Field(discriminator="kind")])


def read_change(data: bytes) -> Change:
    """Raises pydantic's ValidationError, a ValueError, for what `write_change` has not written."""
    return _CHANGE.validate_json(data)


def write_change(change: Change) -> bytes:
    return _CHANGE.dump_json(change, exclude_defaults=False)
