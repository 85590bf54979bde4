"""What contracts cost at a counter that answers as CTP's manual says: a contract's own rate, else its product's."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from aegis.accounting.charges import commission
from aegis.trading.adapters.ctp.frames import Record
from aegis.trading.adapters.ctp.terms import Terms

NEAR, FAR, OTHER = "SHFE.rb2601", "SHFE.rb2605", "SHFE.rb2610"


class Rates:
    """A broker's table: of the product, and of one of its contracts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def ask(self, what: str, fields: Record) -> list[Record]:
        symbol = fields.get("InstrumentID", "")
        self.asked[f"{what} {symbol}".strip()] += 1
        if what == "QryInstrument":
            return [_instrument(one.partition(".")[2]) for one in (NEAR, FAR, OTHER)]
        if what == "QryInvestorPosition":
            return []
        own = symbol == FAR.partition(".")[2]
        named = {"InstrumentID": symbol if own else "rb"}
        if what == "QryInstrumentMarginRate":
            by = 0.2 if own else 0.1
            money = {"LongMarginRatioByMoney": by, "ShortMarginRatioByMoney": by}
            lots = {"LongMarginRatioByVolume": 0.0, "ShortMarginRatioByVolume": 0.0}
            return [{**named, "HedgeFlag": "1", "IsRelative": 0, **money, **lots}]
        if what == "QryInstrumentOrderCommRate":
            return [{**named, "HedgeFlag": "1", "OrderCommByTrade": 1.0 if own else 0.0}]
        rates = {f"{kind}RatioByMoney": 0.0005 if own else 0.0001 for kind in ("Open", "Close", "CloseToday")}
        return [{**named, **rates, **{f"{kind}RatioByVolume": 0.0 for kind in ("Open", "Close", "CloseToday")}}]


def _instrument(symbol: str) -> Record:
    lots = {"MinLimit": 1, "MaxLimit": 500, "MinMarket": 1, "MaxMarket": 500}
    return {
        "ExchangeID": "SHFE",
        "InstrumentID": symbol,
        "ProductID": "rb",
        "ProductClass": "1",
        "ExpireDate": "",
        "DeliveryYear": 2026,
        "DeliveryMonth": 5,
        "VolumeMultiple": 10,
        "PriceTick": 1.0,
        "IsTrading": 1,
        "MaxMarginSideAlgorithm": "0",
        **{f"{kind}OrderVolume": most for kind, most in lots.items()},
    }


async def test_a_contract_with_rates_of_its_own_does_not_cost_what_its_product_does() -> None:
    counter = Rates()
    terms = Terms({"BrokerID": "9999", "InvestorID": "a"})
    near, far, other = await terms.of([NEAR, FAR, OTHER], counter.ask)
    for one in (near, other):
        assert one.commission.close_today.by_money == Decimal("0.0001")
        assert one.margin["speculation"].long.by_money == Decimal("0.1")
        assert one.commission.order_fee == 0
    assert far.commission.close_today.by_money == Decimal("0.0005")
    assert far.margin["speculation"].long.by_money == Decimal("0.2")
    assert far.commission.order_fee == 1
    assert await terms.of([FAR, NEAR, OTHER], counter.ask) == [far, near, other]
    assert set(counter.asked.values()) == {1}, "each question once a day"


async def test_a_broker_s_share_of_an_exchange_s_rate_counts_to_its_last_digit() -> None:
    """Ten lots of an index future are worth 12 million yuan: a ninth digit that is lost is more than a cent."""
    counter = Rates()
    asked = counter.ask

    async def ask(what: str, fields: Record) -> list[Record]:
        found = await asked(what, fields)
        share = {"OpenRatioByMoney": 0.000023 * 1.005}
        return [{**one, **share} for one in found] if what == "QryInstrumentCommissionRate" else found

    (terms,) = await Terms({"BrokerID": "9999", "InvestorID": "a"}).of([NEAR], ask)
    assert commission(terms, "open", Decimal(120_000), 10) == Decimal("277.38")
