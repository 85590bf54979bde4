"""One call to the active instance of a key, and what may be said of it when it ends.

A call is made of attempts, each sent to one epoch with the same idempotency key. An attempt is *safe* when it ended in
"nobody listens", was never sent, or was refused before it began. Every other attempt without a definite answer leaves
open whether the call had an effect, and what later attempts meet does not change that.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from aegis_sdk.active_routes import Route
from aegis_sdk.errors import (
    AegisError,
    DeadlineExceeded,
    Draining,
    Moved,
    NotExecuted,
    OutcomeUnknown,
    Overloaded,
    RpcError,
    Suspended,
)
from aegis_sdk.messages import EPOCH, ERROR_CODE, NO_RESPONDERS, STATUS, Message
from aegis_sdk.replies import error_in

__all__ = ["Answer", "Call", "Fate", "Outcome", "epoch_of", "fate_of"]

Reply = TypeVar("Reply", bound=BaseModel)

_FIRST_PATIENCE_S: Final = 1.0  # a holder that cannot write says so before, with the aggressive timers


class Answer(NamedTuple, Generic[Reply]):
    """What the active instance of a key answered."""

    value: Reply
    epoch: int
    sequence: int  # of the journal entry that the answer stands for; 0 where there is none
    stale: bool  # given without a proof that the epoch is the current one
    idempotency_key: str


class Fate(Enum):
    """What a reply says of its attempt."""

    ANSWERED = 1  # for good: a value, or an error of the service's
    NOBODY = 2  # safe: it reached nobody
    REFUSED = 3  # safe: refused before it began; another attempt may fare better
    SUSPENDED = 4  # safe too, but the holder can do nothing now, and nobody else may
    UNKNOWN = 5  # the holder itself does not know


def fate_of(message: Message) -> tuple[Fate, RpcError | None]:
    """The fate of the attempt that got this reply, and the error that the reply carries."""
    headers = message.headers
    if ERROR_CODE not in headers:
        nobody = headers.get(STATUS) == NO_RESPONDERS and not message.payload
        return Fate.NOBODY if nobody else Fate.ANSWERED, None
    error = error_in(message)
    match error:
        case Suspended():
            return Fate.SUSPENDED, error
        case Moved() | Draining() | Overloaded():
            return Fate.REFUSED, error
        case OutcomeUnknown() | DeadlineExceeded():
            return Fate.UNKNOWN, error
        case _:
            return Fate.ANSWERED, error


def epoch_of(message: Message, asked: int) -> int:
    """The epoch that answers; that which was asked where the reply does not say."""
    text = message.headers.get(EPOCH, "")
    return int(text) if text.isdecimal() else asked


class Outcome(NamedTuple):
    """How a call ends: with a reply that is the service's last word, and the epoch that gave it."""

    message: Message
    epoch: int
    error: RpcError | None


@dataclass(slots=True, eq=False)
class Call:
    """One call under way. Times are of the event loop's clock."""

    route: Route
    method: str
    payload: bytes
    idempotency_key: str
    began_at: float
    deadline: float
    outcome: asyncio.Future[Outcome | AegisError]
    expiry: asyncio.TimerHandle | None = None
    unanswered: dict[str, int] = field(default_factory=dict[str, int])  # attempts, by token, to the epoch they went to
    newest: str = ""  # token of the latest attempt while it is unanswered
    ambiguous: bool = False  # an attempt has ended, and nobody knows how
    answered: bool = False
    sent_at: float = 0.0  # of the latest attempt
    patience_s: float = _FIRST_PATIENCE_S  # an attempt unanswered for so long may be lost
    problem: str = ""  # of the latest attempt

    @property
    def is_uncertain(self) -> bool:
        """Whether it may have had an effect that nobody has told."""
        return not self.answered and (self.ambiguous or bool(self.unanswered))

    def settle(self, outcome: Outcome | AegisError) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, problem: str) -> None:
        """End it without an answer, as what is known of its attempts allows."""
        what = f"{self.route.service}/{self.route.key}: {problem}"
        if self.is_uncertain:
            self.settle(OutcomeUnknown(what, idempotency_key=self.idempotency_key))
        else:
            self.settle(NotExecuted(what))
