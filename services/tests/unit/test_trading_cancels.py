"""The trading service on a scripted ledger and venue: what the caller of a cancel is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from trading_house import House, agreed, place
from trading_stage import Instance
from trading_venue import ACCOUNT, Fate, Killed

from aegis.contracts.trading import CancelOrder, CancelRefused, VenueUnavailable
from aegis.contracts.venue import Submitted
from aegis.trading.domain.changes import CancelAnswered, read_changes
from aegis_sdk.errors import Rejected


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


async def cancel(instance: Instance, call: str = "c") -> Any:
    return await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), call)


def refuse(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Submitted(outcome="refused", reason="bad_cancel", text="not now")
    monkeypatch.setattr(house.venue, "end", lambda _: answer)


async def test_one_that_was_not_sent_is_said_so_and_the_order_goes_on(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    house.venue.cancels_left = 0
    told = await cancel(instance)
    assert isinstance(told, VenueUnavailable)
    assert "too_many_a_second" in str(told)
    assert told.to_wire()["code"] == "venue_unavailable"
    assert not house.stored.intents, "whoever takes over does not ask for it"
    assert not instance.book.orders["one"].cancel_asked
    house.venue.cancels_left = None
    assert (await cancel(instance, "again")).order.client_order_id == "one"
    await instance.still()
    assert instance.book.orders["one"].status == "cancelled"


async def test_one_that_the_venue_refuses_is_refused_with_its_words(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    refuse(house, monkeypatch)
    told = await cancel(instance)
    assert isinstance(told, CancelRefused)
    assert told.details == {"reason": "bad_cancel", "said": "not now"}
    assert not house.stored.intents
    assert not instance.book.orders["one"].cancel_asked
    said = [change for entry in house.stored.journal if entry.data != b"null" for change in read_changes(entry.data)]
    assert [one.answer.reason for one in said if isinstance(one, CancelAnswered)] == ["bad_cancel"]
    await agreed(instance)


async def test_one_that_a_fill_crosses_has_its_order_for_an_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    end = house.venue.end

    def filled(name: str) -> Submitted:
        house.venue.fill(name, 2)
        return end(name)

    monkeypatch.setattr(house.venue, "end", filled)
    assert (await cancel(instance)).order.status == "filled"


async def test_one_that_may_be_at_the_venue_is_not_called_not_sent_by_who_takes_over(house: House) -> None:
    first = await house.take(Fate("cancel", "before"))
    await place(first, "one")
    assert isinstance(await cancel(first), Killed)
    house.venue.is_up = False
    second = await house.take()
    assert set(house.stored.intents) == {"c"}
    house.venue.is_up = True
    await second.settle()
    assert house.stored.outcomes["c"].order.client_order_id == "one"
    await second.still()
    assert second.book.orders["one"].status == "cancelled"


async def test_one_that_was_found_open_and_is_refused_is_said_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await house.take(Fate("cancel", "before"))
    await place(first, "one")
    await cancel(first)
    refuse(house, monkeypatch)
    await house.take()
    told = house.stored.outcomes["c"]
    assert isinstance(told, Rejected)
    assert told.details["reason"] == "bad_cancel"
