"""What becomes of an intent or a result whose holder cannot write or prove it in time."""

from __future__ import annotations

import asyncio

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import OutcomeUnknown, Suspended
from aegis_sdk.ledger.records import Result, Verdict

from .scripted_ledger import TIMERS, Clock, Scene, Sent, settled


def verdict(sent: Sent) -> Verdict:
    assert sent.entry is not None
    record = sent.entry.records[0]
    assert isinstance(record, Result)
    return record.verdict


# Intents


async def test_an_intent_returns_when_it_is_stored_and_proved(scene: Scene) -> None:
    intent = scene.intend("c0")
    (await scene.ledger.at(0)).acknowledge(10)
    await intent
    assert list(scene.holding.journal.intents) == ["c0"]
    assert len(scene.ledger.sent) == 1  # the intent itself is the proof


async def test_an_intent_whose_answer_took_too_long_needs_another_proof(scene: Scene) -> None:
    intent = scene.intend("c0")
    first = await scene.ledger.at(0)
    scene.clock.advance(TIMERS.proof_s)
    first.acknowledge(10)
    proof = await scene.ledger.at(1)
    assert proof.entry is None
    assert not intent.done()
    proof.acknowledge(11)
    await intent


async def test_an_intent_given_up_is_recorded_as_not_executed_when_it_lands(scene: Scene) -> None:
    intent = scene.intend("c0")
    sent = await scene.ledger.at(0)
    assert isinstance((await settled(intent))[0], Suspended)
    assert scene.holding.under_way("c0") is not None
    sent.acknowledge(10)
    closing = await scene.ledger.at(1)
    assert (closing.names, verdict(closing)) == (["c0"], Verdict.NOT_EXECUTED)
    closing.acknowledge(11)
    await asyncio.sleep(0)
    assert not scene.holding.journal.intents
    assert scene.holding.journal.outcomes["c0"].verdict is Verdict.NOT_EXECUTED
    assert scene.holding.under_way("c0") is None


async def test_an_intent_that_is_stored_but_cannot_be_proved_is_recorded_as_not_executed(scene: Scene) -> None:
    intent = scene.intend("c0")
    sent = await scene.ledger.at(0)
    scene.clock.advance(TIMERS.proof_s)
    sent.acknowledge(10)
    proof = await scene.ledger.at(1)
    assert isinstance((await settled(intent))[0], Suspended)
    proof.acknowledge(11)
    assert verdict(await scene.ledger.at(2)) is Verdict.NOT_EXECUTED


async def test_a_cancelled_intent_is_recorded_as_not_executed(scene: Scene) -> None:
    intent = scene.intend("c0")
    sent = await scene.ledger.at(0)
    intent.cancel()
    await settled(intent)
    sent.acknowledge(10)
    assert verdict(await scene.ledger.at(1)) is Verdict.NOT_EXECUTED


async def test_who_comes_late_in_an_outage_waits_for_half_of_the_time(scene: Scene, fake_clock: Clock) -> None:
    scene.holding.refresh(clock.now())
    await scene.ledger.at(0)
    assert scene.holding.patience_ends - clock.now() == pytest.approx(TIMERS.outcome_s, abs=0.02)
    fake_clock.advance(10)
    assert scene.holding.patience_ends - clock.now() == pytest.approx(TIMERS.outcome_s / 2, abs=0.001)


async def test_an_intent_that_was_never_sent_is_withdrawn(scene: Scene) -> None:
    scene.write("c0")
    first = await scene.ledger.at(0)
    intent = scene.intend("c1")
    assert isinstance((await settled(intent))[0], Suspended)
    assert scene.holding.under_way("c1") is None
    scene.write("c2")
    await asyncio.sleep(0)
    first.acknowledge(10)
    assert (await scene.ledger.at(1)).names == ["c2"]


# Results


async def test_a_result_that_was_never_sent_is_withdrawn(scene: Scene) -> None:
    first = scene.write("c0")
    sent = await scene.ledger.at(0)
    waiting, cancelled = scene.write("c1"), scene.write("c2")
    await asyncio.sleep(0)
    cancelled.cancel()
    outcomes = await settled(first, waiting, cancelled)
    assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown, Suspended, asyncio.CancelledError]
    sent.acknowledge(10)
    scene.write("c3")
    assert (await scene.ledger.at(1)).names == ["c3"]


async def test_a_result_behind_an_intent_is_stored_although_nobody_waits_for_it(scene: Scene) -> None:
    scene.write("c0")
    sent = await scene.ledger.at(0)
    late, cancelled = scene.write("c1", keep=True), scene.write("c2", keep=True)
    await asyncio.sleep(0)
    cancelled.cancel()
    assert isinstance((await settled(late))[0], OutcomeUnknown)
    sent.acknowledge(10)
    assert (await scene.ledger.at(1)).names == ["c1", "c2"]


async def test_a_call_is_under_way_until_its_fate_is_known(scene: Scene) -> None:
    write = scene.write("c0")
    sent = await scene.ledger.at(0)
    known = scene.holding.under_way("c0")
    assert isinstance((await settled(write))[0], OutcomeUnknown)
    assert known is not None
    assert scene.holding.under_way("c0") is known
    sent.acknowledge(10)
    assert await known == 10
    assert scene.holding.under_way("c0") is None
