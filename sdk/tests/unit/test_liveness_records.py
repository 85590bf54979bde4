"""How records and heartbeats go together in the table of a directory."""

from __future__ import annotations

from aegis_sdk.instances import Changed, Heartbeat, InstanceRecord, InstanceStatus, Reason
from aegis_sdk.liveness_events import CaughtUp, Forgotten, Heard, Recorded

from .liveness_world import A, World


def test_a_record_without_heartbeats_is_dropped_without_a_word() -> None:
    world = World()
    other = world.instance(beats=False)
    other.stopped = True
    assert world.instances() == []
    [shown] = world.instances(unconfirmed=True)
    assert not shown.confirmed
    world.run(1.2)
    assert len(world.probes) == 1
    assert world.instances(unconfirmed=True) == []
    assert world.log == []


def test_a_record_whose_instance_answers_the_probe_is_confirmed() -> None:
    world = World()
    world.instance(beats=False)
    world.run(1)
    assert world.kinds == ["Joined"]


def test_the_record_of_an_unknown_heartbeat_is_fetched_once() -> None:
    world = World()
    world.instance(watched=False)
    world.run(3)
    assert world.fetched == [A]
    assert world.kinds == ["Joined"]


def test_no_record_is_fetched_before_all_have_been_read() -> None:
    world = World(caught_up=False)
    world.instance(watched=False)
    world.run(3)
    assert world.fetched == []
    world.tell(CaughtUp())
    world.run(1)
    assert world.fetched == [A]


def test_a_heartbeat_without_any_record_is_asked_for_once_a_second_and_forgotten_when_it_ends() -> None:
    world = World()
    other = world.instance(watched=False)
    del world.stored[A]
    world.run(10)
    assert 8 <= len(world.fetched) <= 11
    other.killed = True
    world.run(2)
    assert world.table.entries == {}


def test_a_newer_incarnation_replaces_the_older_at_once() -> None:
    world = World()
    world.instance("one").killed = True
    world.instance("two")
    assert world.kinds == ["Joined", "Left", "Joined"]
    assert world.left()[1].reason is Reason.REPLACED
    assert world.now - world.log[-1][0] < 0.05
    assert world.instances()[0].record.incarnation == "two"


def test_a_heartbeat_that_overtakes_its_record_is_not_lost() -> None:
    world = World()
    record = InstanceRecord(service=A[0], instance=A[1], incarnation="one")
    world.tell(Heard(A, Heartbeat("one", InstanceStatus.ACTIVE, 1)))
    world.tell(Recorded(record, 1))
    assert world.kinds == ["Joined"]


def test_heartbeats_of_a_replaced_incarnation_are_not_those_of_its_successor() -> None:
    world = World()
    old = world.instance("one")
    new = world.instance("two")
    new.stopped = True
    for _ in range(20):
        world.say(old)
        world.run(0.25)
    assert world.kinds == ["Joined", "Left", "Joined", "Left"]
    assert world.instances() == []


def test_a_fetched_record_does_not_undo_a_newer_one() -> None:
    world = World()
    other = world.instance("two")
    older = other.record.model_copy(update={"incarnation": "one"})
    world.tell(Recorded(older, 0, fetched=True))
    assert world.instances()[0].record.incarnation == "two"


def test_a_deleted_record_says_nothing_about_life() -> None:
    world = World()
    world.instance()
    world.tell(Forgotten(A))
    world.run(2)
    assert world.kinds == ["Joined"]
    assert len(world.instances()) == 1


def test_a_change_of_the_record_is_told_and_a_repetition_is_not() -> None:
    world = World()
    other = world.instance()
    world.put(other.record)
    world.put(other.record.model_copy(update={"keys": {"A1": 7}}))
    world.run(0.1)
    assert world.kinds == ["Joined", "Changed"]
    change = world.log[-1][1]
    assert isinstance(change, Changed)
    assert change.instance.record.keys == {"A1": 7}
    assert change.before.record.keys == {}


def test_the_status_is_that_of_the_latest_heartbeat() -> None:
    """Neither a record that is late nor a heartbeat that was overtaken brings back an older status."""
    world = World()
    other = world.instance()
    earlier = other.beat()
    other.status = InstanceStatus.DRAINING
    world.say(other)
    world.run(0.01)
    world.tell(Heard(A, earlier))
    world.put(other.record.model_copy(update={"status": InstanceStatus.ACTIVE}))
    world.run(0.1)
    assert world.kinds == ["Joined", "Changed"]
    assert world.instances()[0].status is InstanceStatus.DRAINING


def test_a_farewell_takes_the_instance_out_at_once() -> None:
    world = World()
    other = world.instance()
    world.say(other, InstanceStatus.GONE)
    other.killed = True
    world.run(0.01)
    assert world.left()[1].reason is Reason.STOPPED


def test_a_farewell_after_draining_says_so() -> None:
    world = World()
    other = world.instance()
    other.status = InstanceStatus.DRAINING
    world.say(other)
    world.say(other, InstanceStatus.GONE)
    other.killed = True
    world.run(0.01)
    assert world.left()[1].reason is Reason.DRAINED
