"""Calls to the one active instance of a key, wherever it is and whenever it moves.

A call is routed by the key's epoch, which only its holder listens for. While it waits, whatever may bring its answer
makes it be sent again with the same idempotency key: a newer epoch that is announced or found by asking, the
connection's return, a holder that is there although it refused the call or let it wait too long. All of that happens
in callbacks: a call is one future, and what is answered at once has cost a look-up, a message and a header.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from collections import OrderedDict
from typing import Final, TypeVar

from pydantic import BaseModel

from aegis_sdk import codec, subjects
from aegis_sdk.active_call import Answer, Call, Fate, Outcome, epoch_of, fate_of
from aegis_sdk.active_routes import ASK_S, MAX_ROUTES, Route, Routes
from aegis_sdk.errors import (
    AegisError,
    CodecError,
    ConnectionUnavailable,
    InvalidRequest,
    NotExecuted,
    RpcError,
)
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, SEQUENCE, STALE, TIMEOUT_MS, Message, is_idempotency_key
from aegis_sdk.method import Method
from aegis_sdk.replies import decoded
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["ActiveCalls"]

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)

_MAX_UNKNOWN: Final = 65_536


class ActiveCalls:
    """All calls of one connection to active instances."""

    def __init__(self, transport: Transport, *, max_routes: int = MAX_ROUTES) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._routes = Routes(transport, self._on_newer, self._on_there, max_routes)
        self._calls: set[Call] = set()
        self._attempts: dict[str, Call] = {}
        self._unknown: OrderedDict[str, None] = OrderedDict()  # keys of calls that ended, and nobody knows how
        self._tokens = itertools.count(1)
        self._inbox = subjects.inbox(secrets.token_hex(12)) + "."
        self._opening = asyncio.Lock()
        self._listening = False
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def pending(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    async def call(
        self,
        method: Method[Request, Reply],
        key: str,
        request: Request,
        *,
        timeout: float = 5.0,
        idempotency_key: str = "",
    ) -> Answer[Reply]:
        """See `Client.call_active`."""
        if idempotency_key and not is_idempotency_key(idempotency_key):
            raise InvalidRequest("an idempotency key is 1 to 128 visible ASCII characters; nothing was sent")
        payload = codec.encode_model(request)
        began_at = self._loop.time()
        deadline = began_at + timeout
        route = self._routes.known(method.service, key) or await self._open(method.service, key, deadline)
        name = idempotency_key or secrets.token_hex(16)
        call = Call(route, method.name, payload, name, began_at, deadline, self._loop.create_future())
        call.ambiguous = name in self._unknown
        try:
            self._begin(call)
            outcome = await call.outcome
        finally:
            self._end(call)
        if isinstance(outcome, AegisError):
            raise outcome
        if outcome.error is not None:
            raise outcome.error
        headers = outcome.message.headers
        sequence = headers.get(SEQUENCE, "")
        return Answer(
            decoded(method, outcome.message),
            outcome.epoch,
            int(sequence) if sequence.isdecimal() else 0,
            headers.get(STALE) == "1",
            name,
        )

    async def _open(self, service: str, key: str, deadline: float) -> Route:
        """The route of a key that was not called before, and ears for what comes back."""
        try:
            async with asyncio.timeout_at(deadline), self._opening:
                if not self._listening:
                    await self._transport.subscribe(self._inbox + subjects.ANY, self._on_reply)
                    self._transport.on_state(self._on_state)
                    self._listening = True
                return await self._routes.open(service, key)
        except (TimeoutError, ConnectionUnavailable) as error:
            raise NotExecuted(f"{service}/{key} was not called: {str(error) or 'no time was left'}") from error

    # One call

    def _begin(self, call: Call) -> None:
        route = call.route
        if not route.calls:
            self._routes.begin(route)
        self._calls.add(call)
        route.calls.add(call)
        call.expiry = self._loop.call_at(call.deadline, self._expire, call)
        if self._ticking is None:
            self._ticking = self._loop.call_later(ASK_S, self._tick)
        if self._transport.state is ConnectionState.CLOSED:
            self._fail(call, "the connection was closed")
        else:
            self._try(call)

    def _end(self, call: Call) -> None:
        route = call.route
        self._calls.discard(call)
        route.calls.discard(call)
        if not route.calls:
            self._routes.end(route)
        for token in call.unanswered:
            del self._attempts[token]
        if call.expiry is not None:
            call.expiry.cancel()
        if call.answered:
            self._unknown.pop(call.idempotency_key, None)
        elif call.is_uncertain:
            self._remember(call.idempotency_key)

    def _fail(self, call: Call, problem: str) -> None:
        """End it without an answer; another call with its idempotency key may have ended uncertain meanwhile."""
        call.ambiguous |= call.idempotency_key in self._unknown
        call.fail(problem)

    def _remember(self, idempotency_key: str) -> None:
        """A later call with this key can say that it had no effect itself, not that there was none."""
        self._unknown[idempotency_key] = None
        if len(self._unknown) > _MAX_UNKNOWN:
            self._unknown.popitem(last=False)

    def _try(self, call: Call) -> None:
        if call.route.epoch:
            self._send(call)
        else:
            self._routes.ask(call.route)

    def _send(self, call: Call) -> None:
        """Make one attempt, if there is time and a connection."""
        route, now = call.route, self._loop.time()
        if now >= call.deadline or call.outcome.done():
            return
        token = format(next(self._tokens), "x")
        headers = {
            TIMEOUT_MS: str(math.ceil((call.deadline - now) * 1000)),
            IDEMPOTENCY_KEY: call.idempotency_key,
            EPOCH: str(route.epoch),
        }
        subject = subjects.active(route.service, route.key, route.epoch, call.method)
        call.newest = ""
        try:
            self._transport.publish(subject, call.payload, headers, self._inbox + token)
        except ConnectionUnavailable as error:
            call.problem = str(error)  # sent when it is back
        except CodecError as error:
            call.settle(error)
        else:
            call.newest, call.sent_at = token, now
            call.unanswered[token] = route.epoch
            self._attempts[token] = call

    def _expire(self, call: Call) -> None:
        problem = "its holder is silent" if call.newest else call.problem or "nobody holds it"
        self._fail(call, f"no answer in time: {problem}")

    # Replies

    def _on_reply(self, message: Message) -> None:
        token = message.subject[len(self._inbox) :]
        call = self._attempts.pop(token, None)
        if call is None:
            return
        asked = call.unanswered.pop(token)
        fate, error = fate_of(message)
        if fate is Fate.ANSWERED:
            self._on_answer(call, Outcome(message, epoch_of(message, asked), error))
            return
        call.ambiguous |= fate is Fate.UNKNOWN
        if call.newest == token:
            call.newest = ""
            self._on_refusal(call, fate, asked, error)

    def _on_answer(self, call: Call, outcome: Outcome) -> None:
        if outcome.epoch < call.route.epoch:  # of a holder that is deposed by now
            call.ambiguous = True
            return
        call.answered = True
        call.settle(outcome)
        if outcome.epoch > call.route.epoch:
            self._routes.learn(call.route, outcome.epoch)

    def _on_refusal(self, call: Call, fate: Fate, asked: int, error: RpcError | None) -> None:
        """The latest attempt of a call brought no answer."""
        route = call.route
        call.problem = "nobody listens" if error is None else error.message
        if fate in (Fate.SUSPENDED, Fate.UNKNOWN):
            self._fail(call, call.problem)
        elif asked == route.epoch:
            route.missed, route.pause_s = asked if fate is Fate.NOBODY else 0, ASK_S
            self._routes.ask(route)

    # What makes a call be sent again

    def _on_newer(self, route: Route) -> None:
        for call in route.calls:
            self._send(call)

    def _on_there(self, route: Route) -> None:
        """What the holder refused may be tried again, and so may what seems to be lost."""
        now = self._loop.time()
        for call in route.calls:
            if not call.newest:
                route.pause_s = ASK_S
                self._send(call)
            elif now - call.sent_at >= call.patience_s:
                call.patience_s *= 2
                self._send(call)

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CLOSED:
            for call in self._calls:
                self._fail(call, "the connection was closed")
        elif state is ConnectionState.CONNECTED:
            for call in self._calls:
                self._try(call)

    def _tick(self) -> None:
        """Ask for each key that a call waits for. Comes while there are calls, every 100 ms."""
        self._ticking = None
        if not self._calls:
            return
        self._ticking = self._loop.call_later(ASK_S, self._tick)
        now = self._loop.time()
        for route in {call.route for call in self._calls if now - call.began_at >= ASK_S / 2}:
            self._routes.ask_again(route)
