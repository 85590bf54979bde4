"""The trading service on a scripted ledger and venue: who takes over, compares, and dies at any step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest
from trading_desk import DAY, NEXT_DAY, REBAR, terms
from trading_house import House, agreed, at_venue, place
from trading_stage import Instance
from trading_venue import ACCOUNT, Fate, Killed

from aegis.contracts.alerts import Alert
from aegis.contracts.orders import OrderReported
from aegis.contracts.trading import (
    CancelOrder,
    KillRequest,
    OrdersRequest,
    ReconcileRequest,
    SetMode,
    VenueUnavailable,
)
from aegis.trading import alerts as alerts_module
from aegis.trading.alerts import Alerts
from aegis.trading.domain.changes import Adopted, OrderTold
from aegis.trading.domain.risk import DayLimits
from aegis.trading.handlers import comparing as comparing_module
from aegis.trading.handlers.reporting import tell_unasked
from aegis_sdk.errors import DeadlineExceeded, OutcomeUnknown, Unavailable
from aegis_sdk.events import Events

SEEDS = 120
CLOCKS = {"ts_updated_ns"}  # that nothing else has changed is no event


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    yield made
    await made.end()


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
    says = "the venue has orders that nobody here asked for: "
    assert await house.alerts(2) == [("adopted", says + "theirs"), ("adopted", says + "later")]
    state = instance.service.states[ACCOUNT]
    again = [
        Adopted(
            account=ACCOUNT, ts_ns=1, client_order_id="later", report=house.venue.seen(instance.book.orders["later"])
        )
    ]
    tell_unasked(instance.service.acting, instance.account, state.book(ACCOUNT), again)
    assert instance.service.acting.counts.adopted == 2, "a report and a comparison may find it at once"
    await agreed(instance)


async def test_an_order_of_others_that_was_refused_is_known_and_needs_nobody(house: House) -> None:
    house.venue.take(at_venue("theirs"))
    refused = house.venue.seen(house.venue.book.orders["theirs"], "rejected")
    house.venue.tell(OrderTold(**house.venue.now(), client_order_id="theirs", report=refused))
    instance = await house.take()
    assert instance.book.orders["theirs"].status == "rejected"
    house.venue.take(at_venue("later"))
    assert [text.rsplit(" ", 1)[1] for _, text in await house.alerts()] == ["later"]
    assert instance.service.acting.counts.adopted == 1
    await agreed(instance)


async def test_a_mismatch_closes_only_and_a_person_opens_again(house: House) -> None:
    instance = await house.take()
    await place(instance, "one", price=3001)
    await instance.still()
    house.venue.book.close_profit += 5
    reply = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert (reply.verdict, reply.differences[0].field) == ("mismatch", "close_profit")
    assert instance.book.mode == "close_only"
    ((what, text),) = await house.alerts()
    assert (what, text.startswith("1 figures differ: account a close_profit is ")) == ("mismatch", True)
    refused = await place(instance, "two")
    assert refused.details["reason"] == "close_only"
    house.venue.book.close_profit -= 5
    await instance.call("set_mode", SetMode(account=ACCOUNT, mode="normal"), "m")
    assert (await place(instance, "three")).orders[0].status == "accepted"


async def test_a_count_of_the_day_that_nears_its_limit_is_told_once(house: House) -> None:
    instance = await house.take(day_limits={"SHFE": DayLimits(orders=10)})
    for number in range(9):
        await place(instance, f"o{number}")
        await instance.still()
    house.venue.take(at_venue("last"))  # told behind whatever was told of those before
    await instance.still()
    told = await house.alerts(2)
    assert (told[0], told[1][0], len(told)) == (("count", f"{REBAR}: 8 orders of 10 on {DAY}"), "adopted", 2)


async def test_an_alert_that_is_not_stored_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_module, "_AGAIN_S", 0.0)
    tried: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    class Full:
        async def publish(self, subject: str, alert: Alert, *, id: str) -> int:
            tried.put_nowait((alert.text, id))
            if tried.qsize() == 1:
                raise Unavailable("no stream")
            return 1

    alerts = Alerts()
    alerts.tell(ACCOUNT, "late", "first")
    alerts.tell(ACCOUNT, "late", "second")
    task = asyncio.create_task(alerts.run(cast(Events, Full())))
    async with asyncio.timeout(30):
        while tried.qsize() < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()
    first, again, second = (tried.get_nowait() for _ in range(3))
    assert (first, again[0], second[0]) == (again, "first", "second"), "under the same id: it may have been stored"


async def test_a_kill_that_is_stored_while_a_comparison_ends_stays_a_kill(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = await house.take()
    house.venue.book.close_profit += 5
    commit = instance.service.acting.commit

    async def behind_a_kill(key: str, changes: Any) -> None:
        assert instance.book.mode == "normal", "as it was when the comparison decided"
        await instance.call("kill", KillRequest(account=ACCOUNT), "kill")
        await commit(key, changes)

    monkeypatch.setattr(instance.service.acting, "commit", behind_a_kill)
    reply = await instance.call("reconcile", ReconcileRequest(account=ACCOUNT), "r")
    assert (reply.verdict, instance.book.mode) == ("mismatch", "halted")


@pytest.mark.parametrize("told", ["3010", None, "3012"])
async def test_a_new_day_settles_expires_and_confirms_its_statement_once(house: House, told: str | None) -> None:
    """By the price that the venue has settled by, also where it has learned of another one since."""
    instance = await house.take()
    await place(instance, "held", price=3001)
    await place(instance, "resting")
    await instance.still()
    house.venue.roll(NEXT_DAY, "3010")
    house.venue.terms = {} if told is None else {REBAR: terms(pre_settlement_price=Decimal(told))}
    async with asyncio.timeout(30):
        while instance.book.trading_day != NEXT_DAY:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await agreed(instance)
    assert instance.book.pre_balance == house.venue.book.pre_balance
    assert not instance.book.orders
    statements = house.venue.statements
    instance = await house.take()
    assert house.venue.statements == statements == 2


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
    async with asyncio.timeout(30):
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
    for late in house.venue.under_way:
        house.venue.take(late)
    await instance.still()
    await instance.until(lambda: not any(one.reason == "came_late" for one in instance.book.working_orders()))
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
            theirs, ours = (book.orders.get(order.client_order_id) for book in (house.venue.book, instance.book))
            if order.status == "not_sent" and theirs is not None:
                assert theirs.is_final, "it came late, and was cancelled"
                assert ours.status == theirs.status
            else:
                assert (theirs is not None) == (order.status != "not_sent")
    assert set(instance.book.orders) >= set(house.venue.book.orders)
    sequences = [sequence for _, sequence, _ in await house.events()]
    assert sorted(sequences) == list(range(1, instance.book.sequence + 1))


def _fate(chance: random.Random) -> Fate:
    if chance.random() < 0.3:
        return Fate()
    step = chance.choice(("intend", "submit", "commit", "cancel"))
    return Fate(step, chance.choice(("before", "after")), chance.randint(1, 3))
