"""What changes something: orders, cancels, modes."""

from __future__ import annotations

from collections.abc import Awaitable

from aegis.contracts.reasons import explained
from aegis.contracts.trading import (
    CANCEL_ORDER,
    FLATTEN,
    KILL,
    PLACE_ORDER,
    RECONCILE,
    SET_MODE,
    TAKE_BOOKS,
    AccountReply,
    CancelOrder,
    CancelReply,
    FlattenPart,
    FlattenRequest,
    KillReply,
    KillRequest,
    ModeChanged,
    OrderRequest,
    PlaceOrderReply,
    ReconcileReply,
    ReconcileRequest,
    SetMode,
    TakeBooks,
    VenueUnavailable,
)
from aegis.trading.domain.changes import ModeSet, write_changes
from aegis.trading.domain.views import account_of
from aegis.trading.handlers.acting import Acting
from aegis.trading.handlers.cancelling import Cancelling
from aegis.trading.handlers.comparing import Comparing
from aegis.trading.handlers.placing import Placing
from aegis.trading.keys import KeyState, now_ns
from aegis_sdk.errors import DeadlineExceeded, Unavailable
from aegis_sdk.single_active import ActiveContext, SingleActive, active

__all__ = ["OrderCalls"]


class OrderCalls(SingleActive):
    """Handlers of a service that has these."""

    acting: Acting
    states: dict[str, KeyState]
    placing: Placing
    cancelling: Cancelling
    comparing: Comparing

    @active(PLACE_ORDER)
    async def place_order(self, request: OrderRequest, context: ActiveContext) -> PlaceOrderReply:
        return await self.placing.place(self.states[context.key], request, context)

    @active(CANCEL_ORDER)
    async def cancel_order(self, request: CancelOrder, context: ActiveContext) -> CancelReply:
        return await self.cancelling.cancel(self.states[context.key], request, context)

    @active(KILL)
    async def kill(self, request: KillRequest, context: ActiveContext) -> KillReply:
        return await self.cancelling.kill(self.states[context.key], request, context)

    @active(FLATTEN)
    async def flatten(self, request: FlattenRequest, context: ActiveContext) -> FlattenPart:
        return await self.placing.flatten(self.states[context.key], request, context)

    @active(SET_MODE)
    async def set_mode(self, request: SetMode, context: ActiveContext) -> AccountReply:
        async with context.lock:  # what is decided by the mode is stored before another one is
            book = self.states[context.key].book(request.account)
            if request.was not in (None, book.mode):
                raise explained(ModeChanged, "mode_changed", account=request.account, mode=book.mode)
            change = ModeSet(
                account=request.account, ts_ns=now_ns(), mode=request.mode, armed=request.armed, reason=request.reason
            )
            asked = {"mode": request.mode, "armed": request.armed}
            state = account_of(book, self.acting.market.marks(request.account))
            after = state.model_copy(update={name: value for name, value in asked.items() if value is not None})
            reply = AccountReply(state=after, sequence=book.sequence + 1)
            return await context.commit(write_changes([change]), reply)

    @active(RECONCILE)
    async def reconcile(self, request: ReconcileRequest, context: ActiveContext) -> ReconcileReply:
        state = self.states[context.key]
        return await _compared(request.account, self.comparing.now(state, state.account(request.account)))

    @active(TAKE_BOOKS)
    async def take_books(self, request: TakeBooks, context: ActiveContext) -> ReconcileReply:
        """What is taken is journaled by itself, and taken again does no harm: the call has no intent."""
        state = self.states[context.key]
        account = state.account(request.account)
        self.acting.confirmed(request.account, request.confirm)
        return await _compared(request.account, self.comparing.take(state, account, request.reason))


async def _compared(account: str, comparing: Awaitable[ReconcileReply]) -> ReconcileReply:
    try:
        return await comparing
    except (Unavailable, DeadlineExceeded) as error:
        raise explained(VenueUnavailable, "not_comparable", account=account, text=str(error)) from error
