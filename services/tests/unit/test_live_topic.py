"""What a follower of a topic gets is enough to have its table, however slowly he asks."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from aegis.management.live import topic as module
from aegis.management.live.topic import Topic


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
    topic, clients = Topic("t", "o"), (Table(), Table())
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


def test_many_changes_of_a_row_are_one_for_who_asks_late() -> None:
    topic, client = Topic("t", "o"), Table()
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
    topic, client = Topic("t", "o"), Table()
    topic.replace({str(number): number for number in range(95)})
    messages = topic.since(None)
    assert len(messages) == 10
    client.take(messages)
    assert len(client.rows) == 95


def test_who_is_too_far_behind_or_ahead_begins_anew(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "_MOST_GONE", 2)
    topic, client = Topic("t", "o"), Table()
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
    topic.put("a", 1)
    assert topic.since(None) is topic.since(None)
