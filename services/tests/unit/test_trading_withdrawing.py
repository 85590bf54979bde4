"""Orders that nobody wants any more, on a scripted ledger and venue: cancelled, whatever becomes of a cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from trading_house import House, agreed, as_placed, at_venue, place
from trading_venue import ACCOUNT, Fate

from aegis.contracts.trading import CancelOrder, KillRequest, SetMode
from aegis.trading.domain.changes import CancelAsked, read_changes
from aegis.trading.handlers import withdrawing


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(withdrawing, "_LOOK_S", 0.001)
    monkeypatch.setattr(withdrawing, "_AGAIN_S", 0.005)
    made = House()
    yield made
    await made.end()


@pytest.mark.parametrize("policy", ["cancel", "keep"])
async def test_an_order_that_comes_after_it_was_called_not_sent_is_told_and_cancelled_unless_told_otherwise(
    house: House, policy: str
) -> None:
    instance = await house.take(late_orders=policy)
    house.venue.arrives = False
    await place(instance, "one")
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "not_sent"
    house.venue.arrives = True
    house.venue.take(as_placed("one"))
    await instance.until(lambda: instance.book.orders["one"].reason == "came_late" or not house.venue.book.working)
    late = "one was called not sent, and its venue has it all the same"
    assert await house.alerts() == [("late", late)]
    if policy == "keep":
        assert list(house.venue.book.working) == ["one"]
        await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), "c")
    await instance.until(lambda: instance.book.orders["one"].status == "cancelled")
    assert not house.venue.book.working
    await agreed(instance)


async def test_a_late_order_is_asked_for_until_it_works_no_more_also_by_who_takes_over(
    house: House,
) -> None:
    instance = await house.take()
    house.venue.arrives = False
    await place(instance, "one")
    await instance.settle()
    house.venue.cancels_arrive = False
    house.venue.take(as_placed("one"))
    await instance.until(lambda: house.venue.cancels["one"] >= 2)
    await instance.still()
    instance = await house.take()
    asked = house.venue.cancels["one"]
    await instance.until(lambda: house.venue.cancels["one"] > asked)
    house.venue.cancels_arrive = True
    await instance.until(lambda: instance.book.orders["one"].status == "cancelled")
    told = [change for entry in house.stored.journal for change in read_changes(entry.data) if entry.data != b"null"]
    assert sum(isinstance(change, CancelAsked) for change in told) == 1


KILL = KillRequest(account=ACCOUNT)


async def test_a_kill_goes_on_until_a_venue_that_takes_few_cancels_has_taken_all(house: House) -> None:
    instance = await house.take()
    for number in range(50):
        await place(instance, f"o{number}", volume=1)
    house.venue.cancels_left = 5
    reply = await instance.call("kill", KILL, "kill")
    assert (len(reply.asked), len(reply.failed)) == (5, 45)
    while house.venue.book.working:
        house.venue.cancels_left = 5
        await instance.until(lambda: house.venue.cancels_left == 0 or not house.venue.book.working)
    await instance.until(lambda: not instance.book.working)
    assert set(house.venue.submits.values()) == {1}
    await agreed(instance)


async def test_a_kill_keeps_to_the_pace_of_cancels(house: House) -> None:
    instance = await house.take(cancels_per_s=3)
    for number in range(5):
        await place(instance, f"o{number}", volume=1)
    reply = await instance.call("kill", KILL, "kill")
    assert (reply.asked, reply.failed) == (["o0", "o1", "o2"], ["o3", "o4"])
    assert sum(house.venue.cancels.values()) == 3


async def test_a_kill_outlives_a_venue_that_is_away_and_whoever_was_told_of_it(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    house.venue.is_up = False
    reply = await instance.call("kill", KILL, "kill")
    assert (reply.asked, reply.failed) == ([], ["one"])
    instance = await house.take()
    assert instance.book.mode == "halted"
    house.venue.is_up = True
    await instance.until(lambda: not instance.book.working)
    assert not house.venue.book.working


async def test_a_new_session_of_the_venue_is_asked_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawing, "_AGAIN_S", 60.0)
    instance = await house.take()
    await place(instance, "one")
    house.venue.is_up = False
    assert (await instance.call("kill", KILL, "kill")).failed == ["one"]
    house.venue.is_up = True
    instance.venue.session = "another"
    await instance.until(lambda: not instance.book.working)


async def test_what_comes_to_a_killed_account_from_elsewhere_is_cancelled_until_a_person_sets_another_mode(
    house: House,
) -> None:
    instance = await house.take()
    await instance.call("kill", KILL, "kill")
    house.venue.take(at_venue("theirs"))
    await instance.until(lambda: "theirs" in instance.book.orders and not instance.book.working)
    assert not house.venue.book.working
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "m")
    house.venue.take(at_venue("later"))
    await instance.until(lambda: "later" in instance.book.orders)
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="halted"), "h")
    await place(instance, "refused")
    await asyncio.sleep(0.01)  # that nothing is asked has no event
    assert (list(instance.book.working), house.venue.cancels["later"]) == (["later"], 0)


async def test_a_kill_whose_holder_died_is_answered_by_the_next_one(house: House) -> None:
    instance = await house.take(Fate("cancel", "before"))
    await place(instance, "one")
    await place(instance, "two")
    killing = asyncio.create_task(instance.call("kill", KILL, "kill"))
    await instance.until(lambda: instance.fate.is_dead)
    instance = await house.take()
    killing.cancel()
    await instance.until(lambda: not instance.book.working)
    await instance.settle()
    assert house.stored.outcomes["kill"].asked == ["one", "two"]
