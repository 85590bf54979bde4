"""The trading service on a scripted ledger and venue: what happens at each step, and whenever it dies there."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from trading_desk import NEXT_DAY, REBAR
from trading_stage import ACCOUNT, Fate, Instance, Killed, ScriptedVenue, Stored

from aegis.contracts.orders import OrderReported
from aegis.contracts.trading import (
    CancelOrder,
    FlattenRequest,
    KillRequest,
    OrderRejected,
    OrderRequest,
    OrdersRequest,
    ReconcileRequest,
    SetMode,
    VenueUnavailable,
)
from aegis.contracts.venue import Submit
from aegis.trading.domain.group import snapshot
from aegis.trading.handlers import comparing as comparing_module
from aegis_sdk import codec
from aegis_sdk.errors import DeadlineExceeded, Moved, OutcomeUnknown, Suspended

SEEDS = 120
CLOCKS = {"ts_updated_ns"}  # that nothing else has changed is no event


class House:
    """Whoever is active now, and what outlives it."""

    def __init__(self) -> None:
        self.stored = Stored()
        self.venue = ScriptedVenue()
        self.active: Instance | None = None

    async def take(self, fate: Fate | None = None, **risk: Any) -> Instance:
        """The next instance takes over; the one before is gone."""
        await self.end()
        self.active = Instance(self.stored, self.venue, fate, **risk)
        try:
            return await self.active.take()
        except Killed:  # while it settled what the one before had begun
            return await self.take(None, **risk)

    async def end(self) -> None:
        if self.active is not None:
            await self.active.end()
            self.active = None

    async def events(self) -> list[tuple[str, int, bytes]]:
        """All that is stored: kind, sequence, payload."""
        instance = self.active
        assert instance is not None
        async with asyncio.timeout(5):
            while instance.account.outbox:  # noqa: ASYNC110 - a test's own poll of pure state
                await asyncio.sleep(0.001)
        found: list[tuple[str, int, bytes]] = []
        async with instance.transport.read("EVENTS", f"event.trading.{ACCOUNT}.>") as messages:
            async for message in messages:
                if message is None:
                    break
                body = codec.decode_json(message.payload)
                kind = message.subject.rsplit(".", 1)[1]
                if kind != "alert":
                    found.append((kind, body["sequence"], message.payload))
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


def request(name: str, side: str = "buy", price: int | None = 2990, volume: int = 2, **other: Any) -> OrderRequest:
    facts: dict[str, Any] = {"offset": "open", "instrument": REBAR}
    at = None if price is None else Decimal(price)
    return OrderRequest(account=ACCOUNT, client_order_id=name, side=side, price=at, volume=volume, **{**facts, **other})


def at_venue(name: str) -> Submit:
    return Submit(
        account=ACCOUNT,
        client_order_id=name,
        instrument=REBAR,
        side="buy",
        offset="open",
        hedge="speculation",
        type="limit",
        price=Decimal(2980),
        volume=1,
    )


async def place(instance: Instance, name: str, **other: Any) -> Any:
    return await instance.call("place_order", request(name, **other), name)


async def agreed(instance: Instance) -> None:
    reply = await instance.service.comparing.now(instance.service.states[ACCOUNT], instance.account)
    assert reply.differences == []


async def test_an_order_is_journaled_before_its_venue_hears_of_it_and_answered_with_its_word(house: House) -> None:
    instance = await house.take()
    reply = await place(instance, "one")
    assert [order.status for order in reply.orders] == ["accepted"]
    assert house.venue.submits == {"one": 1}
    kinds = [change.kind for change in house.stored.journal]
    assert kinds.index("intent") < len(kinds) - 1
    await instance.still()
    assert instance.book.orders["one"].status == "accepted"
    await agreed(instance)


async def test_a_fill_moves_the_books_as_the_venue_s(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    assert instance.book.orders["one"].status == "filled"
    closing = await place(instance, "two", side="sell", price=2999, offset="close", split="today_first", volume=2)
    assert [order.offset for order in closing.orders] == ["close_today"]
    await instance.still()
    await agreed(instance)
    assert instance.book.close_profit == house.venue.book.close_profit != 0


async def test_a_check_that_objects_leaves_no_trace(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    before = len(house.stored.journal)
    refused = await place(instance, "far", price=3200)
    assert isinstance(refused, OrderRejected)
    assert refused.details["reason"] == "collar"
    assert (len(house.stored.journal), house.venue.submits) == (before, {"one": 1})
    assert instance.service.acting.counts.refused == {"collar": 1}


async def test_side_by_side_orders_never_spend_the_same_room(house: House) -> None:
    instance = await house.take(max_position_lots=5)
    replies = await asyncio.gather(*(place(instance, f"o{number}") for number in range(5)))
    taken = [one for one in replies if not isinstance(one, Exception)]
    assert len(taken) == 2
    assert {one.details["reason"] for one in replies if isinstance(one, OrderRejected)} == {"position_limit"}


async def test_a_name_is_used_once_whatever_the_call_is_called(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    again = await instance.call("place_order", request("one"), "another call")
    assert again.details["reason"] == "duplicate_id"
    assert house.venue.submits == {"one": 1}


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_answer_that_does_not_come_is_unknown_until_the_venue_is_asked(house: House, arrives: bool) -> None:
    instance = await house.take()
    house.venue.arrives, house.venue.answers, house.venue.reports = arrives, False, False
    assert isinstance(await place(instance, "one"), OutcomeUnknown)
    assert instance.book.orders["one"].status in ("unknown", "accepted")
    house.venue.arrives = house.venue.answers = house.venue.reports = True
    await instance.settle()
    (order,) = house.stored.outcomes["one"].orders
    assert order.status == ("accepted" if arrives else "not_sent")
    assert house.venue.submits == ({"one": 1} if arrives else {})
    await agreed(instance)


async def test_what_may_still_be_under_way_is_not_called_lost(house: House) -> None:
    instance = await house.take()
    house.venue.arrives = house.venue.answers = False
    await place(instance, "one")
    instance.service.acting.settle_s = 60
    await instance.settle()
    assert "one" not in house.stored.outcomes
    house.venue.take(request_to_submit("one"))  # it arrives after all
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "accepted"


async def test_where_a_cancel_makes_a_name_void_an_order_is_known_not_to_come_at_once(house: House) -> None:
    house.venue.voids = True
    instance = await house.take()
    house.venue.arrives = house.venue.answers = False
    await place(instance, "one")
    instance.service.acting.settle_s = 60
    house.venue.arrives = house.venue.answers = True
    await instance.settle()
    assert house.stored.outcomes["one"].orders[0].status == "not_sent"
    assert house.venue.take(request_to_submit("one")).outcome == "refused"  # it comes after all
    await agreed(instance)


def request_to_submit(name: str) -> Submit:
    return at_venue(name).model_copy(update={"price": Decimal(2990), "volume": 2})


async def test_an_order_whose_sender_was_frozen_behind_its_intent_is_not_sent_when_others_have_the_key(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()

    async def ended() -> None:
        raise Moved("the epoch has ended")

    monkeypatch.setattr(instance.ledger, "prove", ended)
    reply = await place(instance, "one")
    assert (reply.orders[0].status, reply.orders[0].reason) == ("not_sent", "epoch_ended")
    assert not house.venue.submits


async def test_an_order_whose_intent_was_given_up_holds_nothing_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger stored it too late: its caller was told that nothing was done."""
    instance = await house.take()

    def too_late(step: str) -> None:
        raise Suspended(f"{step} was not stored in time")

    await place(instance, "works")
    held = instance.book.frozen_margin
    with monkeypatch.context() as broken:
        broken.setattr(instance.ledger, "after", too_late)
        assert isinstance(await place(instance, "one"), Suspended)
    assert instance.book.frozen_margin == 2 * held
    await instance.ledger.write("result", "one", b"null")
    order = instance.book.orders["one"]
    assert (order.status, order.reason, instance.book.frozen_margin) == ("not_sent", "not_executed", held)
    assert not house.venue.submits["one"]
    await agreed(instance)
    assert instance.service.states[ACCOUNT].group.begun == {}
    before = snapshot(instance.service.states[ACCOUNT].group)
    await house.end()
    house.stored.intents.clear()
    again = await house.take()
    assert snapshot(again.service.states[ACCOUNT].group) == before


async def test_a_cancel_whose_intent_was_given_up_may_be_asked_for_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()

    def too_late(step: str) -> None:
        raise Suspended(f"{step} was not stored in time")

    await place(instance, "one")
    asked = CancelOrder(account=ACCOUNT, client_order_id="one")
    with monkeypatch.context() as broken:
        broken.setattr(instance.ledger, "after", too_late)
        assert isinstance(await instance.call("cancel_order", asked, "first"), Suspended)
    assert instance.book.orders["one"].cancel_asked
    await instance.ledger.write("result", "first", b"null")
    assert not instance.book.orders["one"].cancel_asked
    await instance.call("cancel_order", asked, "second")
    await instance.still()
    assert instance.book.orders["one"].status == "cancelled"


async def test_the_second_leg_is_not_sent_behind_one_that_was_refused(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    house.venue.roll(NEXT_DAY, "3000")
    await instance.still()
    async with asyncio.timeout(5):
        while instance.book.trading_day != NEXT_DAY or not instance.account.ready.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await place(instance, "two", price=3001)
    await instance.still()
    house.venue.take(at_venue("x-1"))  # the name is taken there: the first leg will be refused
    instance.book.orders.pop("x-1", None)
    reply = await place(instance, "x", side="sell", price=2999, offset="close", split="today_first", volume=4)
    assert [(one.status, one.reason) for one in reply.orders] == [
        ("rejected", "duplicate_id"),
        ("not_sent", "other_leg"),
    ]


async def test_a_kill_halts_before_it_cancels_and_nothing_slips_through(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    racing = [asyncio.create_task(place(instance, f"r{number}")) for number in range(3)]
    killing = asyncio.create_task(instance.call("kill", KillRequest(account=ACCOUNT), "kill"))
    replies = await asyncio.gather(*racing)
    reply = await killing
    assert "one" in reply.asked
    await instance.still()
    assert instance.book.mode == "halted"
    assert not house.venue.book.working
    assert all(isinstance(one, OrderRejected) or one.orders[0].client_order_id for one in replies)
    refused = await place(instance, "late")
    assert refused.details["reason"] == "halted"


async def test_no_order_before_the_venue_was_compared_with_and_cancels_meanwhile(house: House) -> None:
    instance = await house.take()
    await place(instance, "one")
    await instance.still()
    instance.account.ready.clear()
    assert isinstance(await place(instance, "two"), VenueUnavailable)
    reply = await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id="one"), "c")
    assert reply.order.client_order_id == "one"
    await instance.still()
    assert instance.book.orders["one"].status == "cancelled"


async def test_terms_that_cannot_be_asked_for_leave_nothing_in_doubt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()

    async def silent(*_: Any) -> Any:
        raise DeadlineExceeded("no answer")

    monkeypatch.setattr(instance.venue, "terms", silent)
    assert isinstance(await place(instance, "one"), VenueUnavailable)
    assert house.venue.submits == {}


async def test_an_instance_that_has_lost_the_key_keeps_no_reports_of_it(house: House) -> None:
    instance = await house.take()
    await instance.service.on_standby(ACCOUNT)
    house.venue.take(at_venue("theirs"))
    assert not instance.account.reports


async def test_what_is_reported_while_the_journal_is_read_waits_for_the_comparison(house: House) -> None:
    """A venue may know its names by the journal alone: until that is read, its orders have none."""
    first = await house.take()
    await place(first, "one")
    await house.end()
    second = house.active = Instance(house.stored, house.venue)
    second.service.transport = second.transport
    await second.service.on_start()
    second.service.restore(ACCOUNT, None)
    assert not second.service.names(ACCOUNT)
    nameless = house.venue.seen(house.venue.book.orders["one"]).model_copy(update={"client_order_id": ""})
    second.venue.report(True, order=nameless)
    assert not second.account.reports
    for change in house.stored.journal:
        second.service.apply(ACCOUNT, change)
    assert list(second.service.names(ACCOUNT)) == ["one"]


async def test_orders_of_others_are_adopted_and_told(house: House) -> None:
    house.venue.take(at_venue("theirs"))
    instance = await house.take()
    assert instance.book.orders["theirs"].adopted
    house.venue.take(at_venue("later"))
    await instance.still()
    assert instance.book.orders["later"].adopted
    assert instance.service.acting.counts.adopted == 2
    await agreed(instance)


async def test_a_mismatch_closes_only_and_a_person_opens_again(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    house.venue.book.close_profit += 5
    reply = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert (reply.verdict, reply.differences[0].field) == ("mismatch", "close_profit")
    assert instance.book.mode == "close_only"
    refused = await place(instance, "two")
    assert refused.details["reason"] == "close_only"
    house.venue.book.close_profit -= 5
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "m")
    assert (await place(instance, "three")).orders[0].status == "accepted"


@pytest.mark.parametrize("price_is_told", [True, False])
async def test_a_new_day_settles_expires_and_confirms_its_statement_once(house: House, price_is_told: bool) -> None:
    instance = await house.take()
    await place(instance, "held", price=3001)
    await place(instance, "resting")
    await instance.still()
    house.venue.roll(NEXT_DAY, "3010")
    if not price_is_told:
        house.venue.terms = {}
    async with asyncio.timeout(5):
        while instance.book.trading_day != NEXT_DAY:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await agreed(instance)
    assert instance.book.pre_balance == house.venue.book.pre_balance
    assert not instance.book.orders
    statements = house.venue.statements
    instance = await house.take()
    assert house.venue.statements == statements == 2


async def test_flatten_closes_what_is_held_and_names_what_it_cannot(house: House) -> None:
    instance = await house.take(max_order_lots=2)
    for number in range(2):
        await place(instance, f"o{number}", price=3001)
    await instance.still()
    asked = FlattenRequest(account=ACCOUNT, confirm="b")
    assert (await instance.call("flatten", asked, "f0")).details["reason"] == "unconfirmed"
    reply = await instance.call("flatten", FlattenRequest(account=ACCOUNT, confirm=ACCOUNT), "f1")
    assert [(one.type, one.volume, one.side) for one in reply.orders] == [("fak", 2, "sell")] * 2
    await instance.still()
    assert all(holding.lots == 0 for holding in instance.book.holdings.values())


async def test_events_are_numbered_on_over_a_takeover_and_none_is_told_twice(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    before = await house.events()
    instance = await house.take()
    await place(instance, "two")
    await instance.still()
    after = await house.events()
    assert after[: len(before)] == before
    assert [sequence for _, sequence, _ in after] == list(range(1, len(after) + 1))
    page = await instance.call("orders", OrdersRequest(account=ACCOUNT), "q")
    assert page.sequence == len(after)
    last = [OrderReported.model_validate_json(payload) for kind, _, payload in after if kind == "order"][-1]
    assert last.order.model_dump(exclude=CLOCKS) == page.orders[-1].model_dump(exclude=CLOCKS)


async def test_pages_of_orders_follow_each_other(house: House) -> None:
    instance = await house.take()
    for number in range(5):
        await place(instance, f"o{number}")
    await instance.still()
    first = await instance.call("orders", OrdersRequest(account=ACCOUNT, limit=2), "q")
    second = await instance.call("orders", OrdersRequest(account=ACCOUNT, limit=3, after=first.next), "q")
    assert [one.client_order_id for one in (*first.orders, *second.orders)] == [f"o{number}" for number in range(5)]
    assert (first.next, second.next) == ("o1", "")


async def test_a_mode_that_changes_while_orders_are_sent_holds_back_the_rest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take(max_order_lots=2)
    for number in range(2):
        await place(instance, f"o{number}", price=3001)
    await instance.still()
    take = house.venue.take

    def halting(asked: Submit) -> Any:
        instance.book.mode = "halted"
        return take(asked)

    monkeypatch.setattr(house.venue, "take", halting)
    reply = await instance.call("flatten", FlattenRequest(account=ACCOUNT, confirm=ACCOUNT), "f")
    assert [(one.status in ("accepted", "filled"), one.reason) for one in reply.orders] == [
        (True, ""),
        (False, "halted"),
    ]


async def test_a_difference_that_is_gone_at_the_second_look_is_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    asked, looks = instance.venue.account, 0

    async def late(account: str) -> Any:
        nonlocal looks
        looks += 1
        told = await asked(account)
        return told.model_copy(update={"close_profit": Decimal(5)}) if looks == 1 else told

    monkeypatch.setattr(instance.venue, "account", late)
    await agreed(instance)
    assert looks == 2
    assert instance.book.mode == "normal"


async def test_an_account_that_never_stands_still_is_not_called_wrong(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing_module, "_BETWEEN_S", 0.001)
    instance = await house.take()
    house.venue.book.close_profit += 5
    asked = instance.venue.positions

    async def moving(account: str) -> Any:
        instance.account.activity += 1
        return await asked(account)

    monkeypatch.setattr(instance.venue, "positions", moving)
    reply = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert isinstance(reply, VenueUnavailable)
    assert (instance.book.mode, instance.account.ready.is_set()) == ("normal", True)


async def test_the_end_of_an_order_of_others_is_fetched_where_its_report_came_too_early(house: House) -> None:
    instance = await house.take()
    house.venue.take(at_venue("theirs"))
    house.venue.end("theirs")
    async with asyncio.timeout(5):
        while "theirs" not in instance.book.orders or instance.book.working:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert instance.book.orders["theirs"].status == "cancelled"


STEPS = [(step, when) for step in ("intend", "submit", "commit") for when in ("before", "after")]


@pytest.mark.parametrize(("step", "when"), STEPS)
async def test_whoever_dies_at_a_step_leaves_an_order_that_is_told_truly(house: House, step: str, when: str) -> None:
    instance = await house.take(Fate(step, when))
    assert isinstance(await place(instance, "one"), Killed)
    instance = await house.take()
    await instance.settle()
    reply = await place(instance, "one")  # its caller asks again with the same key
    sent = house.venue.submits["one"]
    reached = (step, when) not in (("intend", "before"), ("intend", "after"), ("submit", "before"))
    assert sent == 1 if reached or (when == "before" and step == "intend") else sent == 0
    assert reply.orders[0].status == ("accepted" if sent else "not_sent")
    assert ("one" in house.venue.book.orders) == bool(sent)
    await agreed(instance)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_random_faults_lose_nothing_send_nothing_twice_and_tell_no_lies(house: House, seed: int) -> None:
    chance = random.Random(seed)
    told: dict[str, Any] = {}
    instance = await house.take(_fate(chance))
    for number in range(12):
        name = f"n{number}"
        house.venue.arrives = chance.random() > 0.08
        house.venue.answers = chance.random() > 0.12 and house.venue.arrives
        house.venue.reports = chance.random() > 0.1
        match chance.choice(("open", "open", "rest", "close", "cancel", "fill", "kill")):
            case "open":
                told[name] = await place(instance, name, price=3001, volume=chance.randint(1, 4))
            case "rest":
                told[name] = await place(instance, name, price=2990 - chance.randint(0, 5))
            case "close":
                told[name] = await place(
                    instance, name, side="sell", price=2999, offset="close", split="today_first", volume=1
                )
            case "cancel" if house.venue.book.working:
                which = chance.choice(list(house.venue.book.working))
                await instance.call("cancel_order", CancelOrder(account=ACCOUNT, client_order_id=which), name)
            case "fill" if house.venue.book.working:
                house.venue.fill(chance.choice(list(house.venue.book.working)), 1)
            case _:
                house.venue.arrives = house.venue.answers = house.venue.reports = True
                instance.fate.is_dead = True
        if instance.fate.is_dead:
            house.venue.arrives = house.venue.answers = house.venue.reports = True
            instance = await house.take(_fate(chance))
    house.venue.arrives = house.venue.answers = house.venue.reports = True
    instance = await house.take()
    await instance.settle()
    await instance.still()
    await agreed(instance)
    assert instance.book.mode == "normal"  # no comparison on the way has raised a false alarm
    assert not house.stored.intents
    assert set(house.venue.submits.values()) <= {1}
    for name, answer in told.items():
        if isinstance(answer, Killed | OutcomeUnknown):
            answer = house.stored.outcomes.get(name)
        if answer is None or isinstance(answer, Exception):
            assert name not in house.venue.book.orders
            continue
        for order in answer.orders:
            assert (order.client_order_id in house.venue.book.orders) == (order.status != "not_sent")
    assert set(instance.book.orders) >= set(house.venue.book.orders)
    sequences = [sequence for _, sequence, _ in await house.events()]
    assert sorted(sequences) == list(range(1, instance.book.sequence + 1))


def _fate(chance: random.Random) -> Fate:
    if chance.random() < 0.3:
        return Fate()
    step = chance.choice(("intend", "submit", "commit", "cancel"))
    return Fate(step, chance.choice(("before", "after")), chance.randint(1, 3))
