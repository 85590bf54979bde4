"""One request to the active instance, from its arrival to its answer.

    arrives -> the gate -> admitted -> held, ready, trusted -> known by its key? -> handled -> proved -> answered

What is refused before the handler begins says so (Moved, Suspended, Overloaded, Draining): the caller may repeat it.
So none of these may be said of a call once it may have done something. What is stored of a call is its answer, however
its handler ends. Each answer needs a proof, an error too: a deposed instance must not reject, or fail, by what it knew.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from aegis_sdk import clock, codec, subjects
from aegis_sdk.admission import Admission, Job
from aegis_sdk.endpoint import Endpoint, answer, error_reply, time_left
from aegis_sdk.errors import (
    DeadlineExceeded,
    Draining,
    InternalError,
    InvalidRequest,
    Moved,
    NotExecuted,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Rejected,
    RpcError,
    error_from_wire,
)
from aegis_sdk.errors import Suspended as SuspendedError
from aegis_sdk.ledger.records import Result, Verdict
from aegis_sdk.ledger.snapshot import Outcome
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, SEQUENCE, STALE, Message, is_idempotency_key
from aegis_sdk.single_active.context import ActiveContext
from aegis_sdk.single_active.declaration import Active, SingleActive
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.trace import Answered, Began, Observer, Refused
from aegis_sdk.transport import Transport

__all__ = ["ActiveEndpoint", "Requests"]

_log = structlog.get_logger("aegis.active")

_NO_ANSWERS: Final = (Moved, SuspendedError, Draining, Overloaded, OutcomeUnknown, DeadlineExceeded)
"""Errors that say nothing of a key: whoever holds it is asked again."""


class ActiveEndpoint(Endpoint):
    """A handler of the active instance at run time."""

    def __init__(self, handler: Active[Any, Any], service: SingleActive, attribute: str) -> None:
        super().__init__(attribute, handler.method(type(service)), getattr(service, attribute), wants_context=True)
        self.subject, self.queue_group = subjects.any_active(service.name, self.name), ""
        self.stale_ok = handler.stale_ok


class _Outcome(NamedTuple):
    """What a caller is told once it is proved: a reply, or an error that is the service's last word."""

    reply: bytes
    sequence: int  # of the journal, that it rests on
    error: RpcError | None = None
    stored: bool = False  # something was done: it must not be said to be safe to repeat


class Requests:
    """Handles the requests of all keys that an instance holds."""

    def __init__(
        self,
        transport: Transport,
        service: str,
        admission: Admission,
        default_timeout_s: float,
        enter: Callable[[], None],
        observer: Observer | None,
    ) -> None:
        self._transport = transport
        self._service = service
        self._admission = admission
        self._waiting = Admission(service, admission.max_waiting, 0)
        self._default_timeout_s = default_timeout_s
        self._enter = enter
        self._observer = observer
        self._loop = asyncio.get_running_loop()

    def arrived(self, holding: Holding, endpoint: ActiveEndpoint | None, message: Message) -> None:
        """Take a request for a key that is, or was until now, held. Passes the gate before anything else."""
        self._enter()
        at = clock.now()
        if endpoint is None:
            refusal = InvalidRequest(f"{self._service} has no such method for the active instance")
            self._answer_error(holding, message, refusal)
            return
        handle = partial(self._handle, holding, endpoint, message, at)
        job = Job(handle, partial(self._refuse, holding, endpoint, message))
        if holding.is_open and holding.is_trusted:
            self._admission.admit(job)
        else:
            self._waiting.admit(Job(partial(self._admit_later, holding, endpoint, message, at, job), job.refuse))

    async def _admit_later(
        self, holding: Holding, endpoint: ActiveEndpoint, message: Message, at: float, job: Job
    ) -> None:
        """Wait for a key where nobody is kept from work whose key is ready."""
        try:
            with holding.work.request():
                await self._begin(holding, endpoint, at + time_left(message, self._default_timeout_s))
        except RpcError as error:
            job.refuse(error)
        else:
            self._admission.admit(job)

    async def _handle(self, holding: Holding, endpoint: ActiveEndpoint, message: Message, at: float) -> None:
        with holding.work.request():
            try:
                deadline = at + time_left(message, self._default_timeout_s)
                outcome = await self._outcome(holding, endpoint, message, deadline)
                stale = await self._prove(holding, endpoint, outcome, deadline)
                if outcome.error is not None:
                    raise outcome.error
                endpoint.succeeded(clock.now() - at)
                self._answer(holding, message, outcome, stale=stale)
            except RpcError as error:
                self._refuse(holding, endpoint, message, error, clock.now() - at)
            except asyncio.CancelledError:
                self._refuse(holding, endpoint, message, OutcomeUnknown("the instance stopped before this was done"))
                raise
            except Exception as error:
                _log.exception("handler_failed", service=self._service, method=endpoint.name, key=holding.key)
                what = InternalError(f"{self._service}.{endpoint.name} failed: {type(error).__name__}")
                self._refuse(holding, endpoint, message, what, clock.now() - at)

    async def _prove(self, holding: Holding, endpoint: ActiveEndpoint, outcome: _Outcome, deadline: float) -> bool:
        """Make sure that the answer is not that of a deposed instance; True where it may be, and that is allowed.

        An error never is stale, for its caller would not learn of it.
        """
        now = clock.now()
        proved = holding.is_proved(now)
        if proved or (endpoint.stale_ok and outcome.error is None):
            holding.refresh(now)
            return not proved
        try:
            await holding.proven(deadline)
        except (Moved, SuspendedError) as error:
            if outcome.stored:
                raise OutcomeUnknown(f"{error}; this call has an outcome") from error
            raise
        return False

    # From the request to its outcome

    async def _outcome(self, holding: Holding, endpoint: ActiveEndpoint, message: Message, deadline: float) -> _Outcome:
        """What the caller is to be told. Raises what is no answer: refusals, and OutcomeUnknown."""
        key = _idempotency_key(message)
        while True:
            await self._begin(holding, endpoint, deadline)
            stored = holding.journal.outcomes.get(key)
            if stored is not None:
                return _stored(stored)
            rejected: _Outcome | None = holding.work.rejected(key)
            if rejected is not None:
                return rejected
            running, writing = holding.work.running.get(key), holding.under_way(key)
            if running is not None:
                await _finished(running, key, deadline)
                return running.result()
            if writing is None:
                break
            await _finished(writing, key, min(deadline, holding.patience_ends))
        if key in holding.journal.intents:
            raise OutcomeUnknown(f"{key} was begun, and what became of it is not known yet", idempotency_key=key)
        return await self._run_joinable(holding, endpoint, message, key, deadline)

    async def _begin(self, holding: Holding, endpoint: ActiveEndpoint, deadline: float) -> None:
        """Wait until the key may be acted on here. Raises Moved or Suspended: nothing was begun then."""
        if not holding.ready.is_set():
            try:
                async with asyncio.timeout(max(deadline - clock.now(), 0)):
                    await holding.ready.wait()
            except TimeoutError:
                raise SuspendedError(f"{holding.key} is being taken over; this was not begun") from None
        self._enter()  # the process may have been stopped since the request arrived
        if holding.is_ended or holding.releasing:
            raise Moved(f"{holding.key} is not served in epoch {holding.epoch} any more")
        if not holding.is_trusted and not endpoint.stale_ok:
            await holding.proven(deadline)
        if clock.now() >= deadline:
            raise SuspendedError("the request waited past its deadline; it was not begun")

    async def _run_joinable(
        self, holding: Holding, endpoint: ActiveEndpoint, message: Message, key: str, deadline: float
    ) -> _Outcome:
        """Handle it; a call of the same key waits for that."""
        running: asyncio.Future[_Outcome] = self._loop.create_future()
        holding.work.running[key] = running
        try:
            outcome = await self._run(holding, endpoint, message, key, deadline)
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            running.set_exception(OutcomeUnknown("the instance stopped before this was done") if cancelled else error)
            running.exception()  # whether or not anybody joined
            raise
        else:
            running.set_result(outcome)
            return outcome
        finally:
            del holding.work.running[key]

    async def _run(
        self, holding: Holding, endpoint: ActiveEndpoint, message: Message, key: str, deadline: float
    ) -> _Outcome:
        if self._observer is not None:  # at once: who is stopped between the gate and this seems to begin behind it
            self._observer(Began(holding.key, holding.epoch, key, clock.now()))
        request = codec.decode_model(endpoint.request, message.payload)
        context = ActiveContext(holding.key, holding.epoch, key, endpoint.name, message.headers, deadline, holding)
        limit = asyncio.timeout(deadline - clock.now())
        try:
            async with limit:
                reply = codec.encode_model(await endpoint.handler(request, context))
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                error = SuspendedError("the handler was not done in time, and had begun nothing")
            return await self._after_error(context, holding, error)
        return await self._after_reply(context, holding, reply)

    async def _after_reply(self, context: ActiveContext, holding: Holding, reply: bytes) -> _Outcome:
        key = context.idempotency_key
        if context.is_open:
            await _store(holding, Result(key, Verdict.OK, reply=msgspec.Raw(reply or b"null")), context.deadline)
        stored = holding.journal.outcomes.get(key)
        if stored is not None:
            return _stored(stored)
        if context.has_acted:
            raise OutcomeUnknown(f"{key} was begun and not finished", idempotency_key=key)
        if context.has_tried_to_commit or context.has_intended_in_vain:
            raise Moved(f"nothing is stored of {key}")
        return _Outcome(reply, holding.journal.sequence)

    async def _after_error(self, context: ActiveContext, holding: Holding, error: Exception) -> _Outcome:
        key = context.idempotency_key
        if isinstance(error, Rejected) and context.is_open:
            body = msgspec.Raw(codec.encode_json(error.to_wire()))
            await _store(holding, Result(key, Verdict.REJECTED, reply=body), context.deadline)
            return _Outcome(b"", holding.journal.sequence, error, stored=True)
        if not isinstance(error, RpcError):
            _log.error("handler_failed", service=self._service, method=context.method, key=holding.key, exc_info=error)
            error = InternalError(f"{self._service}.{context.method} failed: {type(error).__name__}")
        stored = holding.journal.outcomes.get(key)
        if stored is not None:
            return _stored(stored)
        if context.has_acted:
            raise OutcomeUnknown(f"{key} was begun and not finished", idempotency_key=key) from error
        if isinstance(error, _NO_ANSWERS):
            raise error
        outcome = _Outcome(b"", holding.journal.sequence, error)
        if isinstance(error, Rejected | InvalidRequest | NotFound):
            holding.work.reject(key, outcome)
        return outcome

    # Answers

    def _answer(self, holding: Holding, message: Message, outcome: _Outcome, *, stale: bool) -> None:
        headers = {EPOCH: str(holding.epoch), SEQUENCE: str(outcome.sequence)}
        if stale:
            headers[STALE] = "1"
        answer(self._transport, message, outcome.reply, headers)
        if self._observer is not None:
            key = message.headers.get(IDEMPOTENCY_KEY, "")
            self._observer(Answered(holding.key, holding.epoch, key, holding.proof_sent_at, stale, clock.now()))

    def _refuse(
        self, holding: Holding, endpoint: ActiveEndpoint, message: Message, error: RpcError, seconds: float = 0.0
    ) -> None:
        endpoint.failed(error, seconds)
        self._answer_error(holding, message, error)

    def _answer_error(self, holding: Holding, message: Message, error: RpcError) -> None:
        payload, headers = error_reply(error)
        answer(self._transport, message, payload, {**headers, EPOCH: str(holding.epoch)})
        if self._observer is not None:
            key = message.headers.get(IDEMPOTENCY_KEY, "")
            self._observer(Refused(holding.key, holding.epoch, key, error.code, clock.now()))


def _idempotency_key(message: Message) -> str:
    key = message.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return secrets.token_hex(16)
    if not is_idempotency_key(key):
        raise InvalidRequest(f"{IDEMPOTENCY_KEY} is not 1 to 128 visible ASCII characters")
    return key


async def _finished(work: asyncio.Future[Any], key: str, deadline: float) -> None:
    """Wait for a call of the same key that is at work."""
    await asyncio.wait([work], timeout=max(deadline - clock.now(), 0))
    if not work.done():
        raise OutcomeUnknown(f"{key} is still at work", idempotency_key=key)


async def _store(holding: Holding, result: Result, deadline: float) -> None:
    """Store what became of an intent; it is stored also if nobody can wait for it."""
    try:
        await holding.written(result, deadline, keep=True)
    except (Moved, SuspendedError) as error:
        key = result.idempotency_key
        raise OutcomeUnknown(f"{key} was begun, and its end is not stored", idempotency_key=key) from error


def _stored(outcome: Outcome) -> _Outcome:
    """The answer that a call with this idempotency key got, or would have got."""
    match outcome.verdict:
        case Verdict.OK:
            reply = b"" if outcome.reply == b"null" else outcome.reply
            return _Outcome(reply, outcome.sequence, stored=True)
        case Verdict.REJECTED:
            return _Outcome(b"", outcome.sequence, error_from_wire(codec.decode_json(outcome.reply)), stored=True)
        case Verdict.NOT_EXECUTED:
            error = NotExecuted("it was intended, and given up before anything was done")
            return _Outcome(b"", outcome.sequence, error, stored=True)
