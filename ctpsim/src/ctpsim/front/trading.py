"""Orders from the trader port to the venue, and what the venue says of them to whom it concerns."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import structlog

from aegis.contracts.market import Quote
from aegis.exchanges.products import product_of
from ctpsim.frames import Request
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter
from ctpsim.front.errors import Code
from ctpsim.front.order_records import (
    account_values,
    asked_order,
    order_values,
    phase_at,
    position_values,
    trade_values,
)
from ctpsim.front.queries import Ask
from ctpsim.front.sessions import TraderSession
from ctpsim.front.trader_side import TraderSide
from ctpsim.front.users import User
from ctpsim.market.universe import Listing
from ctpsim.records import Values
from ctpsim.venue.accounts import Account, commission_ratios
from ctpsim.venue.orders import Event, Now, Order, OrderKey, OrderReturned, Trade
from ctpsim.venue.venue import Refused, Venue

__all__ = ["Trading"]

_log = structlog.get_logger("ctpsim")
_DELETE: Final = "0"
_OPEN_PRICE: Final = "4"
_GAINS_AND_LOSSES: Final = "1"


class Trading:
    """The venue's edge."""

    def __init__(self, counter: Counter, side: TraderSide) -> None:
        self._counter = counter
        self._side = side
        self._day = counter.market.trading_day()
        self._users = {user.user_id: user for user in counter.users.values()}
        self._held: dict[str, Quote] = {}
        self._second: Now | None = None  # of what follows
        self._entered: Counts[str] = Counts()  # orders, by exchange
        self._venue = Venue(
            [Account(user.user_id, user.balance) for user in self._users.values()],
            lambda symbol: self._held.get(symbol) or counter.market.quote(symbol),
        )
        counter.has_orders = self._venue.has_waiting
        side.add({"ReqOrderInsert": self._insert, "ReqOrderAction": self._act})

    # The market

    def publish(self, quotes: Sequence[Quote]) -> None:
        """Match what waits against quotes."""
        for quote in quotes:
            if quote.symbol not in self._held:
                self._match(quote)

    def hold(self, quote: Quote) -> None:
        """Let the venue go by this one for its contract, whatever the market does, until it is given another."""
        self._held[quote.symbol] = quote
        self._match(quote)

    def _match(self, quote: Quote) -> None:
        venue = self.venue
        if venue.has_waiting(quote.symbol):
            self._tell(venue.quote(quote, self._now()))

    def settle(self) -> None:
        """Where the trading day has ended since it was looked at last."""
        day = self._counter.market.trading_day()
        if day != self._day:
            self._day = day
            self._venue.settle()
            _log.info("settled", trading_day=day)

    @property
    def venue(self) -> Venue:
        """As of today."""
        self.settle()
        return self._venue

    # Orders

    def _insert(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        assert session.user is not None
        key = OrderKey(self._counter.front_id, client.session_id, values["OrderRef"])
        try:
            events = self._enter(session, session.user, key, values)
        except Refused as refused:
            self._refuse_insert(client, session.user, request, values, refused.code)
            return
        if self.venue.has_waiting(values["InstrumentID"]):
            self._counter.market.watch([values["InstrumentID"]])
        self._tell(events)

    def _enter(self, session: TraderSession, user: User, key: OrderKey, values: Values) -> list[Event]:
        if fault := self._counter.faults.get("T", "order_error"):
            raise Refused(Code(fault) if fault in list(Code) else Code.BAD_FIELD)
        if not self._side.has_confirmed(user.user_id):
            raise Refused(Code.SETTLEMENT_NOT_CONFIRMED)
        if not session.takes_order_ref(values["OrderRef"]):
            raise Refused(Code.DUPLICATE_ORDER_REF)
        asked = asked_order(values, user, key, self._counter.market.listings())
        if isinstance(asked, Code):
            raise Refused(asked)
        now = self._now()
        expiry = asked.listing.instrument.expiry_day
        if expiry and now.trading_day > expiry:
            raise Refused(Code.NOT_TRADING)
        product = product_of(asked.listing.exchange, asked.listing.symbol)
        phases = product.hours.on(now.trading_day).phases if product else None
        too_many = self._is_one_too_many(asked.listing.exchange, now)
        events = self.venue.enter(asked, phase_at(phases, now.second), now, is_one_too_many=too_many)
        if self.venue.orders[key].sys_id:
            self._charge(user)
        return events

    def _charge(self, user: User) -> None:
        """For an order that its exchange has taken, or for a cancel."""
        self.venue.accounts[user.user_id].commission += self._order_fee

    @property
    def _order_fee(self) -> float:
        """In yuan."""
        return self._counter.faults.get("T", "order_fee") / 100

    def _is_one_too_many(self, exchange: str, now: Now) -> bool:
        if now != self._second:
            self._second, self._entered = now, Counts()
        self._entered[exchange] += 1
        limit = self._counter.faults.get("T", "order_limit")
        return limit > 0 and self._entered[exchange] > limit

    def _refuse_insert(self, client: Client, user: User, request: Request, values: Values, code: Code) -> None:
        answers = self._side.answers
        client.send(answers.frame("OnRspOrderInsert", request.data, code=code, request_id=request.request_id))
        returned = answers.frame("OnErrRtnOrderInsert", request.data, code=code)
        for each in self._side.sessions_of(user.user_id):
            each.send(returned)
        _log.info("order_refused", user=user.user_id, instrument=values["InstrumentID"], error=int(code))

    def _act(self, client: Client, session: TraderSession, request: Request, values: Values) -> None:
        assert session.user is not None
        try:
            if values["ActionFlag"] != _DELETE:
                raise Refused(Code.BAD_ACTION_FIELD)
            events = self.venue.cancel(self._meant(session.user, values), self._now())
            self._charge(session.user)
            self._tell(events)
        except Refused as refused:
            self._refuse_action(client, session.user, request, values, refused.code)

    def _meant(self, user: User, values: Values) -> Order | None:
        """The user's order that an action names, by the exchange's number or by the client's reference."""
        if values["OrderSysID"]:
            order = self.venue.by_sys_id(values["ExchangeID"], values["OrderSysID"])
        else:
            key = OrderKey(values["FrontID"], values["SessionID"], values["OrderRef"])
            order = self.venue.orders.get(key)
        return order if order is not None and order.asked.account == user.user_id else None

    def _refuse_action(self, client: Client, user: User, request: Request, values: Values, code: Code) -> None:
        answers = self._side.answers
        client.send(answers.frame("OnRspOrderAction", request.data, code=code, request_id=request.request_id))
        shown = {name: value for name, value in values.items() if name in answers.records.names("OrderAction")}
        returned = answers.frame("OnErrRtnOrderAction", shown, code=code)
        for each in self._side.sessions_of(user.user_id):
            each.send(returned)

    # What happened

    def _tell(self, events: Iterable[Event]) -> None:
        pack = self._side.answers.records.pack
        for event in events:
            if isinstance(event, OrderReturned):
                user = self._users[event.order.asked.account]
                values = order_values(event.order, user)
                self._side.tell(user.user_id, "OnRtnOrder", pack("Order", **values))
                if event.refusal:
                    self._tell_refusal(user, values, event)
            else:
                user = self._users[event.trade.order.asked.account]
                self._side.tell(user.user_id, "OnRtnTrade", pack("Trade", **trade_values(event.trade, user)))

    def _tell_refusal(self, user: User, values: Mapping[str, Any], event: OrderReturned) -> None:
        """An exchange's refusal comes as an order that ended, and as an error beside it."""
        names = self._side.answers.records.names("InputOrder")
        shown = {name: value for name, value in values.items() if name in names}
        frame = self._side.answers.frame("OnErrRtnOrderInsert", shown, code=event.refusal, text=event.order.text)
        for each in self._side.sessions_of(user.user_id):
            each.send(frame)

    def _now(self) -> Now:
        market = self._counter.market
        return Now(market.trading_day(), *market.now())

    # Queries

    def queries(self) -> dict[str, tuple[str, Ask]]:
        """What `Queries` wants: for each request its callback, and who knows the answer."""
        return {
            "ReqQryTradingAccount": ("OnRspQryTradingAccount", self._account),
            "ReqQryInvestorPosition": ("OnRspQryInvestorPosition", self._positions),
            "ReqQryOrder": ("OnRspQryOrder", self._orders),
            "ReqQryTrade": ("OnRspQryTrade", self._trades),
            "ReqQryInstrumentMarginRate": ("OnRspQryInstrumentMarginRate", self._margin_rates),
            "ReqQryInstrumentCommissionRate": ("OnRspQryInstrumentCommissionRate", self._commission_rates),
            "ReqQryInstrumentOrderCommRate": ("OnRspQryInstrumentOrderCommRate", self._order_fees),
            "ReqQryBrokerTradingParams": ("OnRspQryBrokerTradingParams", self._habits),
            "ReqQrySettlementInfo": ("OnRspQrySettlementInfo", self._settlement),
            "ReqQrySettlementInfoConfirm": ("OnRspQrySettlementInfoConfirm", self._confirmation),
        }

    def _account(self, user: User, _: Values) -> Iterator[dict[str, Any]]:
        account = self.venue.accounts[user.user_id]
        yield account_values(account, user, self.venue.last_price, self._counter.market.trading_day())

    def _positions(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        day = self._counter.market.trading_day()
        for position in self.venue.accounts[user.user_id].positions.values():
            if position.is_of_today and asked["InstrumentID"] in ("", position.listing.symbol):
                yield from position_values(position, user, self.venue.last_price, day)

    def _orders(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        for order in self.venue.orders.values():
            if order.asked.account == user.user_id and asked["InstrumentID"] in ("", order.asked.listing.symbol):
                yield order_values(order, user)

    def _trades(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        def wanted(trade: Trade) -> bool:
            order = trade.order.asked
            return order.account == user.user_id and asked["InstrumentID"] in ("", order.listing.symbol)

        return (trade_values(trade, user) for trade in self.venue.trades if wanted(trade))

    def _margin_rates(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        for listing in self._named(asked):
            yield {
                **_range(user, listing),
                "HedgeFlag": "1",
                "LongMarginRatioByMoney": listing.margin_ratio,
                "ShortMarginRatioByMoney": listing.margin_ratio,
            }

    def _commission_rates(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        for listing in self._named(asked):
            by_money, by_volume = commission_ratios(listing)
            yield {
                **_range(user, listing),
                "OpenRatioByMoney": by_money,
                "OpenRatioByVolume": by_volume,
                "CloseRatioByMoney": by_money,
                "CloseRatioByVolume": by_volume,
                "CloseTodayRatioByMoney": by_money,
                "CloseTodayRatioByVolume": by_volume,
            }

    def _order_fees(self, user: User, asked: Values) -> Iterator[dict[str, Any]]:
        for listing in self._named(asked):
            yield {
                **_range(user, listing),
                "HedgeFlag": "1",
                "OrderCommByTrade": self._order_fee,
                "OrderActionCommByTrade": self._order_fee,
            }

    def _habits(self, user: User, _: Values) -> Iterator[dict[str, Any]]:
        yield {
            "BrokerID": user.broker_id,
            "InvestorID": user.user_id,
            "AccountID": user.user_id,
            "CurrencyID": "CNY",
            "MarginPriceType": _OPEN_PRICE,
            "Algorithm": _GAINS_AND_LOSSES,
        }

    def _named(self, asked: Values) -> Iterator[Listing]:
        """CTP answers these for one contract at a time."""
        listing = self._counter.market.listings().get(asked["InstrumentID"])
        if listing is not None:
            yield listing

    def _settlement(self, user: User, _: Values) -> Iterator[dict[str, Any]]:
        day, balance = self._counter.market.trading_day(), self.venue.accounts[user.user_id].pre_balance
        lines = ("模拟柜台 交易结算单\n", f"客户号 {user.user_id}\n", f"交易日 {day}\n", f"期初结存 {balance:.2f}\n")
        for number, line in enumerate(lines, 1):
            yield {
                "TradingDay": day,
                "SettlementID": 1,
                "BrokerID": user.broker_id,
                "InvestorID": user.user_id,
                "AccountID": user.user_id,
                "CurrencyID": "CNY",
                "SequenceNo": number,
                "Content": line,
            }

    def _confirmation(self, user: User, _: Values) -> Iterator[dict[str, Any]]:
        if self._side.has_confirmed(user.user_id):
            day = self._counter.market.trading_day()
            yield {"BrokerID": user.broker_id, "InvestorID": user.user_id, "ConfirmDate": day}


def _range(user: User, listing: Listing) -> dict[str, Any]:
    return {
        "InvestorRange": "1",
        "BrokerID": user.broker_id,
        "InvestorID": user.user_id,
        "ExchangeID": listing.exchange,
        "InstrumentID": listing.symbol,
    }
