"""Requests to the active instance of a key: what is done once, what is answered, and what is safe to repeat."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from aegis_sdk import clock, subjects
from aegis_sdk.errors import InternalError, OutcomeUnknown
from aegis_sdk.messages import ERROR_CODE, IDEMPOTENCY_KEY, TIMEOUT_MS
from aegis_sdk.transport import Transport

from .active_desk import KEY, LOOK_S, TIMERS, Desks, Overdrawn, Running, asked, until
from .network import DEADLINE_S


async def handed_over(first: Running, second: Running) -> None:
    """Return when the key has gone from the first to the second."""
    await first.active.hand_over(KEY)
    await second.takes()


# Once


async def test_a_commit_is_answered_with_its_epoch_and_its_place_in_the_journal(desks: Desks) -> None:
    running = await desks.active()
    one, two = await desks.call("deposit", 5), await desks.call("deposit", 2)
    assert (one.value.amount, two.value.amount) == (5, 7)
    assert one.epoch == two.epoch == running.holding().epoch
    assert one.epoch < one.sequence < two.sequence
    assert not one.stale


async def test_a_call_repeated_with_its_key_is_done_once_and_gets_the_stored_answer(desks: Desks) -> None:
    first, second = await desks.pair()
    before = await desks.call("order", 5, idempotency_key="c1")
    assert await desks.call("order", 5, idempotency_key="c1") == before
    await handed_over(first, second)
    after = await desks.call("order", 5, idempotency_key="c1")
    assert (after.value, after.sequence) == (before.value, before.sequence)
    assert after.epoch > before.epoch
    assert desks.venue.orders == ["c1"]
    assert second.desk.balances[KEY] == 5


async def test_a_call_repeated_while_the_first_is_at_work_waits_for_its_answer(desks: Desks) -> None:
    await desks.active()
    desks.venue.answers.clear()
    calls = [desks.begin("order", 5, idempotency_key="c1") for _ in range(3)]
    await until(lambda: bool(desks.venue.orders))
    desks.venue.answers.set()
    answers = await asyncio.gather(*calls)
    assert desks.venue.orders == ["c1"]
    assert answers[0] == answers[1] == answers[2]


async def test_a_call_repeated_while_its_commit_has_no_answer_is_done_once(desks: Desks) -> None:
    running = await desks.active()
    await desks.call("balance")
    running.transport.deaf = True
    with pytest.raises(OutcomeUnknown):
        await desks.call("deposit", 5, idempotency_key="c1")
    again = desks.begin("deposit", 5, idempotency_key="c1")
    with pytest.raises(OutcomeUnknown):
        await again
    running.transport.deaf = False
    assert (await desks.call("deposit", 5, idempotency_key="c1")).value.amount == 5
    assert (await desks.call("balance")).value.amount == 5
    assert running.desk.hooks("apply") == ["apply"]


async def test_calls_without_an_idempotency_key_are_each_done(desks: Desks, other: Transport) -> None:
    running = await desks.active()
    for _ in range(2):
        assert ERROR_CODE not in (await asked(running, other, "deposit")).headers
    assert running.desk.balances[KEY] == 4


async def test_an_idempotency_key_that_is_none_is_refused(desks: Desks, other: Transport) -> None:
    running = await desks.active()
    reply = await asked(running, other, "deposit", {IDEMPOTENCY_KEY: "x" * 129})
    assert reply.headers[ERROR_CODE] == "400"
    assert running.desk.balances[KEY] == 0


async def test_whoever_asks_an_instance_hears_of_its_active_methods_too(desks: Desks, other: Transport) -> None:
    running = await desks.active()
    await desks.call("deposit", 2)
    stats = json.loads((await other.request(subjects.srv("STATS", desks.name, running.instance), b"")).payload)
    [deposit] = [one for one in stats["endpoints"] if one["name"] == "deposit"]
    assert (deposit["subject"], deposit["queue_group"]) == (f"active.{desks.name}.*.*.deposit", "")
    assert (deposit["num_requests"], deposit["num_errors"]) == (1, 0)


async def test_a_method_that_there_is_not_is_refused(desks: Desks) -> None:
    await desks.active()
    with pytest.raises(Exception, match="no such method"):
        await desks.call("nothing")


# Rejections and errors


async def test_a_rejection_behind_an_intent_is_stored(desks: Desks) -> None:
    first, second = await desks.pair()
    desks.venue.refuses = True
    with pytest.raises(Overdrawn, match="the venue says no"):
        await desks.call("order", 5, idempotency_key="c1")
    await handed_over(first, second)
    with pytest.raises(Overdrawn, match="the venue says no"):
        await desks.call("order", 5, idempotency_key="c1")
    assert desks.venue.orders == ["c1"]
    assert second.desk.balances[KEY] == 0


async def test_a_call_that_was_rejected_is_not_done_when_it_comes_again(desks: Desks) -> None:
    """Its caller may have sent it again before the rejection reached it."""
    await desks.active()
    with pytest.raises(Overdrawn):
        await desks.call("withdraw", 5, idempotency_key="c1")
    await desks.call("deposit", 10)
    with pytest.raises(Overdrawn, match="0 is all there is"):
        await desks.call("withdraw", 5, idempotency_key="c1")
    assert (await desks.call("balance")).value.amount == 10
    await desks.call("withdraw", 5, idempotency_key="c2")


async def test_an_error_behind_an_intent_leaves_the_outcome_unknown_until_it_is_settled(desks: Desks) -> None:
    running = await desks.active()
    running.desk.settles = False
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await desks.call("break_off", 5, idempotency_key="c1")
    running.desk.settles = True
    await until(lambda: not running.holding().journal.intents)
    assert (await desks.call("break_off", 5, idempotency_key="c1")).value.amount == -1
    assert running.desk.balances[KEY] == 5
    assert desks.venue.orders == ["c1"]


async def test_an_error_before_anything_was_done_is_one(desks: Desks) -> None:
    await desks.active()
    with pytest.raises(InternalError):
        await desks.call("break_early")


async def test_what_is_stored_of_a_call_is_its_answer_however_its_handler_ends(desks: Desks) -> None:
    await desks.active()
    assert (await desks.call("fail_late", 5, idempotency_key="c1")).value.amount == 9
    assert (await desks.call("fail_late", 5, idempotency_key="c1")).value.amount == 9
    assert (await desks.call("balance")).value.amount == 5


async def test_a_handler_cannot_answer_as_if_its_commit_had_been_stored(desks: Desks) -> None:
    running = await desks.active()
    assert (await desks.call("swallow", 5)).value.amount == 7
    running.transport.deaf = True
    with pytest.raises(OutcomeUnknown):
        await desks.call("swallow", 5)


async def test_a_change_that_no_entry_can_hold_is_an_error_and_harms_nothing(desks: Desks) -> None:
    await desks.active()
    with pytest.raises(InternalError, match="too many"):
        await desks.call("bulk", 600_000)
    assert (await desks.call("deposit", 5)).value.amount == 5


# Intents that are found open


async def broken_off(desks: Desks, **settings: Any) -> Running:
    """An instance with the intent c1 of a deposit of 5, which the venue has, and which it does not settle yet."""
    running = await desks.active(**settings)
    running.desk.settles = False
    with pytest.raises(OutcomeUnknown):
        await desks.call("break_off", 5, idempotency_key="c1")
    return running


async def test_an_intent_that_is_found_open_is_settled_before_requests_are_handled(desks: Desks) -> None:
    first, second = await desks.pair()
    desks.venue.answers.clear()
    calling = desks.begin("order", 5, idempotency_key="c1")
    await until(lambda: "c1" in desks.venue.orders)
    await first.vanish()
    desks.venue.answers.set()
    assert (await calling).value.amount == -1
    assert second.desk.balances[KEY] == 5
    assert second.desk.hooks("recover", "settle", "on_active") == ["recover", "settle", "on_active"]
    assert ("recover", KEY, ("c1",)) in second.desk.told
    assert desks.venue.orders == ["c1"]


async def test_an_intent_that_is_found_open_and_not_settled_is_never_called_not_executed(desks: Desks) -> None:
    first, second = await desks.pair()
    second.desk.settles = False
    desks.venue.answers.clear()
    calling = desks.begin("order", 5, idempotency_key="c1")
    await until(lambda: "c1" in desks.venue.orders)
    await first.vanish()
    await second.takes()
    with pytest.raises(OutcomeUnknown):
        await calling
    with pytest.raises(OutcomeUnknown):
        await desks.call("order", 5, idempotency_key="c1")
    assert desks.venue.orders == ["c1"]
    assert (await desks.call("deposit", 1)).value.amount == 1


async def test_a_venue_that_is_away_or_hangs_does_not_keep_a_key_from_being_served(desks: Desks) -> None:
    running = await broken_off(desks)
    desks.venue.answers.clear()
    running.desk.settles = True
    await until(lambda: bool(desks.venue.asked))
    second = await desks.start("b")
    await until(lambda: running.knows(second))
    await handed_over(running, second)
    assert (await desks.call("deposit", 1)).value.amount == 1
    desks.venue.is_away = True
    desks.venue.answers.set()
    asked = len(desks.venue.asked)
    await until(lambda: len(desks.venue.asked) > asked)
    desks.venue.is_away = False
    await until(lambda: not second.holding().journal.intents)
    assert second.desk.balances[KEY] == 6


async def test_a_venue_that_hangs_is_not_asked_twice_at_a_time(desks: Desks) -> None:
    running = await broken_off(desks, timers=replace(TIMERS, recover_s=30.0))
    desks.venue.answers.clear()
    running.desk.settles = True
    await until(lambda: bool(desks.venue.asked))
    await asyncio.sleep(3 * LOOK_S)
    assert desks.venue.asked == ["c1"]
    assert running.is_active()


async def test_nothing_is_settled_while_a_handler_is_alone_with_the_state(desks: Desks) -> None:
    running = await broken_off(desks)
    alone = desks.begin("wait_alone", 1)
    async with asyncio.timeout(DEADLINE_S):
        await running.desk.began.wait()
    running.desk.settles = True
    await until(lambda: bool(desks.venue.asked))
    await asyncio.sleep(0.1)
    assert running.desk.balances[KEY] == 0
    running.desk.goes_on.set()
    assert (await alone).value.amount == 1
    await until(lambda: running.desk.balances[KEY] == 6)


async def test_nothing_is_settled_without_a_proof(desks: Desks) -> None:
    running = await broken_off(desks)
    await until(lambda: running.holding()._flight is None)  # what is on its way would prove the key again
    running.transport.away = True
    await until(lambda: not running.holding().is_proved(clock.now()))
    running.desk.settles = True
    asked = len(running.desk.hooks("settle"))
    await asyncio.sleep(3 * LOOK_S)
    assert len(running.desk.hooks("settle")) == asked
    running.transport.away = False
    await until(lambda: not running.holding().journal.intents)


# Time


async def test_a_handler_that_is_not_done_in_time_and_has_begun_nothing_was_not_executed(
    desks: Desks, other: Transport
) -> None:
    running = await desks.active()
    reply = await asked(running, other, "wait", {TIMEOUT_MS: "200"})
    assert b"suspended" in reply.payload
    running.desk.goes_on.set()
    assert (await desks.call("balance")).value.amount == 0


async def test_a_handler_that_is_not_done_in_time_and_has_intended_is_unknown(desks: Desks, other: Transport) -> None:
    running = await desks.active()
    desks.venue.answers.clear()
    reply = await asked(running, other, "order", {TIMEOUT_MS: "200"})
    assert b"outcome_unknown" in reply.payload
    assert len(desks.venue.orders) == 1


async def test_a_request_that_arrives_too_late_is_not_begun(desks: Desks, other: Transport) -> None:
    running = await desks.active()
    await desks.call("balance")
    reply = await asked(running, other, "deposit", {TIMEOUT_MS: "0"})
    assert b"suspended" in reply.payload
    assert running.desk.balances[KEY] == 0


# The key's lock


async def test_a_handler_alone_with_the_state_sees_what_the_one_before_it_has_sent(
    desks: Desks, other: Transport
) -> None:
    """Though that one has gone without an answer."""
    running = await desks.active()
    await desks.call("balance")
    running.transport.deaf = True
    first, second = [asyncio.create_task(asked(running, other, "deposit_alone")) for _ in range(2)]
    assert b"outcome_unknown" in (await first).payload
    assert b"suspended" in (await second).payload, "in line, they wait together"
    third = asyncio.create_task(asked(running, other, "deposit_alone"))
    await asyncio.sleep(0.05)
    running.transport.deaf = False
    assert (await third).payload == b'{"amount":4}'
