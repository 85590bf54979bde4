"""The decisions of a directory, played through in a world of simulated time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.instances import InstanceRecord, InstanceStatus, Reason
from aegis_sdk.liveness_events import Heard, Recorded, Refused

from .liveness_world import A, Other, World


def test_an_instance_is_in_the_table_when_its_record_and_a_heartbeat_are_there() -> None:
    world = World()
    world.instance()
    assert world.kinds == ["Joined"]
    [present] = world.instances()
    assert present.confirmed
    assert present.status is InstanceStatus.ACTIVE


def test_a_healthy_instance_is_never_even_probed() -> None:
    world = World()
    world.instance()
    world.run(30)
    assert world.probes == []
    assert world.kinds == ["Joined"]


def test_a_killed_instance_leaves_within_a_second_after_two_refusals() -> None:
    world = World()
    other = world.instance()
    world.run(5)
    other.killed, killed_at = True, world.now
    world.run(3)
    at, departure = world.left()
    assert departure.reason is Reason.KILLED
    assert at - killed_at < 0.85
    assert len(world.probes) == 2
    assert world.probes[1] - world.probes[0] >= 0.1
    assert world.instances() == []


def test_a_heartbeat_between_two_refusals_ends_suspicion() -> None:
    """A client that reconnects is away for 50 to 100 ms: one refusal is no proof."""
    world = World()
    other = world.instance()
    other.stopped = True
    world.run(0.8)
    assert len(world.probes) == 1
    world.tell(Refused(A))
    world.tell(Heard(A, other.beat()))
    world.tell(Refused(A))
    assert world.nobody_left()
    world.run(0.8)
    assert world.probes[-1] > world.now - 0.3
    world.tell(Refused(A))
    assert world.nobody_left()


def test_a_stopped_instance_leaves_within_two_seconds_for_its_silence() -> None:
    world = World()
    other = world.instance()
    world.run(5)
    other.stopped, stopped_at = True, world.now
    world.run(3)
    at, departure = world.left()
    assert departure.reason is Reason.SILENT
    assert 1.0 < at - stopped_at < 1.7


def test_an_instance_that_goes_on_is_back_at_its_next_heartbeat() -> None:
    world = World()
    other = world.instance()
    other.stopped = True
    world.run(5)
    other.stopped, resumed_at = False, world.now
    world.run(1)
    assert world.kinds == ["Joined", "Left", "Joined"]
    assert world.log[-1][0] - resumed_at <= other.record.heartbeat_s + 0.01


def test_an_instance_whose_heartbeats_are_lost_stays_while_it_answers() -> None:
    world = World()
    other = world.instance()
    world.others[A] = Other(other.record)  # alive, but this one never beats
    world.run(10)
    assert 5 < len(world.probes) < 20
    assert world.kinds == ["Joined"]


def test_one_that_starts_is_not_dead_because_nobody_answers_yet() -> None:
    world = World()
    other = world.instance()
    other.status = InstanceStatus.STARTING
    world.say(other)
    world.run(0.1)
    other.stopped = True
    world.others[A] = Other(other.record, killed=True)  # its subjects are not served yet
    world.run(1.2)
    assert world.probes
    assert world.nobody_left()
    world.run(1)
    assert world.left()[1].reason is Reason.SILENT


# Ourselves being deaf, late or away


def test_nobody_is_suspected_while_our_connection_is_away() -> None:
    world = World()
    other = world.instance()
    other.killed = True
    world.disconnect()
    world.run(60)
    assert world.probes == []
    assert [each.record for each in world.instances()] == [other.record]
    assert world.table.age_s(world.now) > 59


def test_nobody_is_suspected_for_a_second_after_our_connection_came_back() -> None:
    world = World()
    world.instance()
    other = world.instance("two", ("quotes", "b"))
    world.run(1)
    world.disconnect()
    world.run(3)
    other.killed = True
    world.connect()
    world.run(1.4)
    assert world.probes == []
    world.run(1)
    at, departure = world.left()
    assert departure.instance.record.instance == "b"
    assert world.now - at < 1


def test_a_refusal_that_arrives_just_after_we_reconnected_is_no_proof() -> None:
    world = World()
    other = world.instance()
    world.run(1)
    other.stopped = True
    world.run(0.8)
    assert len(world.probes) == 1
    world.disconnect()
    world.connect()
    for _ in range(5):
        world.tell(Refused(A))
    assert world.nobody_left()


def test_nobody_is_suspected_while_our_own_echoes_do_not_come_back() -> None:
    world = World()
    other = world.instance()
    world.run(1)
    world.echoes, other.killed = False, True
    world.run(60)
    assert world.probes == []
    assert world.nobody_left()
    assert world.table.age_s(world.now) > 59


def test_a_connection_that_becomes_slow_makes_nobody_suspect() -> None:
    """Echoes come as late as the heartbeats: they tell how far we have heard, not what time it is."""
    world = World()
    world.instance()
    world.run(1)
    world.lag = 2.0
    world.run(10)
    assert world.probes == []
    assert world.nobody_left()


def test_silence_is_final_only_after_a_probe_had_time_to_be_answered() -> None:
    world = World()
    other = world.instance()
    world.run(1)
    other.stopped, world.echoes = True, False
    world.run(3)
    world.echoes = True
    world.run(0.2)
    assert len(world.probes) == 1
    other.stopped = False
    world.run(1)
    assert world.nobody_left()


def test_the_age_grows_until_we_have_listened_again_for_a_second() -> None:
    world = World()
    world.run(1)
    world.disconnect()
    world.run(3)
    world.connect()
    world.run(0.9)
    assert world.table.age_s(world.now) > 3.8
    world.run(0.2)
    assert world.table.age_s(world.now) < 0.2


def test_the_age_is_small_while_we_hear() -> None:
    world = World()
    world.instance()
    world.run(3)
    assert world.table.age_s(world.now) <= 0.1 + world.patience.tick_s + 0.01


def test_our_own_stop_is_not_the_silence_of_others() -> None:
    world = World()
    world.instance()
    world.run(1)
    world.sleep(10)
    world.run(2)
    assert world.probes == []
    assert world.nobody_left()


def test_a_suspended_machine_wakes_without_suspicion() -> None:
    """All of us stood still, nothing waits in the socket, and the others are a little later than we."""
    world = World()
    other = world.instance()
    world.run(1)
    other.stopped = True
    world.sleep(10)
    other.stopped = False
    world.run(2)
    assert world.probes == []
    assert world.nobody_left()


def test_the_departed_are_forgotten_after_a_minute() -> None:
    world = World()
    world.instance().killed = True
    world.run(30)
    assert list(world.table.entries) == [A]
    world.run(35)
    assert world.table.entries == {}


def test_slow_heartbeats_are_waited_for() -> None:
    world = World()
    record = InstanceRecord(service=A[0], instance=A[1], incarnation="one", heartbeat_s=2.0)
    other = Other(record)
    world.others[A] = other
    world.tell(Recorded(record, 1))
    world.begin_beating(other)
    world.run(20)
    assert world.kinds == ["Joined"]
    assert world.probes == []


def test_quick_heartbeats_may_pause_as_long_as_a_starved_event_loop_does() -> None:
    world = World()
    other = Other(InstanceRecord(service=A[0], instance=A[1], incarnation="one", heartbeat_s=0.05))
    world.others[A] = other
    world.tell(Recorded(other.record, 1))
    world.begin_beating(other)
    for _ in range(10):
        other.stopped = True
        world.run(0.3)
        other.stopped = False
        world.run(0.3)
    assert world.probes == []


# Any weather

_WEATHER = st.lists(
    st.tuples(st.sampled_from(["calm", "asleep", "away", "deaf", "late"]), st.floats(0.001, 4)), max_size=12
)


@given(_WEATHER)
def test_healthy_instances_stay_in_any_weather(weather: list[tuple[str, float]]) -> None:
    """Whatever befalls us, nobody who is healthy leaves, and one that then dies does leave."""
    world = World()
    names = [("quotes", text) for text in "abc"]
    others = [world.instance("one", name) for name in names]
    for kind, seconds in weather:
        match kind:
            case "asleep" | "away" | "deaf":
                world.weather(kind, seconds)
            case "late":  # the others' machine is starved, their heartbeats and answers come late
                for other in others:
                    other.stopped = True
                world.run(min(seconds, 0.3))
                for other in others:
                    other.stopped = False
                world.run(0.3)
            case _:
                world.run(seconds)
    assert world.kinds == ["Joined"] * 3
    world.run(1)
    others[0].killed = True
    world.run(2)
    assert world.left()[1].instance.record.instance == "a"
