"""One stream of the memory transport: what it stores, refuses and forgets. Time is an argument.

Codes and texts of refusals are those of nats-server.
"""

from __future__ import annotations

import heapq
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from aegis_sdk import batches, subjects
from aegis_sdk.errors import StreamError
from aegis_sdk.messages import EXPECTED_SEQUENCE, EXPECTED_SUBJECT, MESSAGE_ID, ROLLUP, Headers, Message, StoredMessage
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_memory.batches import OpenBatches

_NS: Final = 1_000_000_000
_TTL: Final = re.compile(r"(\d+)(ms|s|m|h|)")
_UNIT_S: Final = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}
_MIN_TTL_S: Final = 1


class Storage(NamedTuple):
    """The outcome of `store`."""

    sequence: int
    duplicate: bool


class _Admitted(NamedTuple):
    """A message that the stream may hold, if its guards hold."""

    message: Message
    ttl_s: float
    rollup: str
    duplicate_of: int  # a sequence; 0: none


class MemoryStream:
    """Messages by sequence. `wakers` are called whenever something is stored."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self.last_sequence = max(0, config.first_sequence - 1)
        self.wakers: set[Callable[[], None]] = set()
        self._messages: OrderedDict[int, StoredMessage] = OrderedDict()
        self._by_subject: dict[str, deque[int]] = {}
        self._batches = OpenBatches()
        self._bytes = 0
        self._ids: OrderedDict[str, tuple[float, int]] = OrderedDict()  # to when it was stored, and where
        self._expiries: list[tuple[float, int]] = []  # a heap; entries outlive their messages

    def captures(self, subject: str) -> bool:
        return any(subjects.matches(pattern, subject) for pattern in self.config.subjects)

    def configure(self, config: StreamConfig) -> None:
        """Change the settings; what exceeds new limits is forgotten. StreamError 10052 for what cannot be changed."""
        if config.storage != self.config.storage:
            raise StreamError("stream configuration update can not change storage type", 10052)
        if config.work_queue != self.config.work_queue:
            raise StreamError("stream configuration update can not change retention policy to/from workqueue", 10052)
        self.config = config
        for subject in tuple(self._by_subject):
            self._limit_subject(subject)
        self._limit_bytes()

    # Storing

    def store(self, message: Message, now: float, timestamp_ns: int) -> Storage | None:
        """Store one message at `now` (seconds of the loop's clock), or say where it is stored already.

        A message of a batch is stored together with the last one; None until then. Raises StreamError where a guard
        does not hold, or a header or the size is not allowed.
        """
        message = self._renamed(message)
        if batches.ID in message.headers:
            return self._take_batched(message, now, timestamp_ns)
        self._check_guards(message)
        admitted = self._admit(message, now)
        if admitted.duplicate_of:
            return Storage(admitted.duplicate_of, duplicate=True)
        return self._store([admitted], now, timestamp_ns)

    def _renamed(self, message: Message) -> Message:
        if self.config.renamed is None:
            return message
        published, stored = self.config.renamed
        first, dot, rest = message.subject.partition(".")
        if not dot or first != published:
            return message
        return Message(f"{stored}.{rest}", message.payload, message.headers, message.reply)

    def _take_batched(self, message: Message, now: float, timestamp_ns: int) -> Storage | None:
        if not self.config.atomic:
            raise StreamError("atomic publish is disabled", 10174)
        messages = self._batches.collect(message, now)
        if messages is None:
            return None
        admitted: list[_Admitted] = []
        for message in messages:
            admitted.append(self._admit(message, now))
            self._check_batched(admitted)
        return self._store(admitted, now, timestamp_ns)

    def _check_batched(self, admitted: Sequence[_Admitted]) -> None:
        """Check the last of these against the stream as it was before the batch, and against those before it."""
        *earlier, (message, _, rollup, duplicate_of) = admitted
        identifier = message.headers.get(MESSAGE_ID)
        if duplicate_of or (
            identifier and any(identifier == other.message.headers.get(MESSAGE_ID) for other in earlier)
        ):
            raise StreamError("atomic publish batch contains duplicate message id", 10201)
        self._check_guards(message, [other.message.subject for other in earlier])
        replaced = {"sub": message.subject, "all": subjects.REST}.get(rollup)
        if replaced and any(subjects.matches(replaced, other.message.subject) for other in earlier):
            raise StreamError(f"batch rollup {rollup} invalid", 10111)

    def _admit(self, message: Message, now: float) -> _Admitted:
        headers = message.headers
        return _Admitted(message, self._time_to_live(headers), self._rollup(headers), self._duplicate_of(headers, now))

    def _store(self, admitted: Sequence[_Admitted], now: float, timestamp_ns: int) -> Storage:
        self._check_room([message for message, *_ in admitted])
        for message, ttl_s, rollup, _ in admitted:
            self._put(message, ttl_s, rollup, now, timestamp_ns)
        for wake in tuple(self.wakers):
            wake()
        return Storage(self.last_sequence, duplicate=False)

    def _put(self, message: Message, ttl_s: float, rollup: str, now: float, timestamp_ns: int) -> None:
        self.last_sequence += 1
        stored = StoredMessage(message.subject, message.payload, message.headers, self.last_sequence, timestamp_ns)
        self._messages[stored.sequence] = stored
        self._by_subject.setdefault(stored.subject, deque()).append(stored.sequence)
        self._bytes += _size(message)
        if ttl_s:
            heapq.heappush(self._expiries, (now + ttl_s, stored.sequence))
        if identifier := message.headers.get(MESSAGE_ID):
            self._ids[identifier] = now, stored.sequence
        self._roll_up(rollup, stored)
        self._limit_subject(stored.subject)
        self._limit_bytes()

    def _check_guards(self, message: Message, earlier: Sequence[str] = ()) -> None:
        """Check what a message expects of the stream; `earlier` are the subjects before it in its batch.

        Header names count as they are written: the server does not know a guard by a lower-case name.
        """
        headers = message.headers
        if headers.get("Nats-Expected-Stream", self.config.name) != self.config.name:
            raise StreamError("expected stream does not match", 10060)
        expected_last = headers.get("Nats-Expected-Last-Sequence")
        self._check_sequence(expected_last, self.last_sequence + len(earlier))
        guarded = headers.get(EXPECTED_SUBJECT, message.subject)
        expected = headers.get(EXPECTED_SEQUENCE)
        if EXPECTED_SUBJECT in headers and not expected:
            raise StreamError("missing sequence for expected last sequence per subject", 10193)
        written = expected and any(subjects.matches(guarded, subject) for subject in earlier)
        if written or (expected_last and earlier):
            raise StreamError("wrong last sequence", 10164)
        self._check_sequence(expected, self._last_of(guarded))

    def _check_sequence(self, expected: str | None, sequence: int) -> None:
        if expected and not (expected.isdecimal() and int(expected) == sequence):
            raise StreamError(f"wrong last sequence: {sequence}", 10071)

    def _time_to_live(self, headers: Headers) -> float:
        """How long a message may live in seconds, 0 for no bound."""
        wanted = headers.get("Nats-TTL")
        if wanted is None:
            return self.config.max_age_s
        if not self.config.message_ttl:
            raise StreamError("per-message TTL is disabled", 10166)
        if wanted == "never":
            return 0
        found = _TTL.fullmatch(wanted)
        if found is None or (ttl_s := int(found[1]) * _UNIT_S[found[2]]) < _MIN_TTL_S:
            raise StreamError("invalid per-message TTL", 10165)
        return max(ttl_s, self.config.marker_ttl_s)

    def _rollup(self, headers: Headers) -> str:
        rollup = headers.get(ROLLUP, "")
        if rollup and not self.config.rollup:
            raise StreamError("rollup not permitted", 10111)
        if rollup not in ("", "sub", "all"):
            raise StreamError(f'rollup value invalid: "{rollup}"', 10111)
        return rollup

    def _duplicate_of(self, headers: Headers, now: float) -> int:
        while self._ids:
            identifier, (stored_at, _) = next(iter(self._ids.items()))
            if now - stored_at < self.config.duplicate_window_s:
                break
            del self._ids[identifier]
        return self._ids.get(headers.get(MESSAGE_ID, ""), (0, 0))[1]

    def _check_room(self, messages: Sequence[Message]) -> None:
        size = sum(map(_size, messages))
        if self.config.discard_new and 0 <= self.config.max_bytes < self._bytes + size:
            raise StreamError("maximum bytes exceeded", 10077)

    def _roll_up(self, rollup: str, stored: StoredMessage) -> None:
        older = self._messages if rollup == "all" else self._by_subject[stored.subject] if rollup == "sub" else ()
        for sequence in tuple(older):
            if sequence != stored.sequence:
                self.remove(sequence)

    # Forgetting

    def remove(self, sequence: int) -> None:
        message = self._messages.pop(sequence, None)
        if message is None:
            return
        self._bytes -= _size(message)
        sequences = self._by_subject[message.subject]
        sequences.remove(sequence)
        if not sequences:
            del self._by_subject[message.subject]

    def purge(self, pattern: str, before: int) -> int:
        """Forget the messages below sequence `before` of the subjects that `pattern` matches; how many they were."""
        purged = [
            sequence
            for sequence, message in self._messages.items()
            if sequence < before and subjects.matches(pattern, message.subject)
        ]
        for sequence in purged:
            self.remove(sequence)
        return len(purged)

    def expire(self, now: float, timestamp_ns: int) -> None:
        """Forget what has lived long enough; the last message of a subject leaves a marker where that is asked for."""
        while self._expiries and self._expiries[0][0] <= now:
            _, sequence = heapq.heappop(self._expiries)
            message = self._messages.get(sequence)
            if message is None:
                continue
            is_last = self._last_of(message.subject) == sequence
            self.remove(sequence)
            if is_last and self.config.marker_ttl_s and "Nats-Marker-Reason" not in message.headers:
                self._store_marker(message.subject, now, timestamp_ns)

    def _store_marker(self, subject: str, now: float, timestamp_ns: int) -> None:
        headers = {"Nats-Marker-Reason": "MaxAge", "Nats-TTL": f"{self.config.marker_ttl_s:.0f}s", ROLLUP: "sub"}
        self.store(Message(subject, b"", headers), now, timestamp_ns)

    @property
    def next_expiry(self) -> float | None:
        """When `expire` has something to do."""
        return self._expiries[0][0] if self._expiries else None

    def _limit_subject(self, subject: str) -> None:
        while 0 < self.config.max_per_subject < len(self._by_subject.get(subject, ())):
            self.remove(self._by_subject[subject][0])

    def _limit_bytes(self) -> None:
        while 0 <= self.config.max_bytes < self._bytes:
            self.remove(next(iter(self._messages)))

    # Reading

    def get(self, sequence: int) -> StoredMessage | None:
        return self._messages.get(sequence)

    def last(self, pattern: str) -> StoredMessage | None:
        """The last message of the subjects that `pattern` matches."""
        return self._messages.get(self._last_of(pattern))

    def _last_of(self, pattern: str) -> int:
        if pattern in self._by_subject:
            return self._by_subject[pattern][-1]
        return max(self.last_of_each(pattern), default=0)

    def last_of_each(self, *patterns: str) -> Iterator[int]:
        """The sequence of the last message of each subject that a pattern matches."""
        return (found[-1] for subject, found in self._by_subject.items() if _match(patterns, subject))

    def after(self, sequence: int, *patterns: str) -> StoredMessage | None:
        """The first message behind `sequence` whose subject a pattern matches."""
        first = next(iter(self._messages), self.last_sequence + 1)
        for candidate in range(max(sequence + 1, first), self.last_sequence + 1):
            message = self._messages.get(candidate)
            if message is not None and _match(patterns, message.subject):
                return message
        return None


def _match(patterns: Sequence[str], subject: str) -> bool:
    return any(subjects.matches(pattern, subject) for pattern in patterns)


def _size(message: Message | StoredMessage) -> int:
    """The bytes that a message counts for."""
    headers = sum(len(name) + len(value) + 4 for name, value in message.headers.items())
    return len(message.subject) + len(message.payload) + headers + 16
