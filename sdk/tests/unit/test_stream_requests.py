"""How streams are made and asked where answers fail to come, against a server that follows a script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aegis_sdk import codec
from aegis_sdk.errors import DeadlineExceeded, StreamError, Unavailable
from aegis_sdk.messages import NO_HEADERS, Headers, Message
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport
from aegis_sdk.transport_nats import streams

STREAM = StreamConfig(name="S", subjects=["s.*"], replicas=3)
PRESENT: dict[str, Any] = {"config": streams.settings(STREAM), "state": {"last_seq": 7}}
NO_STREAM: dict[str, Any] = {"error": {"err_code": streams.STREAM_NOT_FOUND, "description": "stream not found"}}
NOT_THIS_STREAM: dict[str, Any] = {"error": {"err_code": 10060, "description": "expected stream does not match"}}
SILENCE = DeadlineExceeded
NOBODY = Unavailable


class Scripted(MemoryTransport):
    """Answers requests in turn; `asked` are their subjects, `patience` the seconds that each would have waited."""

    def __init__(self, *answers: dict[str, Any] | Callable[[], Exception]) -> None:
        super().__init__(MemoryBroker())
        self._answers = list(answers)
        self.asked: list[str] = []
        self.patience: list[float] = []

    async def request(
        self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0
    ) -> Message:
        self.asked.append(subject.removeprefix("$JS.API.STREAM."))
        self.patience.append(timeout)
        answer = self._answers.pop(0)
        if not isinstance(answer, dict):
            raise answer()
        return Message(subject, codec.encode_json(answer))


@pytest.mark.parametrize("first", [(PRESENT,), (NO_STREAM, PRESENT)])
async def test_a_replicated_stream_is_waited_for_until_it_answers_whoever_made_it(first: tuple[dict[str, Any]]) -> None:
    """One that another instance has made a moment ago is there, and has no leader yet."""
    server = Scripted(*first, NOBODY, NOBODY, NOT_THIS_STREAM)
    await streams.ensure(server, STREAM)
    assert server.asked[len(first) :] == ["s._"] * 3


NOT_ENOUGH_SERVERS: dict[str, Any] = {"error": {"err_code": 10005, "description": "no suitable peers, peer offline"}}
FORBIDDEN: dict[str, Any] = {"error": {"err_code": 10052, "description": "invalid configuration"}}


async def test_a_cluster_whose_leader_has_not_heard_of_all_servers_yet_is_asked_again() -> None:
    """It has elected one by then, and knows of the others that they are up to date, not that they are there."""
    server = Scripted(NO_STREAM, NOT_ENOUGH_SERVERS, NO_STREAM, PRESENT, NOT_THIS_STREAM)
    await streams.ensure(server, STREAM)
    assert server.asked == ["INFO.S", "CREATE.S"] * 2 + ["s._"]


async def test_what_the_server_refuses_for_good_is_not_asked_again() -> None:
    server = Scripted(NO_STREAM, FORBIDDEN)
    with pytest.raises(StreamError, match="invalid configuration"):
        await streams.ensure(server, STREAM)


async def test_a_stream_without_a_leader_is_asked_again_soon_and_less_often_then() -> None:
    """It never answers what it was asked before it had one."""
    server = Scripted(SILENCE, SILENCE, PRESENT, SILENCE, PRESENT, NOT_THIS_STREAM)
    await streams.ensure(server, STREAM)
    assert server.asked == ["INFO.S", "INFO.S", "INFO.S", "s._", "INFO.S", "s._"]
    assert server.patience == [0.25, 0.5, 1.0, 1.0, 2.0, 2.0]


async def test_a_stream_of_one_copy_that_is_there_costs_one_request() -> None:
    alone = StreamConfig(name="S", subjects=["s.*"])
    server = Scripted({"config": streams.settings(alone)})
    await streams.ensure(server, alone)
    assert server.asked == ["INFO.S"]


async def test_a_question_that_an_election_swallowed_is_asked_again() -> None:
    server = Scripted(SILENCE, SILENCE, PRESENT)
    assert await streams.last_sequence(server, "S") == 7
    assert server.patience == [0.25, 0.5, 1.0]
