"""Live topics: one WebSocket for a browser's tab, server-sent events for scripts.

What is said both ways is in live/messages.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from aegis.management.access.guard import SignedIn, identify, needs
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.live.follower import Follower, permitted
from aegis.management.live.messages import MOST_TOPICS, Alive, Asked, Hello, Refused
from aegis.management.parts import Parts, parts_of
from aegis.management.problems import Problem, responses
from aegis_sdk.errors import AegisError

__all__ = ["router"]

router = APIRouter(prefix="/api/live", tags=["live"])
With = Annotated[Parts, Depends(parts_of)]
Viewer = Annotated[Caller, needs(Role.VIEWER)]

_ALIVE_S: Final = 1.0
_LOOK_S: Final = 5.0
"""So often it is looked whether the session goes on, and its role is the same."""
_TAKEN_S: Final = 20.0
"""Who takes nothing for so long is left."""
_SIGNED_OUT: Final = 4401
_MALFORMED: Final = 4400
_FULL: Final = 1013
_EVENTS: Final = {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}}


class _Ended(Exception):
    """The session has ended, or its role has changed."""


@router.websocket("")
async def live(socket: WebSocket, caller: Viewer, at: With) -> None:
    """One for all topics of a tab."""
    await socket.accept()
    assert caller.role is not None
    try:
        with Follower(at.hub, caller.name) as follower:
            await _send(socket, Hello(instance=socket.app.state.service.instance))
            async with asyncio.TaskGroup() as group:
                group.create_task(_listen(socket, at, caller, caller.role, follower))
                group.create_task(_tell(socket, at, follower))
                group.create_task(_look(socket, at, socket.state.signed_in))
    except* (WebSocketDisconnect, TimeoutError):
        pass  # gone, or as good as gone
    except* _Ended:
        await socket.close(_SIGNED_OUT)
    except* ValidationError:
        await socket.close(_MALFORMED)
    except* Problem:
        await socket.close(_FULL)


async def _listen(socket: WebSocket, at: Parts, caller: Caller, role: Role, follower: Follower) -> None:
    while True:
        asked = await _asked(socket)
        for wanted in asked.topics:
            if asked.op == "unsubscribe":
                follower.unsubscribe(wanted.topic)
                continue
            try:
                follower.subscribe(wanted.topic, role, wanted.origin, wanted.sequence)
            except Problem as problem:
                await at.trail.refused(caller, "follow", wanted.topic, problem.code)
                await _send(socket, Refused(topic=wanted.topic, problem=problem.body))


async def _asked(socket: WebSocket) -> Asked:
    """What the client says next. Raises ValidationError for nonsense, bytes too, WebSocketDisconnect at the end."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return Asked.model_validate_json(message.get("text") or "")


async def _tell(socket: WebSocket, at: Parts, follower: Follower) -> None:
    """Send what is new at each beat; while a send waits for the client, nothing is kept for it."""
    loop = asyncio.get_running_loop()
    alive_at = 0.0
    while True:
        await at.hub.beat()
        for message, _ in follower.news():
            async with asyncio.timeout(_TAKEN_S):
                await socket.send_text(message.decode())
        if loop.time() >= alive_at:
            alive_at = loop.time() + _ALIVE_S
            async with asyncio.timeout(_TAKEN_S):
                await _send(socket, _alive(at))


async def _look(connection: HTTPConnection, at: Parts, before: SignedIn) -> None:
    while True:
        await asyncio.sleep(_LOOK_S)
        await _still(connection, at, before)


async def _still(connection: HTTPConnection, at: Parts, before: SignedIn) -> None:
    """Raises _Ended where the session does not go on as it was; while NATS cannot tell, it does."""
    try:
        now = await identify(at, connection)
    except (AegisError, TimeoutError):
        return  # nothing new comes of a desk that does not answer, and who follows shall see that it is old
    if now is None or now.caller.role is not before.caller.role:
        raise _Ended


@router.get("/sse", response_class=StreamingResponse, responses=_EVENTS | responses(401, 403, 404, 422, 429, 503))
async def live_events(
    request: Request,
    caller: Viewer,
    at: With,
    topics: Annotated[str, Query(description="With commas between them", min_length=1, max_length=4_096)],
    last_event_id: Annotated[str, Header(max_length=12_000, description="Of the last event: goes on from there")] = "",
) -> StreamingResponse:
    """The same messages as server-sent events, `alive` too. `id`, where there is one, has all places to go on from."""
    assert caller.role is not None
    wanted = list(dict.fromkeys(topics.split(",")))
    if len(wanted) > MOST_TOPICS:
        raise Problem("overloaded", "many_topics", most=MOST_TOPICS)
    for name in wanted:
        try:
            permitted(at.hub, name, caller.role)
        except Problem as problem:
            await at.trail.refused(caller, "follow", name, problem.code)
            raise
    before = _resumed(last_event_id)
    return _Events(request, at, caller, {name: before.get(name, ("", 0)) for name in wanted})


class _Events(StreamingResponse):
    """Follows as long as it is sent. What forbids it is raised before the answer begins."""

    def __init__(self, request: Request, at: Parts, caller: Caller, wanted: Mapping[str, tuple[str, int]]) -> None:
        assert caller.role is not None
        self._follower = Follower(at.hub, caller.name)
        self._role = caller.role
        self._wanted = wanted
        super().__init__(_events(request, at, self._follower), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def timely(message: Message) -> None:
            async with asyncio.timeout(_TAKEN_S):
                await send(message)

        with self._follower, suppress(TimeoutError):
            for name, (origin, sequence) in self._wanted.items():
                self._follower.subscribe(name, self._role, origin, sequence)
            await super().__call__(scope, receive, timely)


async def _events(request: Request, at: Parts, follower: Follower) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    alive_at, look_at = 0.0, loop.time() + _LOOK_S
    with suppress(_Ended):
        while True:
            await at.hub.beat()
            for message, is_whole in follower.news():
                place = b"id: " + msgspec.json.encode(follower.places) + b"\n" if is_whole else b""
                yield place + b"data: " + message + b"\n\n"
            if loop.time() >= alive_at:
                alive_at = loop.time() + _ALIVE_S
                yield b"data: " + _alive(at).model_dump_json().encode() + b"\n\n"
            if loop.time() >= look_at:
                look_at = loop.time() + _LOOK_S
                await _still(request, at, request.state.signed_in)


def _alive(at: Parts) -> Alive:
    return Alive(at=at.now(), hears=at.view.directory.state)


def _resumed(places: str) -> dict[str, tuple[str, int]]:
    """What the last event's id said; of what it did not say, nothing."""
    try:
        return msgspec.json.decode(places, type=dict[str, tuple[str, int]])
    except msgspec.MsgspecError:
        return {}


async def _send(socket: WebSocket, message: BaseModel) -> None:
    await socket.send_text(message.model_dump_json())
