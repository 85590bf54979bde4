"""Why an order was refused, for people: a sentence for each reason, and what may be done where something may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aegis.contracts.order_reasons import FIGURES

if TYPE_CHECKING:
    from aegis.contracts.trading import OrderRejected

__all__ = ["WORDS", "explained", "in_words"]

WORDS: Final = {
    "duplicate_id": "the day has another order of this --id",
    "wrong_env": "the account's books are of another environment; see `aegis trading take-books --help`",
    "wrong_key": "the account was traded under another key before; see `aegis trading take-books --help`",
    "disarmed": "nobody has armed this live account today; `aegis trading arm` does",
    "halted": "the account is halted; with `aegis trading mode close_only` it may close, with `normal` trade",
    "cancel_only": "the account may only cancel; `aegis trading mode normal` ends that",
    "close_only": "the account may only close; `aegis account` and `aegis logs trading` say why",
    "unknown_instrument": "nothing is known of this contract yet; try again in a second, or look at `aegis contracts`",
    "not_a_future": "options and combinations are not traded here",
    "not_trading": "the counter says that it is not traded now",
    "last_day": "it is on its last trading day, or past it",
    "delivery_month": "it is in its delivery month",
    "closed": "its market is closed, or has a break",
    "match_minute": "it is the last minute before a session with an auction; wait for the session",
    "auction_type": "an auction takes limit orders only",
    "order_type": "its exchange has no orders of this type; give a price, with --type limit, fak or fok",
    "price_missing": "it needs a price",
    "price_tick": "the price is no multiple of the contract's tick",
    "above_limit": "the price is above the day's upper limit",
    "below_limit": "the price is below the day's lower limit",
    "too_few_lots": "the exchange takes no fewer lots",
    "too_many_lots": "so many lots go in several orders",
    "no_price": "there is no tick that this account may go by yet; try again in a second",
    "stale_price": "the latest tick is too old; `aegis health` says whether ticks come",
    "collar": "the price is too far beyond the other side of the book",
    "order_rate": "too many orders within a second",
    "cancel_rate": "too many cancels within a second",
    "orders_used": "the day's orders on this contract are used up",
    "cancels_used": "the day's cancels on this contract are used up",
    "large_cancels_used": "the day's large cancels on this contract are used up",
    "self_trades_used": "the day's trades with oneself on this contract are used up",
    "self_trade": "it could trade with a working order of the same group; that must be cancelled first",
    "position_limit": "more lots would be held than may be",
    "loss_limit": "the day has lost what it may lose",
    "too_few_to_close": "the lots are not there, or other orders close them",
    "no_money": "margin and commission are more than is available",
}


def explained(error: OrderRejected) -> str:
    reason = str(error.details.get("reason", ""))
    if reason not in WORDS:
        return f"REFUSED: {error}"
    return f"REFUSED: {in_words(reason, FIGURES[reason].format(**error.details))}"


def in_words(reason: str, figures: str) -> str:
    """One line: the sentence, the figures that were compared, and the reason that docs/trading.md has."""
    return f"{WORDS.get(reason, reason)}{f' ({figures})' if figures else ''} [{reason}]"
