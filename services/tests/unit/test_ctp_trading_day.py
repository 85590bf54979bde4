"""What a CTP counter tells of orders and trades, often and in any order, and what is news of it."""

from __future__ import annotations

import sys
from decimal import Decimal
from itertools import permutations

import pytest
from ctp_records import DAY, REBAR, order_record, trade_record

from aegis.accounting.rules import Rules
from aegis.contracts.venue import Submit
from aegis.ctp.frames import Login
from aegis.trading.adapters.ctp.day import Day
from aegis.trading.adapters.ctp.fields import picked, too_long
from aegis.trading.adapters.ctp.naming import Names, tag_of
from aegis.trading.adapters.ctp.records import account_of, order_of, positions_of, rules_of
from aegis.trading.adapters.ctp.requests import insert_fields, unfit
from aegis.trading.adapters.ctp.terms import settled_prices, terms_of
from aegis.trading.adapters.ctp.words import moment_ns, reason_of, status_of, type_of


def day(*known: str) -> Day:
    one = Day("A1", lambda: known)
    one.begin(DAY)
    return one


# Names


def test_a_tag_fits_ctps_field_and_is_the_same_everywhere() -> None:
    tags = {tag_of(name) for name in ("a", "b", "x" * 36)}
    assert len(tags) == 3
    assert all(len(tag) == 12 and not too_long({"OrderMemo": tag}) for tag in tags)
    assert tag_of("order-1") == "~" + tag_of("order-1")[1:] == tag_of("order-1")


def test_a_name_is_found_by_what_the_journal_has_and_nobody_elses_memo_is_taken_for_one() -> None:
    journal, read = ["first"], 0

    def known() -> list[str]:
        nonlocal read
        read += 1
        return journal

    names = Names(known)
    assert names.find(tag_of("second")) == ""
    journal.append("second")
    assert names.find(tag_of("second")) == "second"
    assert read == 2
    assert [names.find(memo) for memo in ("", "second", "hello", "twelve bytes")] == [""] * 4
    assert read == 2, "what is no tag is not looked for"
    assert [names.find(memo) for memo in (tag_of("third"), "~" + "A" * 11)] == ["", ""]


# Words


def test_statuses_are_mapped_as_the_contract_says() -> None:
    said = {letter: status_of(letter, "3") for letter in "a310245bc"}
    assert said == {
        **dict.fromkeys("a3bc", "accepted"),
        "1": "partly_filled",
        "0": "filled",
        **dict.fromkeys("245", "cancelled"),
    }
    assert status_of("5", "4") == "rejected"
    assert status_of("5", "5") == "cancelled", "a cancel that was refused, before one that was not"
    with pytest.raises(KeyError):
        status_of("?", "3")


def test_types_are_what_they_were_sent_as() -> None:
    sent = {"limit": ("2", "3", "1"), "market": ("1", "1", "1"), "fak": ("2", "1", "1"), "fok": ("2", "1", "3")}
    assert {name: type_of(*letters) for name, letters in sent.items()} == {name: name for name in sent}


def test_times_are_those_of_shanghai() -> None:
    assert moment_ns("20251128", "09:30:00") == 1_764_293_400 * 10**9
    assert moment_ns("", "09:30:00") == moment_ns("20251128", "") == 0
    assert reason_of(31) == "no_money"
    assert reason_of(1234) == "ctp_1234"


def test_a_text_that_no_field_holds_is_not_asked_with() -> None:
    assert too_long({"InstrumentID": "x" * 81}) == "InstrumentID"
    assert too_long({"OrderSysID": "x" * 20, "LimitPrice": 1.0}) == ""
    assert too_long({"StatusMsg": "x"}) == "StatusMsg", "none of those we ask with"
    assert picked("RtnTrade", {}) == {}


# Orders and trades


def test_a_replay_is_no_news_in_whatever_order_it_comes() -> None:
    records = [order_record("a", number=None), order_record("3"), order_record("1", 4), order_record("0", 10)]
    for order in permutations(range(4)):
        one = day()
        for index in order:
            one.order(records[index])
        assert [one.order(record)[1] for record in records] == [False] * 4, order
        assert [(told.status, told.filled) for told in one.orders()] == [("filled", 10)], order


def test_each_step_forward_is_news_once() -> None:
    one = day()
    steps = [order_record("a", number=None), order_record("3"), order_record("1", 4), order_record("5", 4)]
    assert [one.order(record)[1] for record in steps] == [True] * 4
    assert [one.order(record)[1] for record in steps] == [False] * 4


def test_a_trade_is_news_once_by_everything_that_names_it() -> None:
    one = day()
    one.order(order_record())
    assert one.trade(trade_record()) is not None
    assert one.trade(trade_record()) is None
    assert one.trade(trade_record(TradingDay="20251127")) is None, "of another day"
    others = (
        {"Direction": "1"},
        {"ExchangeID": "DCE"},
        {"InstrumentID": "rb2610"},
        {"OrderSysID": f"{2:>12}"},
        {"TradeID": f"{2:>12}"},
    )
    assert all(one.trade({**trade_record(), **other}) is not None for other in others)
    assert len(one.trades()) == 6


def test_an_order_is_the_same_by_its_number_when_the_counter_has_given_it_another_key() -> None:
    one = day()
    one.order(order_record())
    entry, is_news = one.order(order_record("1", 4, SessionID=99, OrderRef="500"))
    assert is_news
    assert len(one.orders()) == 1
    assert entry.order.filled == 4


def test_a_key_that_a_restarted_counter_gives_to_another_order_does_not_make_it_ours() -> None:
    one = day("mine")
    tag = one.expect("mine", (1, 7, "1"))
    one.order(order_record(OrderMemo=tag))
    _, is_news = one.order(order_record(number=2, OrderMemo="another's"))
    assert is_news
    _, is_news = one.order(order_record(number=3, OrderMemo=tag))
    assert is_news
    for _ in range(2):
        assert [told.client_order_id for told in one.orders()] == ["mine", "", ""], "nor does a name used twice"
        one.order(order_record("1", 4, number=3, OrderMemo=tag))
    assert one.find("mine", REBAR, "") is one.find("", REBAR, f"{1:>12}")


def test_orders_of_one_key_are_told_apart_by_number_or_by_memo() -> None:
    one = day()
    records = (
        order_record(OrderMemo=""),
        order_record(number=2, OrderMemo=""),
        order_record("a", number=None, OrderMemo="x"),
    )
    assert [one.order(record)[1] for record in records] == [True] * 3
    assert len(one.orders()) == 3


def test_names_come_by_the_key_by_the_tag_or_later() -> None:
    known: list[str] = []
    one = Day("A1", lambda: known)
    one.begin(DAY)
    memo = one.expect("sent-here", (1, 7, "1"))
    assert one.order(order_record(OrderMemo=""))[0].order.client_order_id == "sent-here", "a counter that shows none"
    one.order(order_record(number=2, SessionID=8, OrderMemo=tag_of("later")))
    one.trade(trade_record(OrderSysID=f"{2:>12}"))
    assert [told.client_order_id for told in one.orders()] == ["sent-here", ""]
    known.append("later")
    assert [told.client_order_id for told in one.orders()] == ["sent-here", "later"]
    assert [told.client_order_id for told in one.trades()] == ["later"]
    assert one.knows("later")
    assert memo == tag_of("sent-here")
    one.begin("20251201")
    assert not one.orders()
    assert not one.knows("later")
    assert one.names.find(memo) == "", "a name of a day that is over"


def test_an_order_is_found_by_its_padded_number_on_its_exchange() -> None:
    one = day("mine")
    one.order(order_record(OrderMemo=tag_of("mine")))
    assert one.find("", REBAR, f"{1:>12}") is one.find("mine", REBAR, "") is not None
    assert one.find("", REBAR, "1") is None
    assert one.find("", "DCE.m2605", f"{1:>12}") is None


def test_a_price_that_is_missing_is_none_and_a_name_that_no_instrument_has_is_refused() -> None:
    assert order_of(order_record(LimitPrice=sys.float_info.max), "A1", "").price is None
    with pytest.raises(ValueError, match="instrument"):
        order_of(order_record(InstrumentID="螺纹钢"), "A1", "")


# Positions, money, terms


def test_both_records_of_a_position_are_added_up() -> None:
    figures = {"PositionCost": 0.1, "OpenCost": 0.2, "UseMargin": 10.0}
    which = {"ExchangeID": "SHFE", "InstrumentID": "rb2605", "PosiDirection": "2", "HedgeFlag": "1"}
    today = {**which, **figures, "Position": 3, "TodayPosition": 3}
    older = {**which, **figures, "Position": 2, "TodayPosition": 0, "PositionCost": 0.2}
    gone = {**which, **figures, "InstrumentID": "rb2610", "Position": 0, "TodayPosition": 0}
    meal = {**today, "ExchangeID": "DCE", "InstrumentID": "m2605", "PosiDirection": "3", "Position": 5}
    rebar, short = positions_of([today, older, gone, meal], "A1")
    assert (rebar.today, rebar.yesterday, rebar.position_cost) == (3, 2, Decimal("0.3"))
    assert (short.direction, short.today, short.yesterday) == ("short", 3, 2)
    with pytest.raises(KeyError):
        positions_of([{**today, "PosiDirection": "1"}], "A1")


def test_what_was_held_when_the_day_began_tells_its_settlement_price() -> None:
    held = {"ExchangeID": "SHFE", "InstrumentID": "rb2605", "Position": 0, "PreSettlementPrice": 3010.0}
    fresh = {**held, "InstrumentID": "rb2610", "PreSettlementPrice": 0.0}
    unknown = {**held, "InstrumentID": "rb2609", "PreSettlementPrice": sys.float_info.max}
    assert settled_prices([held, fresh, unknown]) == {"SHFE.rb2605": 3010}


def test_an_amount_that_is_none_is_no_money() -> None:
    names = ("PreBalance", "Deposit", "Withdraw", "CloseProfit", "PositionProfit", "Commission", "CurrMargin")
    figures = (*names, "FrozenMargin", "FrozenCommission", "Balance", "Available")
    record = dict.fromkeys(figures, 1.1) | {"TradingDay": DAY}
    assert account_of(record, "A1").margin == Decimal("1.1")
    with pytest.raises(ValueError, match="no amount"):
        account_of({**record, "Balance": sys.float_info.max}, "A1")


def test_margins_that_are_relative_to_others_are_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="relative"):
        terms_of({}, {"IsRelative": 1}, {}, {})
    with pytest.raises(ValueError, match="by its lots"):
        terms_of({}, {"IsRelative": 0}, {}, {"OrderCommByVolume": 0.01})


def test_the_broker_s_own_word_takes_the_place_of_what_the_file_says() -> None:
    given = Rules(closing="average")
    said = rules_of({"MarginPriceType": "1", "Algorithm": "2"}, given)
    assert said == Rules(closing="average", today_margin="pre_settlement", gains_available=False)
    assert rules_of({"MarginPriceType": "4", "Algorithm": "1"}, said) == given
    for price, algorithm in (("3", "1"), ("4", "4"), ("", "")):
        with pytest.raises(ValueError, match="MarginPriceType"):
            rules_of({"MarginPriceType": price, "Algorithm": algorithm}, given)


def test_what_ctp_cannot_be_asked_is_not_asked() -> None:
    def submit(kind: str, instrument: str = REBAR, price: str | None = None) -> Submit:
        return Submit.model_validate(
            {
                "account": "A1",
                "client_order_id": "one",
                "instrument": instrument,
                "side": "sell",
                "offset": "close_yesterday",
                "hedge": "hedge",
                "type": kind,
                "price": price,
                "volume": 1,
            }
        )

    assert unfit(submit("market")) == unfit(submit("market", "INE.sc2605")) == "order_type"
    assert unfit(submit("market", "DCE.m2605")) == ""
    assert unfit(submit("limit")) == "price_missing"
    login = Login(broker_id="9999", user_id="A1", password="", app_id="", auth_code="")
    fields = insert_fields(login, submit("market", "DCE.m2605"), "3", tag_of("one"))
    assert (fields["Direction"], fields["CombOffsetFlag"], fields["CombHedgeFlag"]) == ("1", "4", "3")
    assert (fields["OrderPriceType"], fields["TimeCondition"], fields["LimitPrice"]) == ("1", "1", 0.0)
    assert not too_long(fields)
