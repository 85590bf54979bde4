"""How the ordered reader notices that something is missing, against a server that follows a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from aegis_sdk import codec
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.messages import NO_HEADERS, STATUS, Headers, Message, StoredMessage
from aegis_sdk.transport import Handler, Subscription
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport
from aegis_sdk.transport_nats.consumers import read

DEADLINE_S = 5
NEVER_S = 60  # no silence is noticed within the deadline
SECOND_NS = 1_000_000_000

Script = Sequence[Message]


class ScriptedServer(MemoryTransport):
    """Delivers the next script to each consumer that is made, and nothing after it; None: it is not made in time."""

    def __init__(self, *scripts: Script | None) -> None:
        super().__init__(MemoryBroker())
        self._scripts = list(scripts)
        self.patience: list[float] = []  # seconds that each creation would have waited
        self._deliver: Handler | None = None
        self.made: list[dict[str, Any]] = []  # the configuration of each consumer
        self.deleted: list[str] = []
        self.answers: list[str] = []  # the subjects that were published to

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> Subscription:
        self._deliver = handler
        return await super().subscribe(subject, handler, queue)

    def publish(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, reply: str = "") -> None:
        if subject.startswith("$JS.API.CONSUMER.DELETE."):
            self.deleted.append(subject.split(".")[-1])
        else:
            self.answers.append(subject)

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        match subject.split(".")[2:]:
            case ["CONSUMER", "CREATE", *_]:
                self.patience.append(timeout)
                reply = self._make(codec.decode_json(payload)["config"])
            case ["CONSUMER", "DELETE", _, name]:
                self.deleted.append(name)
                reply = {"success": True}
            case _:
                reply = {"state": {"last_seq": 100}}
        return Message(subject, codec.encode_json(reply))

    def _make(self, config: dict[str, Any]) -> dict[str, Any]:
        self.made.append(config)
        script = self._scripts.pop(0)
        if script is None:
            raise DeadlineExceeded("no answer")
        assert self._deliver
        for message in script:
            self._deliver(message)
        return {"num_pending": sum(STATUS not in message.headers for message in script)}


def stored(sequence: int, consumer_sequence: int) -> Message:
    """A message of the stream; its reply subject says what the server knows of it."""
    return Message("s.a", b"%d" % sequence, {}, f"$JS.ACK.S.reader.1.{sequence}.{consumer_sequence}.{SECOND_NS}.1")


def status(code: str, reply: str = "", **headers: str) -> Message:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message("inbox", b"", {STATUS: code, **named}, reply)


def heartbeat(last_consumer_sequence: int) -> Message:
    return status("100", Nats_Last_Consumer=str(last_consumer_sequence))


async def sequences(messages: AsyncIterator[StoredMessage | None], count: int) -> list[int]:
    """Of the next `count` messages, without the marks between them."""
    found: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            if message := await anext(messages):
                found.append(message.sequence)
    return found


async def test_a_hole_in_the_numbers_of_the_consumer_is_read_again() -> None:
    server = ScriptedServer([stored(1, 1), stored(3, 3)], [stored(2, 1), stored(3, 2)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 3) == [1, 2, 3]
    assert [config.get("opt_start_seq") for config in server.made] == [None, 2]


async def test_a_hole_in_the_sequences_of_the_stream_is_none() -> None:
    """What is of another subject, or was deleted, is not delivered."""
    server = ScriptedServer([stored(1, 1), stored(3, 2), stored(7, 3)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 3) == [1, 3, 7]
    assert len(server.made) == 1


async def test_a_heartbeat_that_knows_of_more_than_arrived_means_that_it_is_read_again() -> None:
    """The lost message is the last one: no later one shows the hole."""
    server = ScriptedServer([stored(1, 1), heartbeat(2)], [stored(2, 1)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 2) == [1, 2]
    assert [config.get("opt_start_seq") for config in server.made] == [None, 2]


async def test_a_heartbeat_that_knows_what_arrived_changes_nothing() -> None:
    server = ScriptedServer([heartbeat(0), stored(1, 1), heartbeat(1), stored(2, 2)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 2) == [1, 2]
    assert len(server.made) == 1


async def test_a_consumer_without_heartbeats_is_given_up_for_another() -> None:
    """As when the server that hosted it died, and our connection leads to another one."""
    server = ScriptedServer([stored(1, 1)], [stored(2, 1)])
    async with read(server, "S", ">", 0, False, 0.02) as messages:
        assert await sequences(messages, 2) == [1, 2]
        assert server.deleted[0] == server.made[0]["name"]
    assert server.made[0]["idle_heartbeat"] == 0.02 * SECOND_NS
    assert server.made[1]["opt_start_seq"] == 2


async def test_a_consumer_that_is_placed_on_a_server_that_died_is_soon_asked_for_under_another_name() -> None:
    """Nobody answers for it, nor may anybody for the one that was given up: that is not waited for."""
    server = ScriptedServer([stored(1, 1)], None, None, [stored(2, 1)])
    async with read(server, "S", ">", 0, False, 0.02) as messages:
        assert await sequences(messages, 2) == [1, 2]
        assert server.deleted == [server.made[0]["name"]]
    assert server.patience == [0.5, 0.5, 1.0, 2.0]
    assert len({config["name"] for config in server.made}) == 4


async def test_the_first_consumer_is_asked_for_again_where_nobody_answers() -> None:
    """As while a cluster that has just started elects: all its servers drop the request."""
    server = ScriptedServer(None, None, None, [stored(1, 1)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 1) == [1]
    assert server.patience == [0.5, 1.0, 2.0, 5.0]
    assert len({config["name"] for config in server.made}) == 4
    assert len({config["deliver_subject"] for config in server.made}) == 4


async def test_a_reader_whose_first_consumer_nobody_makes_ends() -> None:
    server = ScriptedServer(None, None, None, None)
    with pytest.raises(DeadlineExceeded):
        async with read(server, "S", ">", 0, False, NEVER_S):
            pass


async def test_a_consumer_that_the_server_ended_is_replaced() -> None:
    server = ScriptedServer([stored(1, 1), status("409")], [stored(2, 1)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 2) == [1, 2]


@pytest.mark.parametrize(
    "asks", [status("100", "flow.1"), status("100", Nats_Consumer_Stalled="flow.1", Nats_Last_Consumer="1")]
)
async def test_flow_control_is_answered_once_what_came_before_it_is_read(asks: Message) -> None:
    server = ScriptedServer([stored(1, 1), asks, stored(2, 2)])
    async with read(server, "S", ">", 0, False, NEVER_S) as messages:
        assert await sequences(messages, 1) == [1]
        assert server.answers == []
        assert await sequences(messages, 1) == [2]
        assert server.answers == ["flow.1"]
