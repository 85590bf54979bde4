"""What becomes of orders and cancels in a session, whatever comes first. CTP itself is not needed for that."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ctp_records import DAY, REBAR, input_record, order_record, trade_record

from aegis.contracts.venue import Cancel, Submit, Submitted, VenueOrder, VenueTrade
from aegis.ctp.frames import Login
from aegis.trading.adapters.ctp import live
from aegis.trading.adapters.ctp.day import Day
from aegis.trading.adapters.ctp.frames import Answer, NotTaken, Ready, Told
from aegis.trading.adapters.ctp.live import Live
from aegis.trading.adapters.ctp.naming import tag_of
from aegis.trading.adapters.ctp.queries import Pace

NUMBER = f"{1:>12}"


class Session:
    """In place of the process: keeps what it is asked."""

    is_alive = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def ask(self, what: str, fields: dict[str, Any]) -> int:
        self.asked.append((what, fields))
        return len(self.asked)

    def next_number(self) -> int:
        return len(self.asked) + 1


class Desk:
    """A session that is logged in as front 1, session 7, with references above 40."""

    def __init__(self) -> None:
        self.session: Any = Session()
        self.reports: list[VenueOrder | VenueTrade] = []
        self.day = Day("A1", tuple)
        self.day.begin(DAY)
        login = Login(broker_id="9999", user_id="A1", password="", app_id="", auth_code="")
        ready = Ready(trading_day=DAY, front_id=1, session_id=7, highest_ref=40, libraries=())
        self.live = Live(self.session, login, ready, self.day, Pace(), self.reports.append)

    async def submit(self, name: str = "one", answer_s: float = 5.0) -> asyncio.Task[Submitted]:
        order = Submit.model_validate(
            {
                "account": "A1",
                "client_order_id": name,
                "instrument": REBAR,
                "side": "buy",
                "offset": "open",
                "hedge": "speculation",
                "type": "limit",
                "price": "3081",
                "volume": 10,
            }
        )
        task = asyncio.create_task(self.live.submit(order, answer_s))
        await asyncio.sleep(0)
        return task

    def exchange_says(self, letter: str, what: str = "rb") -> None:
        self.live.heard(
            Told("RtnInstrumentStatus", {"ExchangeID": "SHFE", "InstrumentID": what, "InstrumentStatus": letter})
        )

    async def cancel(self, name: str = "one", number: str = "") -> asyncio.Task[Submitted]:
        cancel = Cancel(account="A1", instrument=REBAR, client_order_id=name, venue_order_id=number)
        task = asyncio.create_task(self.live.cancel(cancel, 5.0))
        await asyncio.sleep(0)
        return task

    def told(self, what: str, record: dict[str, Any], code: int = 0) -> None:
        self.live.heard(Told(what, record, code, "text"))

    def statuses(self) -> list[str]:
        return [one.status for one in self.reports if isinstance(one, VenueOrder)]


def ours(status: str = "3", filled: int = 0, number: int | None = 1, **other: Any) -> dict[str, Any]:
    return order_record(status, filled, number, **{"OrderRef": "41", "OrderMemo": tag_of("one"), **other})


async def test_an_order_is_accepted_when_its_exchange_has_it() -> None:
    desk = Desk()
    sending = await desk.submit()
    [(what, fields)] = desk.session.asked
    assert (what, fields["OrderRef"], fields["OrderMemo"]) == ("OrderInsert", "41", tag_of("one"))
    desk.told("RtnOrder", ours("a", number=None))
    await asyncio.sleep(0)
    assert not sending.done()
    assert not desk.reports, "its exchange may still refuse it"
    desk.told("RtnOrder", ours())
    assert await sending == Submitted(outcome="accepted", venue_order_id=NUMBER)
    again = await desk.submit("two")
    assert desk.session.asked[1][1]["OrderRef"] == "42"
    again.cancel()


async def test_a_fill_before_the_acknowledgement_is_an_acknowledgement() -> None:
    desk = Desk()
    sending = await desk.submit()
    desk.told("RtnOrder", ours("0", 10))
    desk.told("RtnTrade", trade_record())
    assert (await sending).outcome == "accepted"
    desk.told("RtnOrder", ours())
    assert desk.statuses() == ["filled"]


async def test_an_order_that_only_the_counter_has_is_accepted_in_the_end_and_one_that_nobody_has_is_unknown() -> None:
    desk = Desk()
    sending = await desk.submit(answer_s=0.01)
    desk.told("RtnOrder", ours("a", number=None))
    assert await sending == Submitted(outcome="accepted")
    lost = await (await desk.submit("two", answer_s=0.01))
    assert (lost.outcome, lost.reason) == ("unknown", "no_answer")
    desk.live.heard(Answer(2, input_record("42", tag_of("two")), 31, "no money"))
    assert desk.statuses() == ["rejected"], "a refusal that comes late is reported all the same"


async def test_a_refusal_that_is_told_twice_is_reported_once_and_another_sessions_by_its_tag() -> None:
    desk = Desk()
    sending = await desk.submit()
    record = input_record("41", tag_of("one"))
    desk.told("ErrRtnOrderInsert", record, 31)
    desk.live.heard(Answer(1, record, 31, "text"))
    assert (await sending).reason == "no_money"
    desk.told("ErrRtnOrderInsert", input_record("41", "~somebody-el"), 31)
    assert desk.statuses() == ["rejected"]


async def test_an_exchange_refusal_is_an_order_that_ended_and_no_second_report() -> None:
    desk = Desk()
    sending = await desk.submit()
    desk.told("RtnOrder", ours("5", number=None, OrderSubmitStatus="4", StatusMsg="no"))
    desk.told("ErrRtnOrderInsert", input_record("41", tag_of("one")), 17)
    answer = await sending
    assert (answer.outcome, answer.reason, answer.text) == ("refused", "exchange_refused", "no")
    assert desk.statuses() == ["rejected"]


async def test_the_end_of_a_session_leaves_unknown_what_nobody_has_spoken_of() -> None:
    desk = Desk()
    sending = await desk.submit()
    known = await desk.submit("two")
    desk.told("RtnOrder", order_record("a", number=None, OrderRef="42", OrderMemo=tag_of("two")))
    desk.told("RtnOrder", order_record("3", number=5, SessionID=3))
    cancelling = await desk.cancel("", f"{5:>12}")
    desk.live.end("gone")
    assert [(await task).outcome for task in (sending, known, cancelling)] == ["unknown", "accepted", "unknown"]


async def test_what_ctp_does_not_take_never_left_and_frees_its_name() -> None:
    desk = Desk()
    sending = await desk.submit()
    desk.live.heard(NotTaken(1, -2))
    assert (await sending).outcome == "not_sent"
    assert not desk.day.knows("one")
    used = await desk.submit()
    desk.told("RtnOrder", ours(OrderRef="42"))
    assert (await (await desk.submit())).reason == "duplicate_id"
    used.cancel()


async def test_a_cancel_names_the_order_by_its_number_and_by_its_key_before_it_has_one() -> None:
    desk = Desk()
    sending = await desk.submit()
    cancelling = await desk.cancel()
    fields = desk.session.asked[1][1]
    assert (fields["FrontID"], fields["SessionID"], fields["OrderRef"]) == (1, 7, "41")
    assert "OrderSysID" not in fields
    desk.told("RtnOrder", ours())
    again = await desk.cancel()
    assert desk.session.asked[2][1]["OrderSysID"] == NUMBER
    desk.told("RtnOrder", ours("5", 0))
    assert [(await task).outcome for task in (sending, cancelling, again)] == ["accepted"] * 3
    assert (await (await desk.cancel("nobody"))).reason == "unknown_order"


@pytest.mark.parametrize("code", [-2, -3])
async def test_a_cancel_that_ctp_does_not_take_now_is_sent_again_and_an_order_is_not(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(live, "_AGAIN_S", 0.001)
    desk = Desk()
    desk.told("RtnOrder", ours())
    cancelling = await desk.cancel("", NUMBER)
    for number in (1, 2):
        desk.live.heard(NotTaken(number, code))
        async with asyncio.timeout(30):
            while len(desk.session.asked) == number:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    desk.told("RtnOrder", ours("5"))
    assert (await cancelling).outcome == "accepted"
    ending = await desk.cancel("", NUMBER)
    desk.session.is_alive = False
    desk.live.heard(NotTaken(4, code))
    assert (await ending).outcome == "not_sent", "never asked of a session that has ended"
    assert [what for what, _ in desk.session.asked] == ["OrderAction"] * 4


async def test_a_cancel_that_a_fill_has_crossed_is_refused() -> None:
    desk = Desk()
    sending = await desk.submit()
    desk.told("RtnOrder", ours())
    cancelling = await desk.cancel()
    desk.told("RtnOrder", ours("0", 10))
    assert (await cancelling) == Submitted(outcome="refused", venue_order_id=NUMBER, reason="order_is_done")
    await sending


async def test_an_exchange_refuses_a_cancel_of_ours_and_not_that_of_another_session_with_its_number() -> None:
    desk = Desk()
    desk.told("RtnOrder", ours())
    cancelling = await desk.cancel("", NUMBER)
    action = {"OrderActionRef": 1, "ExchangeID": "SHFE", "FrontID": 1, "SessionID": 7, "OrderRef": "41"}
    desk.told("ErrRtnOrderAction", {**action, "OrderSysID": f"{9:>12}"}, 26)
    await asyncio.sleep(0)
    assert not cancelling.done()
    desk.told("ErrRtnOrderAction", {**action, "OrderSysID": NUMBER}, 26)
    assert (await cancelling).reason == "order_is_done"


async def test_a_record_that_is_not_understood_stops_nothing_behind_it() -> None:
    desk = Desk()
    for record in (ours("?"), ours(InstrumentID="螺纹钢"), ours(VolumeTotalOriginal=0), {}):
        desk.told("RtnOrder", record)
    desk.told("RtnTrade", trade_record(Price=1.8e308))
    desk.told("RtnOrder", ours())
    assert desk.statuses() == ["accepted"]


async def test_a_phase_is_the_exchange_s_latest_word_of_the_product_or_of_the_instrument_itself() -> None:
    desk = Desk()
    assert desk.live.phase(REBAR) is None
    for letter, phase in (("0", "closed"), ("3", "auction"), ("5", "match"), ("1", "break"), ("2", "trading")):
        desk.exchange_says(letter)
        assert desk.live.phase(REBAR) == phase
    assert desk.live.phase("DCE.rb2605") is None
    desk.exchange_says("1", REBAR.partition(".")[2])
    assert (desk.live.phase(REBAR), desk.live.phase("SHFE.rb2610")) == ("break", "trading")
    desk.exchange_says("7", REBAR.partition(".")[2])
    desk.exchange_says("7")
    assert desk.live.phase(REBAR) is None, "it is at its bookkeeping: the calendar says it"
