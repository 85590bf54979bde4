"""Which contracts lead, and which led when."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.contracts.reference import (
    CONTINUOUS,
    MAINS,
    ContinuousReply,
    ContinuousRequest,
    MainsReply,
    MainsRequest,
    MainView,
    RollView,
)
from aegis.marketdata.adapters.bus import RollStore
from aegis.marketdata.domain.rolls import Roll, Rolls
from aegis.marketdata.domain.sequencer import Origin
from aegis_sdk.errors import ConfigurationError, NotFound, Rejected
from aegis_sdk.handler import rpc
from aegis_sdk.service import Service
from aegis_sdk.subjects import token

__all__ = ["ReferenceCalls"]


class ReferenceCalls(Service):
    """Handlers of a service that has these. They read what is stored: any instance gives the same answer."""

    rolls: RollStore
    origin: Origin

    @rpc(MAINS)
    async def mains(self, request: MainsRequest) -> MainsReply:
        _check(request.exchange, request.product)
        found = await self.rolls.find(self.origin.source, request.exchange, request.product)
        return MainsReply(mains=[_main(rolls, revision) for rolls, revision in found])

    @rpc(CONTINUOUS)
    async def continuous(self, request: ContinuousRequest) -> ContinuousReply:
        """Raises NotFound where nothing of the product was decided yet."""
        _check(request.exchange, request.product)
        found = await self.rolls.find(self.origin.source, request.exchange, request.product)
        if not found:
            raise NotFound(f"no main contract of {request.product} is known before the close of its first trading day")
        rolls, revision = found[0]
        return ContinuousReply(
            exchange=rolls.exchange,
            product=rolls.product,
            decided_day=rolls.decided_day,
            revision=revision,
            rule=rolls.rule,
            rolls=list(_views(rolls)),
        )


def _main(rolls: Rolls, revision: int) -> MainView:
    last = rolls.rolls[-1]
    return MainView(
        exchange=rolls.exchange,
        product=rolls.product,
        main=_name(rolls, last.symbol),
        second=_name(rolls, rolls.second),
        since=last.from_day,
        decided_day=rolls.decided_day,
        revision=revision,
        rule=rolls.rule,
    )


def _views(rolls: Rolls) -> Iterator[RollView]:
    return (_view(rolls, roll) for roll in rolls.rolls)


def _view(rolls: Rolls, roll: Roll) -> RollView:
    return RollView(
        from_day=roll.from_day,
        contract=_name(rolls, roll.symbol),
        decided_day=roll.decided_day,
        old_contract=_name(rolls, roll.old_symbol),
        old_price=roll.old_price,
        new_price=roll.new_price,
    )


def _name(rolls: Rolls, symbol: str) -> str:
    return f"{rolls.exchange}.{symbol}" if symbol else ""


def _check(*parts: str) -> None:
    """Raises Rejected for what cannot be an exchange or a product."""
    for part in parts:
        try:
            if part:
                token(part)
        except ConfigurationError as error:
            raise Rejected(f"{part!r} is no exchange and no product: {error.problem}") from None
