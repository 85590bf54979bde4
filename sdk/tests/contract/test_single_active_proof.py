"""Requests to the active instance of a key while the ledger is away, it stood still, or its key comes and goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import NotExecuted, OutcomeUnknown
from aegis_sdk.messages import ERROR_CODE
from aegis_sdk.single_active import ActiveContext, Committed, active
from aegis_sdk.single_active.requests import Requests
from aegis_sdk.single_active.trace import Began
from aegis_sdk.transport import Transport

from .active_desk import KEY, TIMERS, Balance, Desk, Desks, Order, Running, asked, until
from .network import DEADLINE_S

# Without a ledger


async def test_what_may_read_stale_answers_without_a_proof_and_says_so(desks: Desks) -> None:
    running = await desks.active(timers=replace(TIMERS, proof_s=5.0, recover_s=10.0))
    await desks.call("deposit", 5)
    fresh = await desks.call("peek")
    running.transport.away = True
    running.holding().proof_sent_at -= 10.0
    stale = await desks.call("peek")
    assert (fresh.stale, stale.stale) == (False, True)
    assert stale.value.amount == 5
    with pytest.raises(NotExecuted):
        await desks.call("balance")


async def test_without_a_ledger_a_caller_hears_soon_that_nothing_was_done(desks: Desks) -> None:
    running = await desks.active()
    running.transport.away = True
    began = asyncio.get_running_loop().time()
    with pytest.raises(NotExecuted):
        await desks.call("order", 5)
    assert asyncio.get_running_loop().time() - began < 2 * TIMERS.outcome_s
    assert not desks.venue.orders


async def test_an_intent_that_was_given_up_is_not_executed_for_good(desks: Desks) -> None:
    running = await desks.active()
    await desks.call("balance")
    running.transport.deaf = True
    with pytest.raises(NotExecuted):
        await desks.call("order", 5, idempotency_key="c1")
    running.transport.deaf = False
    with pytest.raises(NotExecuted):
        await desks.call("order", 5, idempotency_key="c1")
    assert not desks.venue.orders
    assert not running.holding().journal.intents


async def test_the_same_epoch_goes_on_when_the_ledger_is_back(desks: Desks) -> None:
    running = await desks.active()
    epoch = running.holding().epoch
    running.transport.away = True
    with pytest.raises((NotExecuted, OutcomeUnknown)):
        await desks.call("deposit", 5)
    running.transport.away = False
    assert (await desks.call("deposit", 1)).epoch == epoch


async def test_a_commit_whose_answer_cannot_be_proved_is_never_called_not_executed(desks: Desks) -> None:
    """The commit is stored, and then the ledger is away: that answer must not leave, nor "safe to repeat"."""
    running = await desks.active()
    holding = running.holding()
    applied = type(running.desk).apply

    def apply(self: Desk, key: str, change: Committed) -> None:
        applied(self, key, change)
        running.transport.away = True
        holding.suspend()

    type(running.desk).apply = apply
    with pytest.raises(OutcomeUnknown):
        await desks.call("deposit", 5, idempotency_key="c1")
    with pytest.raises((NotExecuted, OutcomeUnknown)):
        await desks.call("deposit", 5, idempotency_key="c1")
    type(running.desk).apply = applied
    running.transport.away = False
    assert (await desks.call("deposit", 5, idempotency_key="c1")).value.amount == 5


async def unproved(running: Running) -> None:
    """Let the ledger be away, and what was proved before run out."""
    await until(lambda: running.holding()._flight is None)  # what is on its way to it would prove the key again
    running.transport.away = True
    await until(lambda: not running.holding().is_proved(clock.now()))


@pytest.mark.parametrize("method", ["withdraw", "break_early"])
async def test_an_error_needs_a_proof_like_any_answer(desks: Desks, other: Transport, method: str) -> None:
    """Whether its handler rejects, or fails: by what a deposed instance knows, any may."""
    running = await desks.active()
    await desks.call("balance")
    await unproved(running)
    reply = await asked(running, other, method)
    assert reply.headers[ERROR_CODE] == "503"
    assert b"suspended" in reply.payload


async def test_an_error_is_never_stale(desks: Desks, other: Transport) -> None:
    """Its caller would not learn of it."""

    async def fail(self: Desk, request: Order, context: ActiveContext) -> Balance:
        raise LookupError("by what may be stale")

    running = await desks.active(fail=active(stale_ok=True)(fail))
    await desks.call("balance")
    await unproved(running)
    assert b"suspended" in (await asked(running, other, "fail")).payload


async def test_nothing_begins_in_an_epoch_before_a_write_has_proved_it(desks: Desks, other: Transport) -> None:
    """A claim may have been sent before a standstill, and its answer read long after."""
    running = await desks.active()
    await until(lambda: running.holding().is_trusted)
    running.transport.away = True
    running.holding().proof_sent_at = float("-inf")
    reply = await asked(running, other, "deposit")
    assert b"suspended" in reply.payload
    assert not [trace for trace in running.traces if isinstance(trace, Began)]
    running.transport.away = False
    await desks.call("deposit", 5)


async def test_a_standstill_suspends_before_any_request_is_answered(desks: Desks) -> None:
    running = await desks.active()
    await desks.call("deposit", 5)
    holding = running.holding()
    assert holding.is_proved(holding.proof_sent_at + TIMERS.proof_s / 2)
    running.transport.away = True
    running.active._gate._passed_at -= TIMERS.gate_s * 2  # as if the loop had stood still until now
    calling = desks.begin("balance")
    with pytest.raises(NotExecuted):
        await calling
    assert running.active._gate.broken_at > 0


async def test_a_standstill_between_the_arrival_of_a_request_and_its_handler_is_noticed(
    desks: Desks, other: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desks.active()
    await desks.call("balance")
    handle = Requests._handle

    async def handle_late(self: Requests, *arguments: Any) -> None:
        running.active._gate._passed_at -= TIMERS.gate_s * 2
        await handle(self, *arguments)

    monkeypatch.setattr(Requests, "_handle", handle_late)
    running.transport.away = True
    running.traces.clear()
    reply = await asked(running, other, "balance")
    assert b"suspended" in reply.payload
    assert not [trace for trace in running.traces if isinstance(trace, Began)]


async def test_work_that_is_no_request_is_trusted_without_the_ledger_until_a_standstill(desks: Desks) -> None:
    running = await desks.active()
    await until(lambda: running.desk.held(KEY).is_trusted)
    held = running.desk.held(KEY)
    running.transport.away = True
    running.holding().proof_sent_at -= 60
    assert held.is_trusted
    running.active._gate._passed_at -= TIMERS.gate_s * 2  # as if the loop had stood still until now
    assert not held.is_trusted
    running.transport.away = False
    await held.prove()
    assert held.is_trusted


async def test_work_that_is_no_request_is_not_trusted_any_more_once_the_key_has_left(desks: Desks) -> None:
    first, second = await desks.pair()
    await until(lambda: first.desk.held(KEY).is_trusted)
    held = first.desk.held(KEY)
    await first.active.hand_over(KEY)
    await second.takes()
    assert not held.is_trusted


# While a key comes and goes


async def test_who_gives_a_key_up_is_told_before_while_he_holds_it(desks: Desks) -> None:
    first, second = await desks.pair()
    await until(lambda: first.desk.held(KEY).is_trusted)
    await first.active.hand_over(KEY)
    await second.takes()
    await until(lambda: first.desk.hooks("on_standby", "on_leaving") == ["on_standby", "on_leaving", "on_standby"])
    assert ("on_leaving", KEY, True) in first.desk.told


async def test_requests_wait_while_a_key_is_taken_over(desks: Desks) -> None:
    first, second = await desks.pair()
    await desks.call("deposit", 5)
    second.desk.recover_lasts_s = 0.5
    await first.vanish()
    assert (await desks.call("deposit", 1)).value.amount == 6
    assert second.is_active()


async def test_requests_that_wait_for_a_recovery_that_fails_are_refused(desks: Desks, other: Transport) -> None:
    running = await desks.start()
    running.desk.recover_lasts_s = 10.0
    await until(lambda: KEY in running.active.held)
    await until(lambda: ("recover", KEY, ()) in running.desk.told)
    reply = await asked(running, other, "deposit")
    assert b"moved" in reply.payload


async def test_a_handover_finishes_what_is_at_work_and_leaves_the_rest_to_the_next(desks: Desks) -> None:
    first, second = await desks.pair()
    at_work = desks.begin("wait", 5)
    async with asyncio.timeout(DEADLINE_S):
        await first.desk.began.wait()
    epoch = first.holding().epoch
    handing = asyncio.create_task(first.active.hand_over(KEY))
    await until(lambda: first.holding().releasing)
    later = desks.begin("deposit", 1)
    await asyncio.sleep(0.1)
    assert not handing.done()
    assert not second.is_active()
    first.desk.goes_on.set()
    assert await handing == epoch
    assert ((await at_work).value.amount, (await at_work).epoch) == (5, epoch)
    assert (await later).value.amount == 6
    assert (await later).epoch == second.holding().epoch


async def test_what_is_at_work_for_too_long_does_not_hold_a_handover_up_and_acts_no_more(desks: Desks) -> None:
    first, second = await desks.pair(drain_timeout_s=0.2)
    at_work = desks.begin("wait", 5, timeout=2.0)
    async with asyncio.timeout(DEADLINE_S):
        await first.desk.began.wait()
    holding = first.holding()
    with pytest.raises(TimeoutError):
        await first.active.hand_over(KEY)
    await second.takes()
    assert not holding.is_proved(holding.proof_sent_at)
    first.desk.goes_on.set()
    second.desk.goes_on.set()
    answer = await at_work
    assert answer.epoch == second.holding().epoch
    assert second.desk.balances[KEY] == 5
