"""Every error of the SDK, and how it travels.

    AegisError
    ├── ConfigurationError        a setting is wrong; names the field
    ├── ServerError               the embedded nats-server could not be started or stopped
    ├── ConnectionUnavailable     not connected; nothing was sent
    ├── CodecError                a payload is not what its header or model says
    ├── StreamError               JetStream refused a request; carries its error code
    ├── EpochEnded                the ledger refused a write: another lease of the key came first
    ├── LedgerUnavailable         whether the ledger has stored a write is not known
    └── RpcError                  the outcome of a call, in one table with its wire code
        ├── InvalidRequest        400  the payload is not what the model says; nothing was done
        ├── NotFound              404  no such method, instance or thing
        ├── Rejected              422  the business said no; raise subclasses of it in handlers
        ├── Overloaded            429  too many requests wait already; refused before it began
        ├── InternalError         500  the handler failed; whether it had an effect is not known
        ├── Unavailable           503  nobody serves this; nothing was done
        ├── Draining              503  the instance stops; refused before it began
        ├── Suspended             503  the active instance cannot prove its epoch now; refused before it began
        ├── Moved                 503  the instance does not hold this key, or hands it over; refused before it began
        ├── NotExecuted           503  a call to the active instance for certain had no effect; safe to repeat
        ├── OutcomeUnknown        504  whether it had an effect is not known; ask again with the same idempotency key
        └── DeadlineExceeded      504  no answer in time, or it is lost; whether it had an effect is not known

An RpcError knows three things of its own accord: its `code` (a word, stable on the wire), whether it is
`retryable` (the same call may succeed later, and this one changed nothing) and `details` (JSON).
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, cast

__all__ = [
    "STREAM_NOT_FOUND",
    "AegisError",
    "CodecError",
    "ConfigurationError",
    "ConnectionUnavailable",
    "DeadlineExceeded",
    "Draining",
    "EpochEnded",
    "InternalError",
    "InvalidRequest",
    "LedgerUnavailable",
    "Moved",
    "NotExecuted",
    "NotFound",
    "OutcomeUnknown",
    "Overloaded",
    "Rejected",
    "RpcError",
    "ServerError",
    "StreamError",
    "Suspended",
    "Unavailable",
    "error_from_wire",
]


class AegisError(Exception):
    """The root of all errors that the SDK raises on purpose."""


class ConfigurationError(AegisError):
    """A setting is missing or wrong.

    `field` is the setting as its user writes it, `problem` says what is expected.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class ServerError(AegisError):
    """The embedded nats-server could not be started, or died; the message says what to do."""


class ConnectionUnavailable(AegisError):
    """There is no connection to NATS now; nothing was sent. The connection goes on trying by itself."""


class CodecError(AegisError):
    """A payload cannot be encoded or decoded; only this message is affected."""


STREAM_NOT_FOUND: Final = 10059
"""The code of a StreamError: there is no such stream, or this server has not heard of it yet."""


class StreamError(AegisError):
    """JetStream refused a request.

    `code` is the server's `err_code` (10071: wrong last sequence, 10164: such a write is in flight, ...);
    0 where the server gave none.
    """

    def __init__(self, description: str, code: int = 0) -> None:
        super().__init__(f"{description} (err_code {code})" if code else description)
        self.description = description
        self.code = code


class EpochEnded(AegisError):
    """The ledger refused a write for good, and stored nothing of it: the key's latest lease is not the one at `epoch`.

    Of a claim, `epoch` is the sequence at which it expected the latest lease, whatever that lease says.
    """

    def __init__(self, key: str, epoch: int) -> None:
        super().__init__(f"the latest lease of {key} is not that at {epoch}")
        self.key = key
        self.epoch = epoch


class LedgerUnavailable(AegisError):
    """Whether the ledger has stored a write for `key`, or still will, is not known; what it holds later tells."""

    def __init__(self, key: str, problem: object) -> None:
        super().__init__(f"a write for {key} has no known outcome: {problem}")
        self.key = key


class RpcError(AegisError):
    """A call ended without a reply. Subclass `Rejected` for errors of your own."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "rpc_error"
    retryable: ClassVar[bool] = False
    _by_code: ClassVar[dict[str, type[RpcError]]] = {}

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(message or self.code)
        self.message = message or self.code
        self.details = details

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in cls.__dict__:
            RpcError._by_code[cls.code] = cls

    def to_wire(self) -> dict[str, Any]:
        """The JSON body of an error reply: {code, message, retryable, details}."""
        return {
            "code": self.code,
            "message": self.message,
            "retryable": self.retryable,
            "details": self.details,
        }


class InvalidRequest(RpcError):
    """The payload is not what the method's model says; the handler did not run."""

    status = 400
    code = "invalid_request"


class NotFound(RpcError):
    """There is no such method, instance or thing."""

    status = 404
    code = "not_found"


class Rejected(RpcError):
    """The business said no, for good: the same call would be refused again.

    Subclasses set `code`, and arrive at the caller as the same class where it is imported there.
    """

    status = 422
    code = "rejected"


class Overloaded(RpcError):
    """The service has as many requests waiting as it admits; this one was refused before it began."""

    status = 429
    code = "overloaded"
    retryable = True


class InternalError(RpcError):
    """The handler failed; whether it had an effect is not known. The service's log has the reason."""

    status = 500
    code = "internal"


class Unavailable(RpcError):
    """Nobody serves this subject, or the connection is gone; the request reached no handler."""

    status = 503
    code = "unavailable"
    retryable = True


class Draining(RpcError):
    """The instance is stopping; the request was refused before it began."""

    status = 503
    code = "draining"
    retryable = True


class Suspended(RpcError):
    """The active instance cannot prove that its epoch is the current one; it refused this before it began."""

    status = 503
    code = "suspended"
    retryable = True


class Moved(RpcError):
    """The instance does not hold the key in this epoch, or is handing it over; it refused this before it began."""

    status = 503
    code = "moved"
    retryable = True


class NotExecuted(RpcError):
    """No attempt of a call to the active instance had an effect, for certain: it may be repeated as new."""

    status = 503
    code = "not_executed"
    retryable = True


class OutcomeUnknown(RpcError):
    """Whether a call to the active instance had an effect is not known.

    `details["idempotency_key"]` is the call's: called again with it, the stored outcome is returned, or the call is
    executed for the first time. Never repeat it as new.
    """

    status = 504
    code = "outcome_unknown"


class DeadlineExceeded(RpcError):
    """There was no answer in time, or none can come any more; whether the call had an effect is not known."""

    status = 504
    code = "deadline_exceeded"


def error_from_wire(body: dict[str, Any]) -> RpcError:
    """The error that a reply's JSON body describes, as its own class where that is known here.

    A code that is not known becomes a `Rejected` of that code, so that it is never retried.
    """
    code = str(body.get("code", InternalError.code))
    message = str(body.get("message", ""))
    details: Any = body.get("details")
    error = RpcError._by_code.get(code, Rejected)(message)  # pyright: ignore[reportPrivateUsage]
    if isinstance(details, dict):
        error.details = cast("dict[str, Any]", details)
    if error.code != code:
        error.details = {**error.details, "code": code}
    return error
