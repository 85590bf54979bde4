"""What a lot costs: commission and margin, by the rates that the venue gives.

Sources are the fields of CTP's API 6.7: InstrumentCommissionRate, InstrumentOrderCommRate, InstrumentMarginRate. Each
rate has a part of the lot's value (`ByMoney`) and a part in yuan a lot (`ByVolume`); one of the two is usually zero,
and they are added up. Fees are kept to the 8th decimal, not to the cent.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from aegis.contracts.amounts import ZERO, Price, to_grain
from aegis.contracts.orders import Direction, Hedge, Order
from aegis.contracts.venue import InstrumentTerms, Rates

__all__ = ["Kind", "commission", "margin", "order_fees"]

Kind = Literal["open", "close", "close_today"]
"""Of a trade: which of the three commissions it pays. close_today is for lots opened today, however that was asked."""


def commission(terms: InstrumentTerms, kind: Kind, price: Price, lots: int) -> Decimal:
    """`lots * (price * VolumeMultiple * <Kind>RatioByMoney + <Kind>RatioByVolume)`, in yuan."""
    rates = terms.commission
    by: Rates = rates.open if kind == "open" else rates.close if kind == "close" else rates.close_today
    return to_grain(lots * (price * terms.multiplier * by.by_money + by.by_volume))


def order_fees(terms: InstrumentTerms, order: Order) -> Decimal:
    """What the order itself costs, traded or not: OrderComm once it is at the exchange, OrderActionComm for a cancel.

    An order that the exchange rejected, or never saw, costs nothing.
    """
    order_fee, cancel_fee = terms.commission.order_fee, terms.commission.cancel_fee
    if not (order_fee or cancel_fee) or not order.ts_accepted_ns or order.status in ("rejected", "not_sent"):
        return ZERO
    cancelled = order.status == "cancelled" and order.cancel_asked
    return to_grain(order_fee + (cancel_fee if cancelled else ZERO))


def margin(terms: InstrumentTerms, direction: Direction, hedge: Hedge, value: Decimal, lots: int) -> Decimal:
    """`value * <Direction>MarginRatioByMoney + lots * <Direction>MarginRatioByVolume`, in yuan.

    `value` is price times lots times VolumeMultiple. A hedge flag without rates of its own has those of speculation.
    Not rounded: sums of it are.
    """
    rates = terms.margin.get(hedge) or terms.margin["speculation"]
    by = rates.long if direction == "long" else rates.short
    return value * by.by_money + lots * by.by_volume
