"""When the holder of a key is proved to be it, and how long."""

from __future__ import annotations

import asyncio

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import Moved, Suspended

from .scripted_ledger import TIMERS, Scene, settled

ROUNDING_S = 1e-9  # of a sum with the time since the machine was started


async def test_a_proof_counts_from_when_it_was_sent(scene: Scene) -> None:
    scene.prove()
    sent = await scene.ledger.at(0)
    sent_at = clock.now()
    scene.clock.advance(TIMERS.proof_s * 0.6)
    sent.acknowledge(10)
    await asyncio.sleep(0)
    assert scene.holding.proof_sent_at <= sent_at
    assert scene.holding.is_proved(clock.now())
    scene.clock.advance(TIMERS.proof_s * 0.6)
    assert not scene.holding.is_proved(clock.now())


async def test_a_proof_older_than_its_bound_is_none(scene: Scene) -> None:
    scene.prove()
    (await scene.ledger.at(0)).acknowledge(10)
    await asyncio.sleep(0)
    assert scene.holding.is_proved(scene.holding.proof_sent_at + TIMERS.proof_s * 0.99)
    assert not scene.holding.is_proved(scene.holding.proof_sent_at + TIMERS.proof_s + ROUNDING_S)


async def test_a_proof_whose_answer_took_long_is_enough_for_who_trusts_in_no_standstill(scene: Scene) -> None:
    """A ledger that is slower than `proof_s` for hours must not keep ticks back."""
    scene.gate.broken_at = clock.now()
    scene.clock.advance(TIMERS.proof_s)
    proving, trusting = scene.prove(), scene.trust()
    sent = await scene.ledger.at(0)
    scene.clock.advance(TIMERS.proof_s * 2)
    sent.acknowledge(10)
    trusted, proved = await settled(trusting, proving)
    assert trusted is None
    assert isinstance(proved, Suspended)


async def test_who_trusts_in_no_standstill_needs_a_proof_after_the_last_one(scene: Scene) -> None:
    trusting = scene.trust()
    before = await scene.ledger.at(0)
    scene.clock.advance(TIMERS.gate_s * 1.1)
    assert scene.gate.enter(clock.now())
    scene.holding.suspend()
    before.acknowledge(10)
    assert isinstance((await settled(trusting))[0], Suspended)
    trusting = scene.trust()
    (await scene.ledger.at(1)).acknowledge(11)
    assert await settled(trusting) == [None]


async def test_a_proof_sent_before_the_gate_broke_is_none(scene: Scene) -> None:
    proving = scene.prove()
    before = await scene.ledger.at(0)
    scene.clock.advance(TIMERS.gate_s * 1.1)
    assert scene.gate.enter(clock.now())
    scene.holding.suspend()
    before.acknowledge(10)
    after = await scene.ledger.at(1)
    assert not scene.holding.is_proved(clock.now())
    assert scene.owner.told == ["suspended"]
    after.acknowledge(11)
    await settled(proving)
    assert scene.holding.is_proved(clock.now())
    assert scene.owner.told == ["suspended", "proved"]


async def test_a_young_proof_does_not_outlive_a_broken_gate(scene: Scene) -> None:
    """Though nobody has told the holding of it yet."""
    scene.prove()
    (await scene.ledger.at(0)).acknowledge(10)
    await asyncio.sleep(0)
    now = clock.now()
    assert scene.holding.is_proved(now)
    scene.gate.broken_at = now
    assert not scene.holding.is_proved(now)


async def test_those_who_need_a_proof_at_once_share_it(scene: Scene) -> None:
    proving = [scene.prove() for _ in range(20)]
    sent = await scene.ledger.at(0)
    await asyncio.sleep(0)
    sent.acknowledge(10)
    await settled(*proving)
    assert len(scene.ledger.sent) == 1


async def test_a_write_proves_as_well(scene: Scene) -> None:
    write, proving = scene.write("c0"), scene.prove()
    (await scene.ledger.at(0)).acknowledge(10)
    await settled(write, proving)
    assert scene.holding.is_proved(clock.now())


async def test_a_key_in_use_is_proved_again_in_good_time(scene: Scene) -> None:
    scene.prove()
    (await scene.ledger.at(0)).acknowledge(10)
    await asyncio.sleep(0)
    scene.holding.refresh(scene.holding.proof_sent_at + TIMERS.proof_s * 0.4)
    assert len(scene.ledger.sent) == 1
    scene.holding.refresh(scene.holding.proof_sent_at + TIMERS.proof_s * 0.6)
    assert len(scene.ledger.sent) == 2


async def test_a_proof_that_does_not_come_is_not_waited_for_long(scene: Scene) -> None:
    began = asyncio.get_running_loop().time()
    assert isinstance((await settled(scene.prove()))[0], Suspended)
    assert asyncio.get_running_loop().time() - began < 1.0


async def test_a_key_that_is_being_left_is_proved_no_more(scene: Scene) -> None:
    """Its next holder does not wait for our proofs to run out."""
    scene.prove()
    (await scene.ledger.at(0)).acknowledge(10)
    await asyncio.sleep(0)
    scene.holding.leave()
    assert not scene.holding.is_proved(clock.now())
    with pytest.raises(Moved):
        await scene.prove()
