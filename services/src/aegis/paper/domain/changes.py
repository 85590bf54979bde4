"""What is journaled of one account: everything that changes it, decided before it is stored.

What was decided together is one record of the journal: a list of changes, applied all or none. A change carries its
time and whatever it needs, so that applying it anywhere, at any time, makes the same state.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    "read_changes",
    "write_changes",
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
    """A new trading day: positions are settled at these prices, orders expire, today's lots are yesterday's.

    `ended` are contracts behind their last day, of which nothing is held any more.
    """

    kind: Literal["day_begun"] = "day_begun"
    trading_day: Day
    settlements: dict[str, Price]
    ended: list[str] = []


Change = Opened | Entered | Filled | Cancelled | Voided | DayBegun
_Told = Annotated[Change, Field(discriminator="kind")]
_CHANGE: Final[TypeAdapter[Change]] = TypeAdapter(_Told)
_CHANGES: Final[TypeAdapter[list[Change]]] = TypeAdapter(list[_Told])


def read_changes(data: bytes) -> list[Change]:
    """A list, or one change by itself, as older journals have it.

    Raises pydantic's ValidationError, a ValueError, for anything else.
    """
    return _CHANGES.validate_json(data) if data.startswith(b"[") else [_CHANGE.validate_json(data)]


def write_changes(changes: Sequence[Change]) -> bytes:
    return _CHANGES.dump_json(list(changes))
