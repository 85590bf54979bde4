"""Trading: what accounts have, placing and cancelling orders, modes, and the ways out of everything."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from aegis.contracts.amounts import Price
from aegis.contracts.orders import (
    Account,
    AccountName,
    ClientOrderId,
    Hedge,
    InstrumentName,
    Mode,
    Offset,
    Order,
    OrderEnv,
    OrderType,
    Position,
    Side,
    StrategyId,
)
from aegis.contracts.orders import Text as Reason
from aegis.contracts.trading import (
    ACCOUNT,
    CANCEL_ORDER,
    KILL,
    ORDERS,
    POSITIONS,
    RECONCILE,
    SET_MODE,
    TRADES,
    AccountRequest,
    CancelOrder,
    FlattenReply,
    FlattenRequest,
    KillReply,
    KillRequest,
    OrderRequest,
    OrdersReply,
    OrdersRequest,
    PlaceOrderReply,
    PositionsRequest,
    ReconcileReply,
    ReconcileRequest,
    SetMode,
    SplitPolicy,
    TradesReply,
    TradesRequest,
)
from aegis.management.access.guard import needs
from aegis.management.access.roles import Role
from aegis.management.accounts import environment_of, key_of, keys_by_account
from aegis.management.audit import Caller
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, ProblemBody, problem_of, responses
from aegis.order_calls import cancels_asked, flattened, placed
from aegis_sdk.method import Method

__all__ = ["router"]

router = APIRouter(prefix="/api/trading", tags=["trading"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]
Trader = Annotated[Caller, needs(Role.TRADER)]
Operator = Annotated[Caller, needs(Role.OPERATOR)]
Of = Annotated[AccountName, Path(examples=["paper"])]
Reply = TypeVar("Reply", bound=BaseModel)

_CALL_S: Final = 5.0
_NAMED: Final = 20


class AccountListed(BaseModel):
    """An account, the key that its group is of the service `trading`, and where its orders go.

    `env` is None where no living instance of `trading` says it, or two do not agree: it may be live.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"account": "paper", "key": "paper", "env": "paper"}]})

    account: str
    key: str
    env: OrderEnv | None


class NotCancelled(BaseModel):
    """An order that could not be asked to be cancelled, or of which that is not known, and why."""

    client_order_id: str
    problem: ProblemBody


class CancelAllReply(BaseModel):
    """The orders that the venue was asked to cancel, and those where that went wrong."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"asked": ["7f3a0c1b22d9e455"], "failed": []}]})

    asked: list[str]
    failed: list[NotCancelled]


class Ticket(BaseModel):
    """An order to be placed. Asked again with the same `client_order_id` it is done once; without, it is a new one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"instrument": "SHFE.rb2605", "side": "buy", "offset": "open", "price": "3100", "volume": 2}]
        },
    )

    client_order_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,32}$")] = ""
    strategy_id: StrategyId = ""
    instrument: InstrumentName
    side: Side
    offset: Offset = "open"
    split: SplitPolicy | None = None
    hedge: Hedge = "speculation"
    type: OrderType = "limit"
    price: Price | None = None
    volume: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _market_is_at_any_price(self) -> Ticket:
        if self.type == "market" and self.price is not None:
            raise ValueError("a market order has no price")
        return self


class ModeChange(BaseModel):
    """What is left out stays as it is, and one is given; only a person arms a live account.

    `was` is the mode that one has seen: 412 where the account has another one by now.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"mode": "close_only", "was": "normal", "reason": "end of the day"}]},
    )

    mode: Mode | None = None
    was: Mode | None = None
    armed: bool | None = None
    reason: Reason = ""

    @model_validator(mode="after")
    def _sets_something(self) -> ModeChange:
        if self.mode is None and self.armed is None:
            raise ValueError("neither `mode` nor `armed` is given")
        return self


class Why(BaseModel):
    """For those who read of it later."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "the strategy runs wild"}]})

    reason: Reason = ""


class Flatten(BaseModel):
    """`confirm` repeats the account's name. Without instruments all positions are closed."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"confirm": "paper"}]})

    confirm: Annotated[str, Field(max_length=32)]
    instruments: Annotated[list[InstrumentName], Field(max_length=500)] = []


@router.get("/accounts", responses=responses(401, 403, 503))
async def list_accounts(_: Viewer, at: With) -> list[AccountListed]:
    """The accounts that the desk trades, by name."""
    keys = await keys_by_account(at.transport, at.view)
    return [
        AccountListed(account=account, key=key, env=environment_of(at.view, account)) for account, key in keys.items()
    ]


@router.get("/accounts/{account}", responses=responses(401, 403, 404, 422, 503, 504))
async def get_account(account: Of, _: Viewer, at: With) -> Account:
    """Money and mode."""
    return (await _call(at, ACCOUNT, account, AccountRequest(account=account))).state


@router.get("/accounts/{account}/positions", responses=responses(401, 403, 404, 422, 503, 504))
async def list_positions(account: Of, _: Viewer, at: With) -> list[Position]:
    """Every direction with lots, or with trades of the day."""
    return (await _call(at, POSITIONS, account, PositionsRequest(account=account))).positions


@router.get("/accounts/{account}/orders", responses=responses(401, 403, 404, 422, 503, 504))
async def list_orders(
    account: Of,
    _: Viewer,
    at: With,
    working: bool = False,
    instrument: Annotated[str, Query(max_length=90)] = "",
    strategy_id: Annotated[StrategyId, Query()] = "",
    after: Annotated[str, Query(max_length=36)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
) -> OrdersReply:
    """Orders of the trading day; a page begins behind `after`, a client_order_id."""
    request = OrdersRequest(
        account=account, working=working, instrument=instrument, strategy_id=strategy_id, after=after, limit=limit
    )
    return await _call(at, ORDERS, account, request)


@router.get("/accounts/{account}/trades", responses=responses(401, 403, 404, 422, 503, 504))
async def list_trades(
    account: Of,
    _: Viewer,
    at: With,
    strategy_id: Annotated[StrategyId, Query()] = "",
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 500,
) -> TradesReply:
    """Trades of the trading day in the order they came, from the `after`th on."""
    request = TradesRequest(account=account, strategy_id=strategy_id, after=after, limit=limit)
    return await _call(at, TRADES, account, request)


@router.post("/accounts/{account}/orders", responses=responses(401, 403, 404, 422, 503, 504))
async def place_order(account: Of, asked: Ticket, caller: Trader, at: With) -> PlaceOrderReply:
    """Place an order. 422: the checks said no, nothing was sent; 504: ask again with the same client_order_id."""
    name = asked.client_order_id or secrets.token_hex(8)
    ticket = asked.model_dump(exclude={"client_order_id"})
    said = asked.model_dump(mode="json", exclude_defaults=True) | {"client_order_id": name}
    async with at.trail.action(caller, "place_order", f"{account}/{name}", said):
        if asked.split is not None and asked.offset != "close":
            raise Problem("invalid", "split_of_close", offset=asked.offset)
        request = OrderRequest(account=account, client_order_id=name, **ticket)
        return await placed(at.client, await key_of(at.transport, at.view, account), request, _CALL_S)


@router.post("/accounts/{account}/orders/{order}/cancel", responses=responses(401, 403, 404, 422, 503, 504))
async def cancel_order(
    account: Of, order: Annotated[ClientOrderId, Path(examples=["7f3a0c1b22d9e455"])], caller: Trader, at: With
) -> Order:
    """Ask the venue to cancel an order; whether it was cancelled, a report says."""
    async with at.trail.action(caller, "cancel_order", f"{account}/{order}"):
        return (await _call(at, CANCEL_ORDER, account, CancelOrder(account=account, client_order_id=order))).order


@router.post("/accounts/{account}/cancel-all", responses=responses(401, 403, 404, 422, 503, 504))
async def cancel_all_orders(account: Of, caller: Trader, at: With) -> CancelAllReply:
    """Ask the venue to cancel each order that works now. The mode stays; what is placed meanwhile is not among them.

    Where it could be asked for none of them that is an error, what went wrong; `details.failed` names some.
    """
    async with at.trail.action(caller, "cancel_all_orders", account) as said:
        key = await key_of(at.transport, at.view, account)
        asked, errors = await cancels_asked(at.client, key, account, _CALL_S)
        failed = {name: problem_of(error).body for name, error in errors.items()}
        said |= {"asked": len(asked), "failed": sorted(failed)[:_NAMED]}
        if failed and not asked:
            raise _none_cancelled(failed)
    return CancelAllReply(
        asked=asked,
        failed=[NotCancelled(client_order_id=name, problem=why) for name, why in failed.items()],
    )


@router.post("/accounts/{account}/mode", responses=responses(401, 403, 404, 412, 422, 503, 504))
async def set_mode(account: Of, asked: ModeChange, request: Request, caller: Operator, at: With) -> Account:
    """What the account may do; and, for a live account, whether it is armed: that takes a session, not a token."""
    async with at.trail.action(caller, "set_mode", account, asked.model_dump()):
        if asked.armed and request.state.signed_in.session is None:
            raise Problem("role_needed", "people_only")
        return (await _call(at, SET_MODE, account, SetMode(account=account, **asked.model_dump()))).state


@router.post("/accounts/{account}/kill", responses=responses(401, 403, 404, 422, 503, 504))
async def kill(account: Of, asked: Why, caller: Trader, at: With) -> KillReply:
    """Halt the account, and cancel all that works. Positions stay."""
    async with at.trail.action(caller, "kill", account, asked.model_dump()):
        return await _call(at, KILL, account, KillRequest(account=account, reason=asked.reason))


@router.post("/accounts/{account}/flatten", responses=responses(401, 403, 404, 422, 503, 504))
async def flatten(account: Of, asked: Flatten, caller: Operator, at: With) -> FlattenReply:
    """Close positions, all or those of some instruments."""
    async with at.trail.action(caller, "flatten", account, asked.model_dump()):
        if asked.confirm != account:
            raise Problem("invalid", "confirm", what=account)
        request = FlattenRequest(account=account, confirm=account, instruments=asked.instruments)
        key = await key_of(at.transport, at.view, account)
        return await flattened(at.client, key, request, _CALL_S)


@router.post("/accounts/{account}/reconcile", responses=responses(401, 403, 404, 422, 503, 504))
async def reconcile(account: Of, caller: Operator, at: With) -> ReconcileReply:
    """Compare the account with its venue now."""
    async with at.trail.action(caller, "reconcile", account):
        return await _call(at, RECONCILE, account, ReconcileRequest(account=account))


def _none_cancelled(failed: dict[str, ProblemBody]) -> Problem:
    """What is to be said of all together: of what went wrong, the first that leaves open what became of it."""
    worst = next((one for one in failed.values() if one.code == "outcome_unknown"), next(iter(failed.values())))
    details = {**worst.details, "failed": sorted(failed)[:_NAMED]}
    return Problem(worst.code, detail=worst.detail, status=worst.status, details=details)


async def _call(at: Parts, method: Method[Any, Reply], account: str, request: BaseModel) -> Reply:
    """Ask the active instance of the account's key. Raises NotFound where nobody has ever traded it."""
    key = await key_of(at.transport, at.view, account)
    return (await at.client.call_active(method, key, request, timeout=_CALL_S)).value
