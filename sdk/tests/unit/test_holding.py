"""One epoch of a key as its holder writes it, against a ledger that answers when the test says so."""

from __future__ import annotations

import asyncio

import pytest

from aegis_sdk import clock
from aegis_sdk.errors import InternalError, Moved, OutcomeUnknown, Suspended
from aegis_sdk.ledger.records import Part
from aegis_sdk.single_active.writing import MAX_ENTRY_BYTES, MOST_WAITING

from .scripted_ledger import DEADLINE_S, EPOCH, Scene, Sent, settled

WRONG_LAST_SEQUENCE = 10071
IN_FLIGHT = 10164


# One at a time


async def test_one_write_is_in_flight_and_those_that_wait_share_the_next_entry(scene: Scene) -> None:
    writes = [scene.write("c0")]
    first = await scene.ledger.at(0)
    assert first.names == ["c0"]
    writes += [scene.write(f"c{number}") for number in range(1, 4)]
    await asyncio.sleep(0)
    assert len(scene.ledger.sent) == 1
    first.acknowledge(10)
    second = await scene.ledger.at(1)
    assert (second.n, second.names) == (2, ["c1", "c2", "c3"])
    assert scene.ledger.unanswered == 1
    second.acknowledge(11)
    assert await settled(*writes) == [10, 11, 11, 11]
    assert [change.idempotency_key for change in scene.owner.changes] == ["c0", "c1", "c2", "c3"]
    assert scene.written == [("entry", 1, 10), ("entry", 2, 11)]


async def test_what_is_written_in_one_turn_of_the_loop_shares_the_first_entry(scene: Scene) -> None:
    writes = [scene.write("c0"), scene.intend("c1"), scene.write("c2")]
    first = await scene.ledger.at(0)
    assert (first.n, first.names) == (1, ["c0", "c1", "c2"])
    first.acknowledge(10)
    assert await settled(*writes) == [10, None, 10]
    assert len(scene.ledger.sent) == 1


async def test_an_entry_holds_no_more_than_a_message_can(scene: Scene) -> None:
    scene.write("c0")
    await scene.ledger.at(0)
    half = '"' + "x" * (MAX_ENTRY_BYTES // 2) + '"'
    scene.write("c1", change=half)
    scene.write("c2", change=half)
    (await scene.ledger.at(0)).acknowledge(10)
    second = await scene.ledger.at(1)
    assert second.names == ["c1"]
    assert len(second.payload) < 1 << 20
    second.acknowledge(11)
    assert (await scene.ledger.at(2)).names == ["c2"]


async def test_many_small_records_make_no_message_that_is_too_large(scene: Scene) -> None:
    writes = [scene.write(f"c{number}", change="null", keep=True) for number in range(4_000)]
    await asyncio.sleep(0)
    for position in range(5):
        sent = await scene.ledger.at(position)
        assert len(sent.payload) < 1 << 20
        sent.acknowledge(10 + position)
        await asyncio.sleep(0)
        if len(scene.owner.changes) == len(writes):
            break


async def test_a_record_that_no_entry_can_hold_is_refused_and_harms_nothing(scene: Scene) -> None:
    too_large = scene.write("c0", change='"' + "x" * MAX_ENTRY_BYTES + '"')
    fits = scene.write("c1")
    assert isinstance((await settled(too_large))[0], InternalError)
    (await scene.ledger.at(0)).acknowledge(10)
    assert await fits == 10


async def test_what_waits_for_the_ledger_is_bounded(scene: Scene) -> None:
    writes = [scene.write("c0", keep=True)]
    await scene.ledger.at(0)
    writes += [scene.write(f"c{number}", keep=True) for number in range(1, MOST_WAITING + 2)]
    outcomes = await settled(*writes)
    assert [type(outcome) for outcome in outcomes[-2:]] == [OutcomeUnknown, Suspended]


# An answer that is lost


async def test_a_write_without_an_answer_is_sent_again_with_its_number_until_it_is_acknowledged(scene: Scene) -> None:
    write = scene.write("c0")
    first = await scene.ledger.at(0)
    waiting = scene.write("c1")
    first.lose()
    again = await scene.ledger.at(1)
    assert again.payload == first.payload
    assert scene.holding.suspended_at is not None
    assert scene.owner.told == ["suspended"]
    again.lose()
    (await scene.ledger.at(2)).acknowledge(10)
    assert await write == 10
    assert scene.owner.told == ["suspended", "proved"]
    assert scene.holding.is_proved(clock.now())
    last = await scene.ledger.at(3)
    assert (last.n, last.names) == (2, ["c1"])
    last.acknowledge(11)
    assert await waiting == 11


async def test_nothing_is_proved_while_an_answer_is_missing(scene: Scene) -> None:
    scene.prove()
    (await scene.ledger.at(0)).acknowledge(1)
    await asyncio.sleep(0)
    scene.write("c0")
    (await scene.ledger.at(1)).lose()
    await scene.owner.heard("suspended")
    assert not scene.holding.is_proved(clock.now())


async def test_a_refusal_for_now_is_no_suspension(scene: Scene) -> None:
    write = scene.write("c0")
    (await scene.ledger.at(0)).refuse(IN_FLIGHT)
    again = await scene.ledger.at(1)
    assert (again.n, scene.owner.told) == (1, [])
    again.acknowledge(10)
    assert await write == 10


async def test_refusals_for_now_are_not_answered_by_a_storm(scene: Scene) -> None:
    """A leader that has lost its followers refuses what repeats a write that it has in flight, at once."""
    scene.write("c0")
    began = asyncio.get_running_loop().time()
    for position in range(7):
        (await scene.ledger.at(position)).refuse(IN_FLIGHT)
    assert asyncio.get_running_loop().time() - began > 0.05


# Refused for good


async def test_what_was_refused_or_never_sent_is_moved(scene: Scene) -> None:
    in_flight = scene.write("c0")
    first = await scene.ledger.at(0)
    waiting = scene.write("c1")
    await asyncio.sleep(0)
    first.refuse(WRONG_LAST_SEQUENCE)
    assert [type(error) for error in await settled(in_flight, waiting)] == [Moved, Moved]
    assert scene.owner.told == ["ended"]
    assert scene.holding.is_ended


async def test_what_was_unanswered_once_may_be_stored_even_if_it_is_refused_then(scene: Scene) -> None:
    lost = scene.write("c0")
    first = await scene.ledger.at(0)
    waiting = scene.write("c1")
    first.lose()
    (await scene.ledger.at(1)).refuse(WRONG_LAST_SEQUENCE)
    assert [type(error) for error in await settled(lost, waiting)] == [OutcomeUnknown, Moved]


async def test_what_is_on_its_way_when_the_epoch_ends_may_be_stored(scene: Scene) -> None:
    in_flight = scene.write("c0")
    await scene.ledger.at(0)
    waiting = scene.write("c1")
    await asyncio.sleep(0)
    scene.holding.end()
    assert [type(error) for error in await settled(in_flight, waiting)] == [OutcomeUnknown, Moved]
    with pytest.raises(Moved):
        await scene.write("c2")
    with pytest.raises(Moved):
        await scene.prove()


async def test_an_ended_holding_sends_nothing_again(scene: Scene) -> None:
    scene.write("c0")
    (await scene.ledger.at(0)).lose()
    await scene.owner.heard("suspended")
    scene.holding.end()
    await asyncio.sleep(0.05)
    assert len(scene.ledger.sent) == 1


async def test_a_journal_that_contradicts_itself_ends_the_holding(scene: Scene) -> None:
    scene.write("c0")
    (await scene.ledger.at(0)).acknowledge(10)
    scene.write("c0")
    (await scene.ledger.at(1)).acknowledge(11)
    await scene.owner.heard("contradicted")
    assert scene.holding.is_ended


# Snapshots


async def test_a_snapshot_and_what_waits_take_turns(scene: Scene) -> None:
    """Its first part goes before all that it does not have; then nobody waits for more than one of its parts."""
    scene.owner.snapshot_every = 3
    large = '"' + "x" * (MAX_ENTRY_BYTES - 390) + '"'
    for number in range(2):
        scene.write(f"c{number}", change=large)
        (await scene.ledger.at(number)).acknowledge(10 + number)
    scene.write("c2", change=large)
    last = await scene.ledger.at(2)
    later = [scene.write("c3")]
    await asyncio.sleep(0)
    last.acknowledge(12)
    sent: list[Sent] = []
    while True:
        sent.append(one := await scene.ledger.at(3 + len(sent)))
        assert one.entry is not None
        part = one.entry.records[0]
        if isinstance(part, Part) and part.part + 1 == part.parts:
            break
        assert not scene.owner.compacted
        if isinstance(part, Part):
            later.append(scene.write(f"c{4 + part.part}"))
            await asyncio.sleep(0)
        one.acknowledge(12 + len(sent))
    one.acknowledge(30)
    await asyncio.sleep(0)
    assert [one.names for one in sent] == [[], ["c3", "c4"], [], ["c5"], []]
    assert [await one for one in later] == [14, 14, 16]
    assert scene.owner.compacted == [13]
    assert scene.holding.journal.snapshot == b",".join(3 * [large.encode()])
    assert [change.idempotency_key for change in scene.holding.journal.changes] == ["c3", "c4", "c5"]


# Draining


async def test_it_is_drained_when_no_request_is_at_work_and_all_is_stored(scene: Scene) -> None:
    with scene.holding.work.request():
        draining = asyncio.ensure_future(scene.holding.drained(DEADLINE_S))
        scene.write("c0", keep=True)
        sent = await scene.ledger.at(0)
    await asyncio.sleep(0)
    assert not draining.done()
    sent.acknowledge(10)
    assert await draining


async def test_draining_ends_at_its_deadline(scene: Scene) -> None:
    scene.write("c0", keep=True)
    await scene.ledger.at(0)
    assert not await scene.holding.drained(0.02)


async def test_an_ended_holding_is_drained(scene: Scene) -> None:
    scene.write("c0", keep=True)
    await scene.ledger.at(0)
    draining = asyncio.ensure_future(scene.holding.drained(DEADLINE_S))
    await asyncio.sleep(0)
    scene.holding.end()
    assert await draining


# The lock


async def test_the_lock_is_given_when_all_that_was_sent_before_has_its_answer(scene: Scene) -> None:
    gone = scene.write("c0", keep=True)
    sent = await scene.ledger.at(0)
    waiting, withdrawn = scene.write("c1", keep=True), scene.write("c2")
    assert [type(outcome) for outcome in await settled(gone, withdrawn)] == [OutcomeUnknown, Suspended]

    async def decide() -> list[str]:
        async with scene.holding.lock:
            return [change.idempotency_key for change in scene.owner.changes]

    deciding = asyncio.ensure_future(decide())
    await asyncio.sleep(0.01)
    sent.acknowledge(10)
    second = await scene.ledger.at(1)
    await asyncio.sleep(0.01)
    assert not deciding.done()
    second.acknowledge(11)
    assert await deciding == ["c0", "c1"]
    await settled(waiting)


async def test_the_lock_is_free_again_after_who_waited_for_it_was_cancelled(scene: Scene) -> None:
    scene.write("c0", keep=True)
    sent = await scene.ledger.at(0)

    async def decide() -> None:
        async with scene.holding.lock:
            pass

    cancelled = asyncio.ensure_future(decide())
    await asyncio.sleep(0.01)
    cancelled.cancel()
    await settled(cancelled)
    sent.acknowledge(10)
    async with asyncio.timeout(DEADLINE_S):
        await decide()


# Life


async def test_what_is_bound_to_it_is_cancelled_when_it_ends(scene: Scene) -> None:
    begun = asyncio.Event()

    async def recover() -> None:
        with scene.holding.work.bound():
            begun.set()
            await asyncio.Event().wait()

    recovering = asyncio.ensure_future(recover())
    await begun.wait()
    scene.holding.end()
    assert isinstance((await settled(recovering))[0], asyncio.CancelledError)


async def test_entries_carry_its_epoch(scene: Scene) -> None:
    scene.write("c0")
    sent = await scene.ledger.at(0)
    assert sent.entry is not None
    assert sent.entry.epoch == EPOCH


async def test_how_long_each_write_took_is_told(scene: Scene) -> None:
    write = scene.write("c0")
    sent = await scene.ledger.at(0)
    scene.clock.advance(0.25)
    sent.acknowledge(10)
    await settled(write)
    assert scene.owner.write_times == [pytest.approx(0.25, abs=0.1)]
