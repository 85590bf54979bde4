"""How ticks travel: three codecs, named by the `Aegis-Codec` header. Without it a payload is JSON.

json is for everyone: an object with the field names of `Tick`. msgpack is the fast one: an array in their order.
pickle is for research in Python: a plain tuple in the same order. All three are checked field by field when decoded.
"""

from __future__ import annotations

import io
import pickle
import re
from math import isfinite
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import astuple, fields

from aegis.contracts.market import Tick
from aegis_sdk.errors import CodecError, ConfigurationError
from aegis_sdk.messages import CODEC, EPOCH, NO_HEADERS, Headers

__all__ = [
    "JSON",
    "MSGPACK",
    "PICKLE",
    "UNREADABLE",
    "Marker",
    "TickCodec",
    "as_object",
    "decode",
    "decode_marker",
    "sent_under",
    "tick_codec",
]


class TickCodec(Protocol):
    """One way to write ticks. All its messages have the same headers."""

    @property
    def name(self) -> str: ...

    @property
    def headers(self) -> Headers: ...

    def encode(self, tick: Tick) -> bytes:
        """The payload. Raises CodecError where a field is of another type, or a price is NaN or infinite."""
        ...

    def decode(self, payload: bytes) -> Tick:
        """The tick. Raises CodecError for all but what `encode` writes."""
        ...


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for hostile bytes: of wrong UTF-8, and of brackets in brackets, errors that are not its own."""
_UNWRITABLE: Final = (TypeError, ValueError, OverflowError, AttributeError, msgspec.MsgspecError)

_NamedTick: Any = msgspec.defstruct(
    "_NamedTick",
    [(f.name, f.type) if f.required else (f.name, f.type, f.default) for f in fields(Tick)],
    frozen=True,
    gc=False,
)
_dump_json: Final = msgspec.json.Encoder().encode
_load_json: Final = msgspec.json.Decoder(_NamedTick).decode


class _Json:
    name = "json"
    headers = NO_HEADERS

    def encode(self, tick: Tick) -> bytes:
        values = astuple(tick)
        try:
            payload = _dump_json(_NamedTick(*values))
        except _UNWRITABLE as error:
            raise _unwritable(tick, error) from error
        if payload.count(b"null") != values.count(None):  # msgspec makes null of NaN too
            _require_finite(tick)
        return payload

    def decode(self, payload: bytes) -> Tick:
        try:
            return Tick(*astuple(_load_json(payload)))
        except UNREADABLE as error:
            raise _malformed(self.name, error) from error


_MSGPACK_HEADERS: Final[Headers] = {CODEC: "msgpack"}
_dump_msgpack: Final = msgspec.msgpack.Encoder().encode
_load_msgpack: Final = msgspec.msgpack.Decoder(Tick).decode
_not_finite_in_msgpack: Final = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]").search


class _Msgpack:
    name = "msgpack"
    headers = _MSGPACK_HEADERS

    def encode(self, tick: Tick) -> bytes:
        try:
            payload = _dump_msgpack(tick)
        except _UNWRITABLE as error:
            raise _unwritable(tick, error) from error
        # Two cheap looks for the sign and exponent of a NaN or an infinity, before the thorough one.
        if (0x7F in payload or 0xFF in payload) and _not_finite_in_msgpack(payload):
            _require_finite(tick)
        return payload

    def decode(self, payload: bytes) -> Tick:
        try:
            return _load_msgpack(payload)
        except UNREADABLE as error:
            raise _malformed(self.name, error) from error


_EPOCH_DIGITS: Final = 20
_PICKLE_HEADERS: Final[Headers] = {CODEC: "pickle"}


class _NoNames(pickle.Unpickler):
    """Builds numbers, strings, tuples and other containers: no name of a class or function is ever looked up."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"{module_name}.{global_name} is not allowed")


class _Pickle:
    """Of a hostile sender it is still only as safe as memory is plentiful; so it is off unless allowed."""

    name = "pickle"
    headers = _PICKLE_HEADERS

    def encode(self, tick: Tick) -> bytes:
        _require_finite(tick)
        try:
            return pickle.dumps(msgspec.to_builtins(tick), protocol=5)
        except (*_UNWRITABLE, pickle.PicklingError) as error:
            raise _unwritable(tick, error) from error

    def decode(self, payload: bytes) -> Tick:
        try:
            return msgspec.convert(_NoNames(io.BytesIO(payload)).load(), Tick)
        except Exception as error:  # an unpickler raises whatever the bytes make it raise
            raise _malformed(self.name, error) from error


JSON: Final[TickCodec] = _Json()
MSGPACK: Final[TickCodec] = _Msgpack()
PICKLE: Final[TickCodec] = _Pickle()
_CODECS: Final[dict[str, TickCodec]] = {codec.name: codec for codec in (JSON, MSGPACK, PICKLE)}
_NAMES: Final = Tick.__struct_fields__


def tick_codec(name: str) -> TickCodec:
    """The codec of that name, as a setting gives it. Raises ConfigurationError."""
    if name not in _CODECS:
        raise ConfigurationError("codec", f"{name!r} is none of {', '.join(_CODECS)}")
    return _CODECS[name]


def as_object(tick: Tick) -> dict[str, Any]:
    """The tick as its JSON says it: plain data, by field name."""
    return msgspec.json.decode(tick_codec("json").encode(tick))


def decode(headers: Headers, payload: bytes, allow_pickle: bool = False) -> Tick:
    """The tick of a message, by its header. Raises CodecError for a malformed one, and for pickle unless allowed."""
    name = headers.get(CODEC, "json")
    if name == "pickle" and not allow_pickle:
        raise CodecError("a tick in pickle is refused: it was not allowed")
    codec = _CODECS.get(name)
    if codec is None:
        raise CodecError(f"a tick in {name!r}, which is no codec for ticks")
    return codec.decode(payload)


def sent_under(headers: Headers, tick: Tick) -> int:
    """The epoch that counts for whether a message is void: its tick's, or the later one of who stored it for another.

    While the stream is away, ticks go to live subscribers only. If whoever published them dies, the next one stores
    them as they were, behind the border of its own epoch: `Aegis-Epoch` says which one that is.
    """
    said = headers.get(EPOCH)
    if said is None or not (len(said) < _EPOCH_DIGITS and said.isascii() and said.isdigit()):
        return tick.epoch
    return max(tick.epoch, int(said))


class Marker(msgspec.Struct, frozen=True, gc=False):
    """Of the message that ends a batch of ticks in the stream, what tells which epochs are over."""

    feed: str
    epoch: int


_load_marker: Final = msgspec.json.Decoder(Marker).decode


def decode_marker(payload: bytes) -> Marker:
    """The marker of a payload; what else it says is skipped. Raises CodecError for a malformed one."""
    try:
        return _load_marker(payload)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not a marker: {error}") from error


def _require_finite(tick: Tick) -> None:
    for name, value in zip(_NAMES, astuple(tick), strict=True):
        if isinstance(value, float) and not isfinite(value):
            raise _unwritable(tick, f"{name} is {value}")
    for side, levels in (("bids", tick.bids), ("asks", tick.asks)):
        for level in levels:
            if not isfinite(level.price):
                raise _unwritable(tick, f"a price of {side} is {level.price}")


def _unwritable(tick: Tick, problem: Any) -> CodecError:
    return CodecError(f"the tick {tick.sequence} of {tick.exchange}.{tick.symbol} cannot be written: {problem}")


def _malformed(name: str, error: Exception) -> CodecError:
    return CodecError(f"not a tick in {name}: {error}")
