"""What a follower of a topic gets is enough to have its table, however slowly he asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from aegis.management.live import topic as module
from aegis.management.live.topic import Topic
from aegis.management.problems import Problem

AWAY = Problem("unavailable", "nats_away")


class Table:
    """What a client makes of messages."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.sequence: int | None = None

    def take(self, messages: list[bytes]) -> None:
        for message in map(msgspec.json.decode, messages):
            if message["type"] == "snapshot" and message["part"] == 0:
                self.rows = {}
            self.rows.update(message["rows"])
            for key in message["gone"]:
                self.rows.pop(key, None)
            self.sequence = message["sequence"]


def whole() -> Topic:
    topic = Topic("t", "o")
    topic.whole()
    return topic


KEYS = st.sampled_from("abcdef")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 2)),
        st.tuples(st.just("remove"), KEYS, st.just(0)),
        st.tuples(st.just("ask"), st.sampled_from([0, 1]), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whoever_asks_whenever_has_the_table_then(steps: list[tuple[str, Any, int]]) -> None:
    topic, clients = whole(), (Table(), Table())
    rows: dict[str, int] = {}
    for what, which, value in steps:
        if what == "put":
            topic.put(which, value)
            rows[which] = value
        elif what == "remove":
            topic.remove(which)
            rows.pop(which, None)
        else:
            clients[which].take(topic.since(clients[which].sequence))
            assert clients[which].rows == rows
    for client in clients:
        client.take(topic.since(client.sequence))
        assert (client.rows, client.sequence) == (rows, topic.sequence)
        assert topic.since(client.sequence) == []


def test_nobody_gets_a_table_before_its_source_has_told_all_of_it() -> None:
    topic = Topic("t", "o")
    topic.put("a", 1)
    assert topic.since(None) == []
    topic.fail(AWAY)
    assert topic.since(None) == []
    topic.put("b", 2)
    topic.whole()
    (message,) = topic.since(None)
    assert msgspec.json.decode(message)["rows"] == {"a": 1, "b": 2}
    topic.fail(AWAY)
    assert topic.since(None) == [message], "what was known stays, and is said to be old"


def test_a_table_that_is_not_true_says_since_when() -> None:
    times = (datetime(2026, 11, 28, tzinfo=UTC) + timedelta(seconds=second) for second in range(10))
    topic = Topic("t", "o", now=lambda: next(times))
    told = [topic.state]
    topic.replace({})
    told.append(topic.state)
    topic.replace({"a": 1})
    assert topic.state is told[-1], "nothing new"
    topic.fail(AWAY)
    topic.fail(Problem("unavailable", "nobody_answers"))
    told.append(topic.state)
    topic.whole()
    told.append(topic.state)
    assert [(one.state, one.since.second, one.problem and one.problem.reason) for one in told] == [
        ("filling", 0, None),
        ("live", 1, None),
        ("failing", 2, "nobody_answers"),
        ("live", 3, None),
    ]


def test_what_is_not_there_is_no_failure_that_ends() -> None:
    topic = whole()
    topic.fail(Problem("not_found", "no_account", account="a1"))
    assert topic.state.state == "unknown"


def test_many_changes_of_a_row_are_one_for_who_asks_late() -> None:
    topic, client = whole(), Table()
    topic.put("a", 0)
    client.take(topic.since(None))
    for value in range(1, 1_000):
        topic.put("a", value)
    (message,) = topic.since(client.sequence)
    assert msgspec.json.decode(message)["rows"] == {"a": 999}


def test_what_is_as_it_was_is_no_change() -> None:
    topic = Topic("t", "o")
    topic.put("a", {"x": 1})
    before = topic.sequence
    topic.put("a", {"x": 1})
    topic.replace({"a": {"x": 1}})
    topic.remove("b")
    assert topic.sequence == before


def test_a_large_table_comes_in_parts(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_PART_ROWS", 10)
    topic, client = whole(), Table()
    topic.replace({str(number): number for number in range(95)})
    messages = topic.since(None)
    assert len(messages) == 10
    client.take(messages)
    assert len(client.rows) == 95


def test_who_is_too_far_behind_or_ahead_begins_anew(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_MOST_GONE", 2)
    topic, client = whole(), Table()
    for key in "abcd":
        topic.put(key, 1)
    client.take(topic.since(None))
    for key in "abc":
        topic.remove(key)
    client.take(topic.since(client.sequence))
    assert client.rows == {"d": 1}
    assert msgspec.json.decode(topic.since(10**6)[0])["type"] == "snapshot"


def test_all_who_ask_from_the_same_place_get_the_same_bytes() -> None:
    topic = Topic("t", "o", shown=lambda row: {"row": row})
    topic.replace({"a": 1})
    assert topic.since(None) is topic.since(None)


def test_a_row_that_is_shown_as_json_is_written_as_it_is() -> None:
    plain, written = Topic("t", "o"), Topic("t", "o", lambda row: msgspec.Raw(msgspec.json.encode(row)))
    for topic in (plain, written):
        topic.replace({"a": {"price": 1.5, "flags": []}, "b": {"price": None, "flags": ["x"]}})
    assert written.since(None) == plain.since(None)
