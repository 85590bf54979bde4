"""Habits in which counters differ."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Rules"]


class Rules(BaseModel):
    """How an account's venue counts. The defaults are CTP's; a real counter tells its own in BrokerTradingParams.

    closing: which lots of one day a close takes: the first opened (CTP), or all at their average (ctpsim).
    today_margin: MarginPriceType: today's lots are charged at the price they were opened at (4) or at the settlement
    price of the day before (1). gains_available: Algorithm: whether a profit of open positions can be spent (1), or
    only a loss counts (2). close_holds_commission: whether an order that closes holds its commission back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    closing: Literal["first_in", "average"] = "first_in"
    today_margin: Literal["open", "pre_settlement"] = "open"
    gains_available: bool = True
    close_holds_commission: bool = True
