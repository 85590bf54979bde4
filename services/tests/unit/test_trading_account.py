"""The trading service on a scripted ledger and venue: what an account may do, and what is told of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from pydantic import ValidationError
from trading_desk import MEAL, NEXT_DAY, REBAR, terms
from trading_house import House, place
from trading_venue import ACCOUNT

from aegis.contracts.market import Level
from aegis.contracts.trading import CancelOrder, FlattenRequest, KillRequest, ModeChanged, SetMode
from aegis.contracts.venue import Submit, Submitted
from aegis.trading.domain.changes import CancelAsked, TermsLearned


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def test_with_a_greatest_loss_nothing_is_opened_while_what_is_held_trades_and_its_price_is_old(
    house: House,
) -> None:
    house.venue.terms[MEAL] = terms(MEAL)
    house.venue.tell(TermsLearned(**house.venue.now(), terms=terms(MEAL)))
    instance = await house.take(max_loss=Decimal(1000))
    await place(instance, "held", price=3001)
    await instance.still()
    instance.quote(exchange="DCE", symbol="m2605")
    assert (await place(instance, "one", instrument=MEAL)).orders[0].status == "accepted"
    instance.quote(ts_received_ns=time.time_ns() - 90 * 10**9)
    refused = await place(instance, "two", instrument=MEAL)
    assert refused.details["reason"] == "stale_price"
    assert (refused.details["instrument"], float(refused.details["age"]) >= 90) == (REBAR, True)
    house.venue.phases[REBAR] = "break"
    assert (await place(instance, "three", instrument=MEAL)).orders[0].status == "accepted"


async def test_a_live_account_is_armed_for_its_day_and_stays_as_killed_or_close_only_as_it_was(house: House) -> None:
    instance = await house.take(file={"env": "live"})
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="close_only"), "m")
    await instance.arm()
    assert (instance.book.armed, instance.book.mode) == (True, "close_only")
    assert (await place(instance, "one")).details["reason"] == "close_only"
    await instance.call("kill", KillRequest(account=ACCOUNT), "k")
    told = await instance.call("set_mode", SetMode(account=ACCOUNT, armed=False), "d")
    assert (told.state.armed, told.state.mode) == (False, "halted")
    await instance.call("set_mode", SetMode(account=ACCOUNT, armed=True), "again")
    assert (instance.book.armed, instance.book.mode, instance.book.killed) == (True, "halted", True)
    instance = await house.take(file={"env": "live"})
    assert (instance.book.armed, instance.book.mode, instance.book.killed) == (True, "halted", True)
    with pytest.raises(ValidationError, match="neither"):
        SetMode(account=ACCOUNT, reason="none")


@pytest.mark.parametrize(
    ("said", "told"), [("Looks_odd", "looks_odd"), ("暂停", ""), ("x" * 256, "x" * 48), ("a b", "")]
)
async def test_a_reason_in_any_language_is_kept_and_its_event_told(house: House, said: str, told: str) -> None:
    """The journal has it for good: an event that could not be made would stop whoever takes the account over."""
    instance = await house.take()
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="close_only", reason=said), "m")
    events = [json.loads(payload) for kind, _, payload in await house.events() if kind == "account"]
    assert (events[-1]["state"]["mode"], events[-1]["reason"]) == ("close_only", told)
    assert said.encode() in house.stored.journal[-1].data
    assert await instance.service.healthy()


@pytest.mark.parametrize("price", [1e9, 1e20, -1e299])
async def test_a_price_that_nothing_can_have_is_none_and_stops_no_account(house: House, price: float) -> None:
    instance = await house.take()
    await place(instance, "held", price=3001)
    await instance.still()
    instance.quote(last_price=price, bids=(), asks=(Level(price, 1),))
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="close_only"), "m")
    events = [json.loads(payload) for kind, _, payload in await house.events() if kind == "account"]
    assert (events[-1]["state"]["mode"], events[-1]["state"]["position_profit"]) == ("close_only", "0")
    await place(instance, "close", side="sell", offset="close_today", price=2999)
    await instance.until(lambda: not instance.book.held)
    assert await instance.service.healthy()


async def test_a_mode_is_set_only_from_the_one_that_was_seen(house: House) -> None:
    """Who has opened a dialog before a kill does not undo it by that; nor does who asks while it is being stored."""
    instance = await house.take()
    killing = asyncio.create_task(instance.call("kill", KillRequest(account=ACCOUNT), "k"))
    await asyncio.sleep(0)  # it has begun, and is not stored
    late = SetMode(account=ACCOUNT, mode="normal", was="normal")
    for name in ("while", "behind"):
        refused = await instance.call("set_mode", late, name)
        assert isinstance(refused, ModeChanged)
        assert refused.details == {"reason": "mode_changed", "account": ACCOUNT, "mode": "halted"}
    await killing
    assert (instance.book.mode, instance.book.killed) == ("halted", True)
    told = await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal", was="halted"), "seen")
    assert (told.state.mode, instance.book.mode, instance.book.killed) == ("normal", "normal", False)


async def test_what_does_not_fit_is_told_once_a_day_by_who_holds_the_account(house: House) -> None:
    instance = await house.take()
    for name in ("nobody", "nobody", "another"):
        change = CancelAsked(account=ACCOUNT, ts_ns=1, client_order_id=name)
        await instance.service.acting.commit(ACCOUNT, [change])
    unknown = ("note", "unknown_order: cancel_asked nobody")
    assert await house.alerts() == [unknown]
    instance = await house.take()  # it replays them
    house.venue.roll(NEXT_DAY, "3000")
    await instance.until(lambda: instance.book.trading_day == NEXT_DAY)
    await instance.service.acting.commit(ACCOUNT, [CancelAsked(account=ACCOUNT, ts_ns=1, client_order_id="nobody")])
    assert await house.alerts(2) == [unknown, unknown]


async def test_a_counter_that_has_lost_the_confirmation_is_told_again_before_the_next_order_and_somebody_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    take, confirmed = house.venue.take, house.venue.statements

    def forgetful(asked: Submit) -> Submitted:
        if house.venue.statements == confirmed:
            return Submitted(outcome="refused", reason="settlement_not_confirmed")
        return take(asked)

    monkeypatch.setattr(house.venue, "take", forgetful)
    assert (await place(instance, "one")).orders[0].reason == "settlement_not_confirmed"
    assert (await place(instance, "two")).orders[0].status == "accepted"
    assert house.venue.statements == confirmed + 1
    ((what, text),) = await house.alerts()
    assert (what, text.endswith("it is confirmed again")) == ("settlement", True)
    await house.take()
    assert house.venue.statements == confirmed + 1, "nor by who takes over"


async def test_flatten_closes_what_is_held_and_names_what_it_cannot(house: House) -> None:
    instance = await house.take(max_order_lots=2)
    for number in range(2):
        await place(instance, f"o{number}", price=3001)
    await instance.still()
    asked = FlattenRequest(account=ACCOUNT, confirm="b")
    assert (await instance.call("flatten", asked, "f0")).details["reason"] == "unconfirmed"
    flatten = FlattenRequest(account=ACCOUNT, confirm=ACCOUNT)
    await place(instance, "far", side="sell", offset="close_today", price=3050, volume=1)
    reply = await instance.call("flatten", flatten, "f1")
    assert [(one.type, one.volume, one.side) for one in reply.orders] == [("fak", 2, "sell"), ("fak", 1, "sell")]
    assert reply.refused == {REBAR: "too_few_to_close"}, "an order that is not met yet closes a lot of it"
    await instance.still()
    other = await instance.call("flatten", flatten.model_copy(update={"instruments": ["SHFE.cu2605"]}), "f2")
    assert (other.orders, other.refused) == ([], {})
    await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="far"), "c")
    await instance.still()
    reply = await instance.call("flatten", flatten, "f3")
    assert ([one.volume for one in reply.orders], reply.refused) == ([1], {})
    await instance.still()
    assert all(holding.lots == 0 for holding in instance.book.holdings.values())
