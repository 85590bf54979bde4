"""Services that misbehave: hooks, handlers and changes that a key must survive."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import InternalError, NotExecuted, OutcomeUnknown, RpcError
from aegis_sdk.single_active import ActiveContext, Committed, OpenIntent, Settled, active, health_watch

from .active_desk import KEY, TIMERS, Balance, Desk, Desks, Order, until
from .network import DEADLINE_S

# Hooks


async def test_a_recovery_that_waited_for_what_somebody_cancelled_has_failed(desks: Desks) -> None:
    """Taken for the end of our own task, it would leave the key half-way for ever."""

    async def recover(self: Desk, key: str, intents: object) -> None:
        if not self.told.count(("recovering", key)):
            self.told.append(("recovering", key))
            session = asyncio.get_running_loop().create_future()
            session.cancel()
            await session

    running = await desks.start(recover=recover)
    await running.takes()
    assert ("recovering", KEY) in running.desk.told


async def test_health_that_ends_as_if_cancelled_is_no_health(desks: Desks) -> None:
    first, second = await desks.pair()

    async def healthy(self: Desk) -> bool:
        raise asyncio.CancelledError

    type(first.desk).healthy = healthy
    await second.takes()


async def test_a_key_is_not_replayed_before_it_was_left(desks: Desks) -> None:
    """What forgets the key when it goes must not forget what has been restored since."""
    first, second = await desks.pair()
    first.desk.leaving_lasts_s = 0.3
    await first.active.hand_over(KEY)
    await second.takes()
    left = first.desk.hooks("restore", "left")
    assert left == ["restore"]
    await second.active.hand_over(KEY)
    await first.takes()
    assert first.desk.hooks("restore", "left") == ["restore", "left", "restore"]


async def test_a_long_replay_does_not_stop_the_loop(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever falls silent in its recovery is taken for stopped."""
    first, second = await desks.pair(snapshot=lambda self, key: None)
    await asyncio.gather(*(desks.call("deposit", 1) for _ in range(50)))

    turns: list[int] = []  # changes applied in each turn of the loop
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + sum(turns) * 0.011)  # as if each took so long

    def apply(self: Desk, key: str, change: Committed) -> None:
        turns[-1] += 1
        Desk.apply(self, key, change)

    async def count() -> None:
        while True:
            turns.append(0)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count())
        type(second.desk).apply = apply
        await first.active.hand_over(KEY)
        await second.takes()
        counting.cancel()
    assert sum(turns) == second.desk.balances[KEY] == 50
    assert max(turns) <= 2


async def test_a_change_that_cannot_be_applied_while_the_key_is_given_back_leaves_it_free(desks: Desks) -> None:
    """Nobody else is there: it comes back when it can be applied."""
    running = await desks.active()
    epoch = running.holding().epoch
    calling = desks.begin("wait", 5)
    await running.desk.began.wait()
    running.desk.is_healthy = False
    await until(lambda: running.holding().releasing)
    running.desk.applies = False
    running.desk.goes_on.set()
    await until(lambda: not running.active.held)
    running.desk.is_healthy = running.desk.applies = True
    await running.takes()
    assert running.holding().epoch > epoch
    with pytest.raises(OutcomeUnknown):
        await calling


async def test_who_says_that_its_health_has_changed_is_asked_at_once(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_watch, "_LOOK_S", 3600.0)
    first, second = await desks.pair()
    first.desk.is_healthy = False
    first.desk.health_changed()
    await second.takes()


async def test_an_intent_that_nobody_can_settle_keeps_no_other_from_being_settled(desks: Desks) -> None:
    async def settle(self: Desk, key: str, intent: OpenIntent) -> Settled | None:
        if intent.idempotency_key == "c1":
            raise LookupError("the venue does not know what it is asked")
        return await Desk.settle(self, key, intent)

    running = await desks.active(settle=settle)
    for name in ("c1", "c2"):
        with pytest.raises(OutcomeUnknown):
            await desks.call("break_off", 5, idempotency_key=name)
    await until(lambda: list(running.holding().journal.intents) == ["c1"])


# What no journal could be read with


async def test_a_change_in_bytes_that_is_no_json_is_refused(desks: Desks) -> None:
    async def deposit_bytes(self: Desk, request: Order, context: ActiveContext) -> Balance:
        return await context.commit(b"filled", Balance(amount=1))

    await desks.active(deposit_bytes=active(deposit_bytes))
    with pytest.raises(InternalError):
        await desks.call("deposit_bytes", 5)
    assert (await desks.call("deposit", 5)).value.amount == 5


async def test_a_snapshot_that_is_not_bytes_is_not_stored(desks: Desks) -> None:
    running = await desks.active(snapshot_every=1, snapshot=lambda self, key: "text")
    await desks.call("deposit", 5)
    assert (await desks.call("deposit", 1)).value.amount == 6
    assert running.holding().journal.snapshot is None


async def test_a_call_that_could_not_intend_commits_nothing(desks: Desks) -> None:
    """Its intent may be stored yet, and is marked as not executed then: a second result would contradict that."""

    async def order_anyway(self: Desk, request: Order, context: ActiveContext) -> Balance:
        for _ in range(2):
            with suppress(RpcError):
                await context.intend(request)
        return await context.commit(request, Balance(amount=1))

    running = await desks.active(order_anyway=active(order_anyway))
    await desks.call("balance")
    running.transport.deaf = True
    with pytest.raises((NotExecuted, InternalError)):
        await desks.call("order_anyway", 5, idempotency_key="c1")
    running.transport.deaf = False
    with pytest.raises(NotExecuted):
        await desks.call("order_anyway", 5, idempotency_key="c1")
    assert (await desks.call("deposit", 5)).value.amount == 5


# One key does not hold up another


async def test_requests_for_a_key_that_is_being_recovered_keep_no_others_from_work(
    desks: Desks,
) -> None:
    async def recover(self: Desk, key: str, intents: object) -> None:
        if key == "A2":
            await self.goes_on.wait()

    running = await desks.start(keys=[KEY, "A2"], recover=recover, timers=replace(TIMERS, recover_s=3 * DEADLINE_S))
    await running.takes()
    await until(lambda: "A2" in running.active.held)
    many = running.host.options.max_concurrent + 10
    held_up = [desks.begin("balance", key="A2", timeout=2 * DEADLINE_S) for _ in range(many)]
    await until(lambda: running.active.held["A2"].work.requests >= many)
    assert (await desks.call("balance", timeout=1)).value.amount == 0
    running.desk.goes_on.set()
    assert {answer.value.amount for answer in await asyncio.gather(*held_up)} == {0}
