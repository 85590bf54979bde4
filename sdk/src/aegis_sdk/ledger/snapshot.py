"""What a key's journal comes to, as it is kept: in a snapshot, MessagePack, cut into the parts of journal entries.

Changes and outcomes are many and stay for long. They hold no containers, so the garbage collector need not know them
(`gc=False`): with a hundred thousand of them, one of its full rounds would stop the event loop for 40 ms.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from aegis_sdk.errors import CodecError
from aegis_sdk.ledger.records import Part, Verdict

__all__ = ["Assembly", "Committed", "OpenIntent", "Outcome", "Snapshot", "cut"]


class Committed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A change of a key's state. `data` is the service's JSON; `null` where it gave none."""

    sequence: int
    epoch: int
    kind: Literal["intent", "result"]
    idempotency_key: str
    data: bytes


class Outcome(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What became of a call. `reply` is JSON: the caller's answer, or the error's body."""

    verdict: Verdict
    reply: bytes
    epoch: int
    sequence: int


class OpenIntent(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Something outside that was begun, as far as the journal knows, and whose result it does not have."""

    idempotency_key: str
    method: str
    data: bytes
    epoch: int
    sequence: int


class Snapshot(NamedTuple):
    """All that a journal comes to. `state` is the service's, as it was before `changes`; None: none yet."""

    state: bytes | None
    changes: list[Committed]
    outcomes: dict[str, Outcome]
    intents: dict[str, OpenIntent]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Snapshot)


def cut(snapshot: Snapshot, limit_bytes: int) -> list[Part]:
    """The parts of a snapshot, one at least, each of at most `limit_bytes`."""
    whole = _encoder.encode(snapshot)
    pieces = [whole[start : start + limit_bytes] for start in range(0, len(whole), limit_bytes)]
    return [Part(number, len(pieces), piece) for number, piece in enumerate(pieces)]


class Assembly:
    """A snapshot on its way, part by part. A part that does not follow the one before ends it."""

    def __init__(self) -> None:
        self.sequence = 0  # of its first part
        self._pieces: list[bytes] = []
        self._parts = 0

    @property
    def is_begun(self) -> bool:
        return bool(self._pieces)

    def add(self, part: Part, sequence: int) -> Snapshot | None:
        """The snapshot, where this was its last part. Raises CodecError where it makes no sense then."""
        if part.part == 0:
            self.drop()
            self.sequence, self._parts = sequence, part.parts
        if (part.part, part.parts) != (len(self._pieces), self._parts):
            self.drop()
            return None
        self._pieces.append(part.data)
        if len(self._pieces) < self._parts:
            return None
        try:
            return _decoder.decode(b"".join(self._pieces))
        except msgspec.MsgspecError as error:
            raise CodecError(f"the snapshot at sequence {self.sequence} cannot be read: {error}") from error

    def drop(self) -> None:
        """Forget the parts that were added."""
        self._pieces = []
        self._parts = 0
