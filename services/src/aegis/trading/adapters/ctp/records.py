"""CTP's records of orders, trades, positions and money, in our words. Pure.

All raise ValueError (pydantic's is one) or KeyError for a record that is none of ours: one with an exchange that no
instrument's name can hold, say. Whoever asks tells of it and goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from aegis.accounting.rules import Rules
from aegis.contracts.amounts import ZERO, exact, to_price
from aegis.contracts.orders import Direction, Hedge
from aegis.contracts.venue import VenueAccount, VenueOrder, VenuePosition, VenueTrade
from aegis.trading.adapters.ctp.frames import Record
from aegis.trading.adapters.ctp.words import (
    DIRECTIONS,
    HEDGES,
    OFFSETS,
    SIDES,
    moment_ns,
    price_of,
    reason_of,
    status_of,
    type_of,
)

__all__ = ["account_of", "instrument_of", "order_of", "positions_of", "refused_order", "rules_of", "trade_of"]

_TEXT: Final = 256
_MARGIN_PRICES: Final = {"1": "pre_settlement", "4": "open"}
_GAINS: Final = {"1": True, "2": False}


def instrument_of(record: Record) -> str:
    return f"{record['ExchangeID']}.{record['InstrumentID']}"


def order_of(record: Record, account: str, name: str) -> VenueOrder:
    status = status_of(record["OrderStatus"], record["OrderSubmitStatus"])
    return VenueOrder(
        **_asked(record, account, name),
        venue_order_id=record["OrderSysID"],
        status=status,
        filled=record["VolumeTraded"],
        reason="exchange_refused" if status == "rejected" else "",
        text=record["StatusMsg"][:_TEXT],
        trading_day=record["TradingDay"],
        ts_exchange_ns=moment_ns(record["InsertDate"], record["InsertTime"]),
    )


def refused_order(record: Record, account: str, name: str, day: str, code: int, text: str, now_ns: int) -> VenueOrder:
    """Of an order that the counter did not take: it never had a number, and no query shows it."""
    return VenueOrder(
        **_asked(record, account, name),
        status="rejected",
        filled=0,
        reason=reason_of(code),
        text=text[:_TEXT],
        trading_day=day,
        ts_exchange_ns=now_ns,
    )


def _asked(record: Record, account: str, name: str) -> dict[str, Any]:
    kind = type_of(record["OrderPriceType"], record["TimeCondition"], record["VolumeCondition"])
    return {
        "account": account,
        "client_order_id": name,
        "instrument": instrument_of(record),
        "side": SIDES[record["Direction"]],
        "offset": _offset(record["CombOffsetFlag"]),
        "hedge": _hedge(record["CombHedgeFlag"]),
        "type": kind,
        "price": None if kind == "market" else price_of(record["LimitPrice"]),
        "volume": record["VolumeTotalOriginal"],
    }


def trade_of(record: Record, account: str, name: str) -> VenueTrade:
    return VenueTrade(
        account=account,
        client_order_id=name,
        venue_order_id=record["OrderSysID"],
        trade_id=record["TradeID"],
        instrument=instrument_of(record),
        side=SIDES[record["Direction"]],
        offset=_offset(record["OffsetFlag"]),
        hedge=_hedge(record["HedgeFlag"]),
        price=to_price(exact(record["Price"])),
        volume=record["Volume"],
        trading_day=record["TradingDay"],
        ts_exchange_ns=moment_ns(record["TradeDate"], record["TradeTime"]),
    )


def positions_of(records: Iterable[Record], account: str) -> list[VenuePosition]:
    """Today's record and that of older lots added up. What has no lots any more is left out."""
    sums: dict[tuple[str, Direction, Hedge], list[Decimal | int]] = {}
    for record in records:
        key = instrument_of(record), DIRECTIONS[record["PosiDirection"]], _hedge(record["HedgeFlag"])
        lots, today = record["Position"], record["TodayPosition"]
        parts = today, lots - today, *(exact(record[name]) for name in ("PositionCost", "OpenCost", "UseMargin"))
        sums[key] = [had + part for had, part in zip(sums.get(key, [0, 0, ZERO, ZERO, ZERO]), parts, strict=True)]
    names = ("today", "yesterday", "position_cost", "open_cost", "margin")
    return [
        VenuePosition.model_validate(
            {
                "account": account,
                "instrument": instrument,
                "direction": direction,
                "hedge": hedge,
                **dict(zip(names, figures, strict=True)),
            }
        )
        for (instrument, direction, hedge), figures in sums.items()
        if figures[0] or figures[1]
    ]


def account_of(record: Record, account: str) -> VenueAccount:
    def money(name: str) -> Decimal:
        return exact(record[name])

    return VenueAccount(
        account=account,
        trading_day=record["TradingDay"],
        pre_balance=money("PreBalance"),
        deposit=money("Deposit"),
        withdraw=money("Withdraw"),
        close_profit=money("CloseProfit"),
        position_profit=money("PositionProfit"),
        commission=money("Commission"),
        margin=money("CurrMargin"),
        frozen_margin=money("FrozenMargin"),
        frozen_commission=money("FrozenCommission"),
        balance=money("Balance"),
        available=money("Available"),
    )


def rules_of(record: Record, given: Rules) -> Rules:
    """By BrokerTradingParams. Raises ValueError for what we cannot count by."""
    price, algorithm = record["MarginPriceType"], record["Algorithm"]
    if price not in _MARGIN_PRICES or algorithm not in _GAINS:
        raise ValueError(f"MarginPriceType {price!r}, Algorithm {algorithm!r}")
    says = {"today_margin": _MARGIN_PRICES[price], "gains_available": _GAINS[algorithm]}
    return given.model_copy(update=says)


def _offset(flags: str) -> Any:
    """Of the first leg. CTP closes by force with letters of its own, which are closes to us."""
    return OFFSETS.get(flags[:1], "close")


def _hedge(flags: str) -> Any:
    return HEDGES.get(flags[:1], "speculation")
