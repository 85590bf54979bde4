"""What is journaled: everything that changes the state of an account group, in the words it is told in.

A change carries its time and whatever it needs, so that applying it anywhere, at any time, makes the same state. What
belongs together is one entry of the journal: a list of changes, applied all or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from aegis.accounting.rules import Rules
from aegis.contracts.amounts import ZERO, Money, Price
from aegis.contracts.orders import AccountName, ClientOrderId, Day, Mode, Order, OrderEnv, Text
from aegis.contracts.venue import (
    InstrumentTerms,
    Submitted,
    VenueAccount,
    VenueOrder,
    VenuePosition,
    VenueTrade,
)

__all__ = [
    "AccountOpened",
    "Adopted",
    "Answered",
    "BooksTaken",
    "CameFrom",
    "CancelAnswered",
    "CancelAsked",
    "CashMoved",
    "Change",
    "DayRolled",
    "Intended",
    "ModeSet",
    "OrderTold",
    "OrdersIntended",
    "RulesSet",
    "TermsLearned",
    "TradeTold",
    "read_change",
    "read_changes",
    "write_change",
    "write_changes",
    "write_entries",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Change(_Frozen):
    account: AccountName
    ts_ns: int


class CameFrom(_Frozen):
    """The key under which an account was traded before, and its last event there."""

    key: str
    sequence: int


class AccountOpened(_Change):
    """An account is known from now on. A live one is disarmed.

    Opened in another env than before it begins anew: what it had there is of another venue. So does one that comes from
    another key: halted, and its events go on behind those that it had there. So does one whose books were never taken
    on the day on which it was opened.
    """

    kind: Literal["account_opened"] = "account_opened"
    env: OrderEnv
    trading_day: Day
    pre_balance: Money
    rules: Rules = Rules()
    came_from: CameFrom | None = None


class RulesSet(_Change):
    kind: Literal["rules_set"] = "rules_set"
    rules: Rules


class TermsLearned(_Change):
    """How an instrument is traded; before its first order, and when its rates have changed."""

    kind: Literal["terms_learned"] = "terms_learned"
    terms: InstrumentTerms


class Intended(_Frozen):
    """An order about to be sent; `hold_price` is what a lot of it may cost at most, its limit where it has one."""

    order: Order
    hold_price: Price


class OrdersIntended(_Change):
    """Orders that passed the checks; stored before the venue hears of them."""

    kind: Literal["orders_intended"] = "orders_intended"
    orders: Annotated[list[Intended], Field(min_length=1)]


class Answered(_Change):
    """What the venue, or the way there, said to the submission of an order."""

    kind: Literal["answered"] = "answered"
    client_order_id: ClientOrderId
    answer: Submitted


class OrderTold(_Change):
    """The venue reported an order of ours."""

    kind: Literal["order_told"] = "order_told"
    client_order_id: ClientOrderId
    report: VenueOrder


class Adopted(_Change):
    """The venue has an order that nobody here asked for; from now on it is one of ours, under this name."""

    kind: Literal["adopted"] = "adopted"
    client_order_id: ClientOrderId
    report: VenueOrder


class TradeTold(_Change):
    """The venue reported a trade of an order of ours."""

    kind: Literal["trade_told"] = "trade_told"
    client_order_id: ClientOrderId
    report: VenueTrade


class CancelAsked(_Change):
    """Somebody wants an order cancelled; stored before the venue hears of it."""

    kind: Literal["cancel_asked"] = "cancel_asked"
    client_order_id: ClientOrderId


class CancelAnswered(_Change):
    """The venue's word on a cancel. Refused or not sent, the order goes on as if nobody had asked."""

    kind: Literal["cancel_answered"] = "cancel_answered"
    client_order_id: ClientOrderId
    answer: Submitted


class ModeSet(_Change):
    """With `at_least` a stricter mode stays: what the service decides by itself may cross what a person has decided.

    A kill wants no order to work, from now on and until the account is halted no more. Without a mode it arms alone.
    """

    kind: Literal["mode_set"] = "mode_set"
    mode: Mode | None = None
    at_least: bool = False
    kills: bool = False
    armed: bool | None = None
    reason: Text = ""


class CashMoved(_Change):
    """Deposits and withdrawals of the day so far, as the venue counts them."""

    kind: Literal["cash_moved"] = "cash_moved"
    deposit: Money = ZERO
    withdraw: Money = ZERO


class DayRolled(_Change):
    """A new trading day: by these settlement prices positions are settled, orders are gone, counts begin anew.

    `ended` are contracts behind their last day that the venue has no more. By what they were settled it does not tell:
    its `pre_balance` is ours then.
    """

    kind: Literal["day_rolled"] = "day_rolled"
    trading_day: Day
    settlements: dict[str, Price] = {}
    ended: list[str] = []
    pre_balance: Money | None = None


class BooksTaken(_Change):
    """Positions and money as the venue has them, in place of ours: at the first start, or by somebody's decision.

    Orders and trades of the day stay as they are.
    """

    kind: Literal["books_taken"] = "books_taken"
    state: VenueAccount
    positions: list[VenuePosition]
    reason: Text = ""


Change = (
    AccountOpened
    | RulesSet
    | TermsLearned
    | OrdersIntended
    | Answered
    | OrderTold
    | Adopted
    | TradeTold
    | CancelAsked
    | CancelAnswered
    | ModeSet
    | CashMoved
    | DayRolled
    | BooksTaken
)
_Told = Annotated[Change, Field(discriminator="kind")]
_CHANGE: Final[TypeAdapter[Change]] = TypeAdapter(_Told)
_CHANGES: Final[TypeAdapter[list[Change]]] = TypeAdapter(list[_Told])
_MOST_BYTES: Final = 400 * 1024
"""Of an entry: the ledger refuses more than 512 KiB."""


def read_change(data: bytes) -> Change:
    """Raises pydantic's ValidationError, a ValueError, for what `write_change` has not written."""
    return _CHANGE.validate_json(data)


def write_change(change: Change) -> bytes:
    return _CHANGE.dump_json(change)


def read_changes(data: bytes) -> list[Change]:
    """An entry of the journal. Raises as `read_change` does."""
    return _CHANGES.validate_json(data)


def write_changes(changes: Sequence[Change]) -> bytes:
    """What belongs together, as one entry of the journal."""
    return _CHANGES.dump_json(list(changes))


def write_entries(changes: Sequence[Change]) -> list[bytes]:
    """Changes of which each may stand alone, in as few entries as hold them, in their order.

    A day that was missed has thousands: an entry that is too large would be refused again and again.
    """
    whole = write_changes(changes)
    if len(whole) <= _MOST_BYTES:
        return [whole]
    entries: list[list[bytes]] = [[]]
    size = 0
    for one in map(write_change, changes):
        size += len(one) + 1
        if size > _MOST_BYTES and entries[-1]:
            entries.append([])
            size = len(one) + 1
        entries[-1].append(one)
    return [b"[" + b",".join(entry) + b"]" for entry in entries]
