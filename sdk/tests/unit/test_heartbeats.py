"""What heartbeats say of keys, and that they say nothing new where there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.heartbeats import Heartbeats
from aegis_sdk.instances import Heartbeat, InstanceStatus, Vitals, digest
from aegis_sdk.single_active.declaration import MAX_KEYS

PAIRS = {"A1": 7, "A2": 12}


class Wire:
    """The only thing of a transport that heartbeats use."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.away = False

    def publish(self, subject: str, payload: bytes) -> None:
        if self.away:
            raise ConnectionUnavailable("not connected")
        assert subject == "hb.trading.a"
        self.sent.append(payload)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("aegis_sdk.clock.now", lambda: now[0])
    return now


def heartbeats(wire: Wire, vitals: Callable[[], Vitals] = Vitals) -> Heartbeats:
    transport: Any = wire
    return Heartbeats(transport, "hb.trading.a", vitals)


def said(wire: Wire, beats: Heartbeats) -> Heartbeat:
    wire.sent.clear()
    beats.say("one", InstanceStatus.ACTIVE)
    [payload] = wire.sent
    return msgspec.json.decode(payload, type=Heartbeat)


def vitals_of(pairs: dict[str, int]) -> Vitals:
    return Vitals(len(pairs), digest(pairs), pairs)


def test_an_instance_without_keys_says_what_it_always_said(wire: Wire) -> None:
    heartbeats(wire).say("one", InstanceStatus.ACTIVE)
    assert wire.sent == [b'{"incarnation":"one","status":"ACTIVE","sequence":1}']


def test_the_heartbeat_of_another_version_can_be_read() -> None:
    """Without the fields of keys, or with fields that nobody knows yet."""
    old = b'{"incarnation":"one","status":"ACTIVE","sequence":1}'
    new = b'{"incarnation":"one","status":"ACTIVE","sequence":1,"mood":"good"}'
    expected = Heartbeat("one", InstanceStatus.ACTIVE, 1)
    assert [msgspec.json.decode(each, type=Heartbeat) for each in (old, new)] == [expected, expected]


def test_the_pairs_are_said_when_they_change_and_every_five_seconds(wire: Wire, clock: list[float]) -> None:
    now = [vitals_of(PAIRS)]
    beats = heartbeats(wire, lambda: now[0])
    first = said(wire, beats)
    assert (first.held, first.digest, first.pairs) == (2, digest(PAIRS), PAIRS)
    clock[0] += 4.9
    between = said(wire, beats)
    assert (between.held, between.digest, between.pairs) == (2, digest(PAIRS), None)
    clock[0] += 0.2
    assert said(wire, beats).pairs == PAIRS
    now[0] = vitals_of({"A1": 7})
    assert said(wire, beats).pairs == {"A1": 7}
    now[0] = vitals_of({})
    last = said(wire, beats)
    assert (last.held, last.digest, last.pairs) == (0, "", {})
    assert said(wire, beats).pairs is None


def test_a_heartbeat_between_two_lists_is_small(wire: Wire) -> None:
    vitals = vitals_of({f"account-{number}": number for number in range(1000)})
    beats = heartbeats(wire, lambda: vitals)
    said(wire, beats)
    said(wire, beats)
    assert len(wire.sent[0]) < 120


def test_pairs_that_could_not_be_sent_are_said_with_the_next_heartbeat(wire: Wire) -> None:
    beats = heartbeats(wire, lambda: vitals_of(PAIRS))
    wire.away = True
    beats.say("one", InstanceStatus.ACTIVE)
    wire.away = False
    assert said(wire, beats).pairs == PAIRS


def test_pairs_that_may_be_lost_with_the_connection_are_repeated(wire: Wire) -> None:
    beats = heartbeats(wire, lambda: vitals_of(PAIRS))
    said(wire, beats)
    assert said(wire, beats).pairs is None
    beats.repeat_pairs()
    assert said(wire, beats).pairs == PAIRS


def test_all_keys_of_an_instance_fit_into_its_heartbeat_held_and_suspended(wire: Wire) -> None:
    most = {f"{'K' * 124}{number:04}": 2**53 for number in range(MAX_KEYS)}
    vitals = vitals_of(most)._replace(suspended=tuple(most))
    beat = said(wire, heartbeats(wire, lambda: vitals))
    assert (beat.pairs, beat.suspended) == (most, tuple(most))
    assert len(wire.sent[0]) < 1 << 20


def test_where_the_vitals_cannot_be_told_no_heartbeat_is_sent(wire: Wire) -> None:
    def fail() -> Vitals:
        raise RuntimeError("the host is broken")

    with capture_logs() as logs:
        heartbeats(wire, fail).say("one", InstanceStatus.ACTIVE)
    assert wire.sent == []
    assert [log["event"] for log in logs] == ["heartbeat_failed"]


def test_the_vitals_are_asked_for_before_anything_is_sent_also_without_a_connection(wire: Wire) -> None:
    """The gate is passed there: a heartbeat must not hide a standstill."""
    sent_before: list[int] = []

    def vitals() -> Vitals:
        sent_before.append(len(wire.sent))
        return Vitals()

    beats = heartbeats(wire, vitals)
    beats.say("one", InstanceStatus.ACTIVE)
    wire.away = True
    beats.say("one", InstanceStatus.ACTIVE)
    assert sent_before == [0, 1]


def test_a_digest_is_of_the_pairs_and_not_of_their_order() -> None:
    assert digest({"A2": 12, "A1": 7}) == digest(PAIRS)
    assert len(digest(PAIRS)) == 16
    assert len({digest(PAIRS), digest({"A1": 7}), digest({"A1": 8, "A2": 12}), digest({"A1": 71, "A2": 2}), ""}) == 5
    assert digest({}) == ""
