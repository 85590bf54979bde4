"""What fails by what one account has: the account is close-only, and whoever holds it goes on, with all others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from trading_house import House, place
from trading_stage import Instance
from trading_venue import ACCOUNT

from aegis.contracts.trading import OrderRejected, SetMode
from aegis.contracts.venue import VenueAccount
from aegis.trading.domain.changes import ModeSet, read_changes
from aegis.trading.handlers import restricting

TOO_MUCH = Decimal("9999999999999999")
"""Money as such; with what the account has besides it is none, so that neither its event nor a comparison is made."""


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(restricting, "_AGAIN_S", 0.001)
    made = House()
    yield made
    await made.end()


def pay_in(house: House, amount: Decimal) -> None:
    book = house.venue.book
    book.deposit = amount
    money: dict[str, Any] = {"deposit": amount, "pre_balance": book.pre_balance, "trading_day": book.trading_day}
    rest: dict[str, Any] = dict.fromkeys(VenueAccount.model_fields.keys() - money.keys() - {"account"}, Decimal(0))
    house.venue._report(account=VenueAccount(account=ACCOUNT, **money, **rest))


async def restricted(instance: Instance) -> None:
    await instance.until(lambda: instance.book.mode == "close_only")


async def order_events(house: House) -> list[Any]:
    return [json.loads(payload) for kind, _, payload in await house.events() if kind == "order"]


async def test_an_event_that_cannot_be_made_is_left_out_and_its_account_is_close_only(house: House) -> None:
    instance = await house.take()
    await place(instance, "held", price=3001)
    await instance.still()
    pay_in(house, TOO_MUCH)
    await restricted(instance)
    (told, *_) = await house.alerts()
    assert told[0] == "fault"
    assert "event fails" in told[1]
    refused = await place(instance, "more")
    assert isinstance(refused, OrderRejected)
    assert refused.details["reason"] == "close_only"
    await place(instance, "out", side="sell", offset="close_today", price=2999)
    await instance.until(lambda: not instance.book.held)
    assert [one["order"]["client_order_id"] for one in await order_events(house)][-1] == "out"
    sequences = [sequence for _, sequence, _ in await house.events()]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] > len(sequences)  # readers see that some are missing
    assert await instance.service.healthy()


async def test_who_takes_over_meets_the_same_event_and_goes_on(house: House) -> None:
    instance = await house.take()
    pay_in(house, TOO_MUCH)
    await restricted(instance)
    house.venue.is_up = False  # so that only events are tried
    for _ in range(2):
        instance = await house.take()
        outbox = instance.account.outbox
        await instance.until(lambda outbox=outbox: outbox.dropped and not outbox)
        assert instance.book.mode == "close_only"
        assert await instance.service.healthy()
    changes = [change for entry in house.stored.journal for change in read_changes(entry.data)]
    assert sum(isinstance(change, ModeSet) for change in changes) == 1


async def test_a_comparison_that_fails_by_a_figure_is_told_and_made_again_behind_it(house: House) -> None:
    instance = await house.take()
    pay_in(house, TOO_MUCH)
    await restricted(instance)
    instance.account.due.set()
    told = await house.alerts(2)
    assert sorted(text.partition(" ")[0] for what, text in told if what == "fault") == ["comparison", "event"]
    pay_in(house, Decimal(0))
    before = instance.account.compared_at
    instance.account.due.set()
    await instance.until(lambda: instance.account.compared_at > before)
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "normal")
    assert (await place(instance, "again")).orders[0].status == "accepted"
    assert await instance.service.healthy()
