"""How instruments are traded and what they cost, asked of the counter when somebody wants to know. Kept for a day.

An instrument takes four queries, one of them for all of its product: at CTP's pace some four seconds for the first of
a product, three for each other one. A counter that has no rate of a contract's own answers with its product's, which
says nothing of the next contract: each is asked for. What the account's positions were settled at the day before is one
query, of the day's first call.
"""

from __future__ import annotations

import re
from asyncio import Lock
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from aegis.contracts.amounts import ZERO, Price, exact, exact_rate
from aegis.contracts.venue import CommissionRates, InstrumentTerms, MarginRates, Rates
from aegis.trading.adapters.ctp.frames import Record
from aegis.trading.adapters.ctp.records import instrument_of
from aegis.trading.adapters.ctp.requests import split_instrument
from aegis.trading.adapters.ctp.words import HEDGES, price_of
from aegis_sdk.errors import Unavailable

__all__ = ["Terms", "settled_prices", "terms_of"]

_log = structlog.get_logger("aegis.ctp")

_KINDS: Final = {"1": "future", "2": "option", "3": "combination"}
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_SPECULATION: Final = "1"
_MOST: Final = 32

Ask = Callable[[str, Record], Awaitable[list[Record]]]


class Terms:
    """Of one account and one trading day."""

    def __init__(self, who: Record) -> None:
        self._who = who
        self._lock = Lock()
        self._instruments: dict[str, Record] = {}
        self._margins: dict[str, Record] = {}
        self._commissions: dict[str, Record] = {}
        self._fees: dict[str, Record] = {}  # of orders and cancels
        self._settled: dict[str, Price] | None = None

    def forget(self) -> None:
        """Rates of a day that is over."""
        for table in (self._instruments, self._margins, self._commissions, self._fees):
            table.clear()
        self._settled = None

    async def of(self, instruments: Sequence[str], ask: Ask) -> list[InstrumentTerms]:
        """Those that the counter knows; of more than 32 the first 32. Raises what `ask` raises."""
        async with self._lock:
            if self._settled is None:
                self._settled = settled_prices(await ask("QryInvestorPosition", self._who))
            found = [await self._one(instrument, ask) for instrument in instruments[:_MOST]]
        return [terms for terms in found if terms is not None]

    async def _one(self, instrument: str, ask: Ask) -> InstrumentTerms | None:
        record = await self._instrument(instrument, ask)
        if record is None:
            return None
        product = f"{record['ExchangeID']}.{record['ProductID']}"
        margin = await self._rate("InstrumentMarginRate", self._margins, instrument, product, ask)
        commission = await self._rate("InstrumentCommissionRate", self._commissions, instrument, product, ask)
        if margin is None or commission is None:
            _log.warning("rates_missing", instrument=instrument)
            return None
        fees = await self._fees_of(instrument, product, ask)
        settled = (self._settled or {}).get(instrument)
        try:
            return terms_of(record, margin, commission, fees).model_copy(update={"pre_settlement_price": settled})
        except (ValueError, KeyError) as error:
            _log.warning("terms_not_understood", instrument=instrument, problem=str(error))
            return None

    async def _fees_of(self, instrument: str, product: str, ask: Ask) -> Record:
        """Of orders and cancels; empty where there are none, and where a counter refuses to answer that."""
        try:
            return await self._rate("InstrumentOrderCommRate", self._fees, instrument, product, ask) or {}
        except Unavailable as error:
            if "code" not in error.details:
                raise
            _log.warning("order_fees_not_told", instrument=instrument, problem=str(error))
            return {}

    async def _instrument(self, instrument: str, ask: Ask) -> Record | None:
        if instrument not in self._instruments:
            exchange, symbol = split_instrument(instrument)
            letters = _LETTERS.match(symbol)
            wanted: list[Record] = [{"ExchangeID": exchange, "InstrumentID": symbol}]
            if letters:  # a future's product, with all of its months
                wanted.insert(0, {"ExchangeID": exchange, "ProductID": letters[0]})
            for fields in wanted:
                for record in await ask("QryInstrument", fields):
                    self._instruments[instrument_of(record)] = record
                if instrument in self._instruments:
                    break
        return self._instruments.get(instrument)

    async def _rate(
        self, what: str, known: dict[str, Record], instrument: str, product: str, ask: Ask
    ) -> Record | None:
        """That of the contract, else of its product, as the counter answers when it is asked for the contract."""
        if instrument in known:
            return known[instrument]
        exchange, symbol = split_instrument(instrument)
        hedge = {"HedgeFlag": _SPECULATION} if what == "InstrumentMarginRate" else {}
        fields = {**self._who, **hedge, "ExchangeID": exchange, "InstrumentID": symbol}
        found: dict[str, Record] = {}
        for record in await ask(f"Qry{what}", fields):
            of_product = f"{exchange}.{record['InstrumentID']}" == product
            if record.get("HedgeFlag", _SPECULATION) in ("", _SPECULATION):
                found[product if of_product else instrument] = record
        rate = found.get(instrument) or found.get(product)
        if rate is not None:
            known[instrument] = rate
        return rate


def settled_prices(records: Sequence[Record]) -> dict[str, Price]:
    """What was held when the day began, at the prices of the settlement before; also what is closed by now."""
    prices = {instrument_of(record): price_of(record["PreSettlementPrice"]) for record in records}
    return {instrument: price for instrument, price in prices.items() if price is not None and price != ZERO}


def terms_of(record: Record, margin: Record, commission: Record, fees: Record) -> InstrumentTerms:
    """`fees` is empty where orders cost nothing by themselves.

    Raises ValueError, KeyError for records that are none of ours, and for what we cannot count: margins relative to
    the exchange's, fees by the lots of an order.
    """
    if margin["IsRelative"]:
        raise ValueError("the margin is relative to the exchange's")
    if fees.get("OrderCommByVolume") or fees.get("OrderActionCommByVolume"):
        raise ValueError("an order is charged by its lots")

    def rates(of: Record, prefix: str) -> Rates:
        by_money, by_volume = (exact_rate(of[f"{prefix}RatioBy{what}"]) for what in ("Money", "Volume"))
        return Rates(by_money=by_money, by_volume=by_volume)

    year, month = record["DeliveryYear"], record["DeliveryMonth"]
    details: dict[str, Any] = {
        "kind": _KINDS.get(record["ProductClass"], "other"),
        "expiry_day": record["ExpireDate"] or None,
        "delivery_month": f"{year:04}{month:02}" if year and 1 <= month <= 12 else None,
        "margin": {
            HEDGES[_SPECULATION]: MarginRates(long=rates(margin, "LongMargin"), short=rates(margin, "ShortMargin"))
        },
    }
    return InstrumentTerms(
        **details,
        instrument=instrument_of(record),
        product=record["ProductID"],
        multiplier=record["VolumeMultiple"],
        price_tick=exact(record["PriceTick"]),
        min_limit_volume=record["MinLimitOrderVolume"],
        max_limit_volume=record["MaxLimitOrderVolume"],
        min_market_volume=record["MinMarketOrderVolume"],
        max_market_volume=record["MaxMarketOrderVolume"],
        is_trading=bool(record["IsTrading"]),
        larger_side=record["MaxMarginSideAlgorithm"] == "1",
        commission=CommissionRates(
            open=rates(commission, "Open"),
            close=rates(commission, "Close"),
            close_today=rates(commission, "CloseToday"),
            order_fee=exact(fees.get("OrderCommByTrade", 0.0)),
            cancel_fee=exact(fees.get("OrderActionCommByTrade", 0.0)),
        ),
    )
