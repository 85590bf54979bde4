"""Why an order is refused, or has ended otherwise than by its trades: stable codes, with the figures of each.

docs/trading.md and docs/paper.md say of each what it means. What a counter has no word for here is `ctp_<number>`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FIGURES"]

FIGURES: Final[dict[str, str]] = {
    # checks of the trading service; their figures are details of the error
    "duplicate_id": "",
    "wrong_env": "its books are {books}, its venue is {venue}",
    "wrong_key": "`aegis_config` has it under {key}",
    "disarmed": "",
    "halted": "",
    "cancel_only": "",
    "close_only": "",
    "unknown_instrument": "",
    "not_a_future": "{kind}",
    "not_trading": "",
    "last_day": "{day}",
    "delivery_month": "{month}",
    "closed": "{phase}",
    "match_minute": "",
    "auction_type": "{type}",
    "order_type": "{type} on {exchange}",
    "price_missing": "",
    "price_tick": "{price} is no multiple of {tick}",
    "above_limit": "{price} above {limit}",
    "below_limit": "{price} below {limit}",
    "too_few_lots": "{lots} of at least {least}",
    "too_many_lots": "{lots} of at most {most}",
    "no_price": "{instrument}",
    "stale_price": "{instrument}, {age} s old",
    "collar": "{price} against {reference}",
    "order_rate": "{most} a second",
    "cancel_rate": "{most} a second",
    "orders_used": "{count} of {limit}",
    "cancels_used": "{count} of {limit}",
    "large_cancels_used": "{count} of {limit}",
    "self_trades_used": "{count} of {limit}",
    "self_trade": "{account} {order}",
    "position_limit": "{lots} of {most}",
    "loss_limit": "{loss} of {most}",
    "too_few_to_close": "{lots} of {volume}",
    "no_money": "{needed} of {available}",
    # calls about orders
    "repeated": "{order} is {side} {instrument} at {price}, of {day}",
    "unconfirmed": "",
    # what a venue says, or we say of it
    "bad_cancel": "",
    "bad_field": "",
    "came_late": "",
    "day_ended": "",
    "duplicate_order_ref": "",
    "epoch_ended": "",
    "exchange_refused": "",
    "expired": "",
    "instruments_unknown": "",
    "names_used_up": "",
    "never_arrived": "",
    "no_answer": "",
    "no_limits": "",
    "no_market": "",
    "no_trading_day": "",
    "not_connected": "",
    "not_executed": "",
    "not_working": "",
    "order_is_done": "",
    "other_leg": "",
    "settlement_not_confirmed": "",
    "settling": "",
    "too_many_a_second": "",
    "too_many_wait": "",
    "unfit": "",
    "unknown_account": "",
    "unknown_order": "",
    "void_name": "",
}
"""Codes, with the sentence of the figures that were compared."""
