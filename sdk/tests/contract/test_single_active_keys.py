"""How keys come to an instance and leave it: hooks, recoveries, handovers, many keys at once, long journals."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from aegis_sdk import clock, subjects
from aegis_sdk.errors import ConfigurationError, Moved, NotExecuted, OutcomeUnknown, Rejected
from aegis_sdk.instances import InstanceStatus
from aegis_sdk.ledger import Ledger
from aegis_sdk.ledger.records import Result, Verdict, encode_entry
from aegis_sdk.service import HostOptions, ServiceHost
from aegis_sdk.single_active import AGGRESSIVE, ActiveHost
from aegis_sdk.single_active.declaration import MAX_KEYS
from aegis_sdk.single_active.trace import Became
from aegis_sdk.transport import Transport

from .active_desk import KEY, TIMERS, Desk, Desks, Order, Venue, until
from .ledgers import contents
from .network import DEADLINE_S, NatsNetwork

HOOKS = ("restore", "recover", "on_active", "on_standby")


async def journal_length(transport: Transport, name: str, key: str = KEY) -> int:
    ledger = await Ledger.open(transport, name)
    return sum(part == "journal" for part, _ in await contents(transport, ledger, key))


# Hooks


async def test_hooks_run_in_order_as_a_key_comes_and_goes(desks: Desks) -> None:
    first, second = await desks.pair()
    epoch = first.holding().epoch
    assert first.desk.hooks(*HOOKS) == ["on_standby", "restore", "recover", "on_active"]
    assert ("on_active", KEY, epoch) in first.desk.told
    assert second.desk.hooks(*HOOKS) == ["on_standby"]
    await desks.call("deposit", 5)
    await first.active.hand_over(KEY)
    await second.takes()
    await until(lambda: first.desk.hooks(*HOOKS)[-1] == "on_standby")
    await until(lambda: second.desk.hooks(*HOOKS) == ["on_standby", "restore", "recover", "on_active"])
    assert second.desk.balances[KEY] == 5
    assert second.holding().epoch > epoch


async def test_a_hook_that_waits_for_a_key_is_cancelled_when_the_key_is_lost(desks: Desks) -> None:
    first, second = await desks.pair()
    second.desk.hook_lasts_s = 0.9
    await first.active.hand_over(KEY)
    await second.takes()
    await until(lambda: "on_active" in second.desk.hooks(*HOOKS))
    second.holding().end()
    await until(lambda: ("on_active cancelled", KEY) in second.desk.told)


async def test_a_hook_that_hangs_does_not_hold_up_what_comes_after_it(desks: Desks) -> None:
    timers = replace(TIMERS, recover_s=0.3)
    first, second = await desks.pair(timers=timers)
    second.desk.hook_lasts_s = 60.0
    await first.active.hand_over(KEY)
    await second.takes()
    await until(lambda: ("on_active cancelled", KEY) in second.desk.told)
    await second.active.hand_over(KEY)
    await until(lambda: second.desk.hooks(*HOOKS)[-1] == "on_standby")


async def test_what_is_no_request_is_committed_by_the_handle_of_a_held_key(desks: Desks) -> None:
    first, second = await desks.pair()
    held = first.desk.held(KEY)
    await held.prove()
    sequence = await held.commit(Order(amount=5))
    assert sequence > held.epoch
    assert first.desk.balances[KEY] == 5
    with pytest.raises(Moved):
        second.desk.held(KEY)
    await first.active.hand_over(KEY)
    await second.takes()
    with pytest.raises(Moved):
        first.desk.held(KEY)
    with pytest.raises(Moved):
        await held.commit(Order(amount=1))
    with pytest.raises(Moved):
        await held.prove()
    assert second.desk.balances[KEY] == 5


# Recovery


async def test_a_recovery_that_fails_gives_the_key_back(desks: Desks) -> None:
    first, second = await desks.pair()
    second.desk.recover_error = LookupError("cannot")
    await first.active.hand_over(KEY)
    await until(lambda: bool(second.desk.hooks("recover")))
    await first.takes()
    assert (await desks.call("deposit", 1)).epoch == first.holding().epoch


async def test_a_recovery_that_hangs_gives_the_key_back(desks: Desks) -> None:
    first, second = await desks.pair()
    second.desk.recover_lasts_s = 60.0
    await first.active.hand_over(KEY)
    await until(lambda: bool(second.desk.hooks("recover")))
    await first.takes()
    assert "on_active" not in second.desk.hooks(*HOOKS)


async def test_a_recovery_that_takes_its_time_is_not_robbed(desks: Desks) -> None:
    """It takes longer than an instance may be silent."""
    first, second = await desks.pair()
    second.desk.recover_lasts_s = 2.5 * TIMERS.silence_s
    await first.active.hand_over(KEY)
    epoch = await second.takes()
    assert second.desk.hooks("recover") == ["recover"]
    assert first.active._election.known_epoch(KEY) == epoch


async def test_a_new_holder_waits_until_the_proofs_of_the_one_before_have_run_out(desks: Desks) -> None:
    timers = replace(TIMERS, proof_s=0.4)
    first, second = await desks.pair(timers=timers)
    await first.vanish()
    await second.takes()
    recovering, active = [
        trace.at for trace in second.traces if isinstance(trace, Became) and trace.role in ("RECOVERING", "ACTIVE")
    ]
    assert active - recovering >= timers.proof_s * 0.95


async def test_after_a_handover_nobody_waits(desks: Desks) -> None:
    first, second = await desks.pair(timers=replace(TIMERS, proof_s=0.9))
    began = clock.now()
    await first.active.hand_over(KEY)
    await second.takes()
    assert clock.now() - began < 0.6


async def test_a_change_that_cannot_be_applied_gives_the_key_back(desks: Desks) -> None:
    first, second = await desks.pair()
    first.desk.applies = False
    with pytest.raises((OutcomeUnknown, NotExecuted)):
        await desks.call("deposit", 5, idempotency_key="c1")
    assert not first.is_active()
    await second.takes()
    assert (await desks.call("deposit", 5, idempotency_key="c1")).value.amount == 5
    assert second.desk.balances[KEY] == 5


async def test_a_snapshot_that_cannot_be_made_harms_nothing(
    desks: Desks, other: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desks.active(snapshot_every=2, timers=replace(TIMERS, outcome_s=10.0))
    monkeypatch.setattr(type(running.desk), "snapshot", lambda self, key: 1 / 0)
    subject = subjects.active(desks.name, KEY, running.holding().epoch, "deposit")
    for number in range(4):  # each is sent but once
        assert (await other.request(subject, b'{"amount":1}')).payload == b'{"amount":%d}' % (number + 1)


# Contradictions


async def test_a_journal_that_contradicts_itself_stops_its_key_everywhere(desks: Desks, transport: Transport) -> None:
    first, second = await desks.pair(keys=(KEY, "B2"))
    await until(lambda: first.is_active("B2"))
    holding = first.holding()
    await desks.call("deposit", 5, idempotency_key="c1")
    ledger = await Ledger.open(transport, desks.name)
    forged = encode_entry(holding.epoch, 2, [Result("c1", Verdict.OK, msgspec.Raw(b'{"amount":5}'))])
    await ledger.epoch(KEY, holding.epoch).commit(forged, DEADLINE_S)
    await until(lambda: holding.is_ended and KEY not in first.active.held)
    await asyncio.sleep(2 * TIMERS.silence_s)
    assert KEY not in second.active.held
    with pytest.raises(NotExecuted):
        await desks.call("balance", timeout=0.3)
    assert (await desks.call("deposit", 5, key="B2")).value.amount == 5


# Leaving


async def test_an_unhealthy_instance_hands_over_and_takes_nothing(desks: Desks) -> None:
    first, second = await desks.pair()
    first.desk.is_healthy = False
    await second.takes()
    assert first.registration.record.status is InstanceStatus.UNHEALTHY
    await until(lambda: not second.knows(first))
    with pytest.raises(Rejected):
        await second.active.hand_over(KEY)
    first.desk.is_healthy = True
    await until(lambda: second.knows(first))
    await second.active.hand_over(KEY)
    await first.takes()


async def test_what_is_stuck_in_an_unhealthy_instance_does_not_hold_its_keys_up(desks: Desks) -> None:
    first, second = await desks.pair(drain_timeout_s=4 * DEADLINE_S)
    stuck = desks.begin("wait", timeout=4 * DEADLINE_S)
    await first.desk.began.wait()
    first.desk.is_healthy = False
    await second.takes()
    stuck.cancel()


async def test_an_instance_that_stops_hands_over(desks: Desks) -> None:
    first, second = await desks.pair()
    await desks.call("deposit", 5)
    calling = desks.begin("deposit", 1)
    await first.stop()
    assert (await calling).value.amount == 6
    assert (await desks.call("balance")).value.amount == 6
    assert second.is_active()
    assert not first.active.held


async def test_an_instance_that_stops_alone_leaves_its_keys_vacant(desks: Desks, transport: Transport) -> None:
    first = await desks.active()
    await first.stop()
    ledger = await Ledger.open(transport, desks.name)
    found = await ledger.lease(KEY)
    assert found is not None
    assert found[0].state == "VACANT"


async def test_stopping_without_a_ledger_ends_with_its_time(desks: Desks) -> None:
    first = await desks.active(drain_timeout_s=0.5)
    first.transport.away = True
    calling = desks.begin("deposit", 5, timeout=1.0)
    async with asyncio.timeout(2.0):
        await first.active.stop()
    assert first.desk.hooks(*HOOKS)[-1] == "on_standby"
    with pytest.raises((NotExecuted, OutcomeUnknown)):
        await calling


async def test_stopping_ends_with_its_time_whatever_hooks_do(desks: Desks) -> None:
    keys = [KEY, "B2", "C3"]
    first = await desks.active(keys=keys, drain_timeout_s=0.3, timers=replace(TIMERS, recover_s=30.0))
    await until(lambda: all(map(first.is_active, keys)))
    first.desk.leaving_lasts_s = 30.0
    async with asyncio.timeout(2.0):
        await first.active.stop()
    assert not first.active.held


async def test_stopping_without_a_network_ends_with_its_time(desks: Desks) -> None:
    first = await desks.active(drain_timeout_s=0.5)
    await desks.network.stop()
    async with asyncio.timeout(2.0):
        await first.active.stop()
    await desks.network.start()


async def test_a_handover_that_nobody_can_take_is_refused(desks: Desks) -> None:
    first = await desks.active()
    with pytest.raises(Rejected, match="nobody else"):
        await first.active.hand_over(KEY)
    with pytest.raises(Rejected, match="nobody"):
        await first.active.hand_over(KEY, "nobody")
    with pytest.raises(Moved):
        await first.active.hand_over("no-such-key")
    assert first.is_active()


async def test_an_outage_of_the_network_moves_no_key(desks: Desks) -> None:
    first, second = await desks.pair()
    epoch = first.holding().epoch
    await desks.network.stop()
    await asyncio.sleep(2 * TIMERS.silence_s)
    await desks.network.start()
    assert (await desks.call("deposit", 5)).epoch == epoch
    await asyncio.sleep(2 * TIMERS.settle_s)
    assert first.is_active()
    assert not second.active.held


async def test_an_epoch_is_proved_no_more_once_its_end_is_on_its_way(desks: Desks) -> None:
    """Its next holder acts at once, and need not wait for a proof of ours to run out."""
    first, _ = await desks.pair(timers=replace(TIMERS, proof_s=5.0, recover_s=10.0))
    await desks.call("deposit", 5)
    holding = first.holding()
    first.transport.away = True
    handing = asyncio.create_task(first.active.hand_over(KEY))
    await until(lambda: holding.releasing)
    await asyncio.sleep(0.02)
    assert clock.now() - holding.proof_sent_at < 5.0
    assert holding.suspended_at is None
    assert not holding.is_ended
    assert not holding.is_proved(clock.now())
    first.transport.away = False
    await handing


# Many


async def test_a_thousand_keys_begin_in_a_few_batches_and_share_heartbeats(desks: Desks) -> None:
    """Fewer in memory, whose broker looks through all subscriptions for each message."""
    is_real = isinstance(desks.network, NatsNetwork)
    keys = [f"k{number}" for number in range(1000 if is_real else 100)]
    timers = replace(AGGRESSIVE, write_s=5.0, outcome_s=6.0, suspended_s=6.0, recover_s=30.0)  # all go at once
    first, second = await asyncio.gather(*(desks.start(name, keys, timers=timers) for name in "ab"))

    def all_begun() -> bool:
        held = [running.is_active(key) for key in keys for running in (first, second)]
        return sum(held) == len(keys)

    await until(all_begun, 3 * DEADLINE_S)
    assert is_real or first.transport.claims + second.transport.claims < 20, "whose claims meet, claims each by itself"
    assert min(len(first.active.held), len(second.active.held)) > len(keys) / 4
    heard: list[int] = []
    client = await desks.network.connect()
    await client.subscribe(f"hb.{desks.name}.a", lambda message: heard.append(len(message.payload)))
    await until(lambda: bool(heard) and heard[-1] < 300, 3 * DEADLINE_S)  # it has nothing to tell of its keys any more
    heard.clear()
    began = clock.now()
    await until(lambda: len(heard) > 10)
    assert clock.now() - began > 5 * timers.heartbeat_s  # one for all keys
    assert sorted(heard)[len(heard) // 2] < 300
    answers = await asyncio.gather(*(desks.call("deposit", 1, key=key) for key in keys[::20]))
    assert {answer.value.amount for answer in answers} == {1}


# The journal's length


async def test_snapshots_bound_the_journal_and_what_a_new_holder_replays(desks: Desks, transport: Transport) -> None:
    first, second = await desks.pair(snapshot_every=10)
    for _ in range(57):
        await desks.call("deposit", 1)
    async with asyncio.timeout(DEADLINE_S):
        while await journal_length(transport, desks.name) > 20:  # noqa: ASYNC110 - nobody tells of a purge
            await asyncio.sleep(0.02)
    await until(lambda: len(second.active._tails._journals[KEY].changes) <= 10)  # once it has read so far
    await first.active.hand_over(KEY)
    await second.takes()
    assert second.desk.balances[KEY] == 57
    assert second.desk.hooks("apply").count("apply") <= 10
    third = await desks.start("c", snapshot_every=10)
    await until(lambda: second.knows(third))
    await second.active.hand_over(KEY, "c")
    await third.takes()
    assert third.desk.balances[KEY] == 57


async def test_large_changes_bring_a_snapshot_sooner(
    desks: Desks, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis_sdk.single_active.reports.SNAPSHOT_BYTES", 500)
    running = await desks.active()
    for _ in range(10):
        await desks.call("deposit", 1)
    await until(lambda: running.holding().journal.snapshot is not None)


# Keys


async def test_more_keys_than_a_heartbeat_can_name_are_refused(transport: Transport) -> None:
    kind: type[Desk] = type("Desk", (Desk,), {"name": "refused"})
    desk = kind(Venue(), [f"K{number}" for number in range(MAX_KEYS + 1)])
    with pytest.raises(ConfigurationError, match="3000 at most"):
        ActiveHost(transport, desk, ServiceHost(transport, desk))


@pytest.mark.parametrize("key", ["a.b", "", "*", "a b", "x" * 129])
async def test_keys_that_are_no_tokens_are_refused(transport: Transport, key: str) -> None:
    kind: type[Desk] = type("Desk", (Desk,), {"name": "refused"})
    desk = kind(Venue(), [key])
    with pytest.raises(ConfigurationError):
        ActiveHost(transport, desk, ServiceHost(transport, desk, HostOptions(instance="a")))
