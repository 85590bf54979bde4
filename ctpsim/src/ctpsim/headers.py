"""What CTP's headers say: records and their fields, requests and callbacks, in the order of the headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from aegis_sdk.errors import AegisError

__all__ = ["DATA_TYPES", "HEADERS", "MARKET", "RECORDS", "TRADER", "VERSION", "Call", "Field", "Layout", "parse"]

DATA_TYPES: Final = "ThostFtdcUserApiDataType.h"
RECORDS: Final = "ThostFtdcUserApiStruct.h"
MARKET: Final = "ThostFtdcMdApi.h"
TRADER: Final = "ThostFtdcTraderApi.h"

HEADERS: Final[Mapping[str, str]] = {
    DATA_TYPES: "0e83c85a4e1a6660f707f82666d565cb026c1c0971c31f0c78676b8b28bcb4e4",
    RECORDS: "9efebd2f0d52f38582fbcfdb17be811c4e1c79c49cf55668d6d5208bb7a4cc52",
    MARKET: "d86f42f19f79bf6566e03c005a0467907932eecb9d790e7b6dc56ce5c85be6f6",
    TRADER: "82d59955ff6ae9e9d590e3a2b30ca44c5b66beeb93ee8cc3783835a5df6535a4",
}
"""The headers of CTP 6.7.11, and the SHA-256 of each."""
VERSION: Final = "v6.7.11"
"""With which a library of these headers begins to say its version."""

_CODES: Final = {"double": "d", "int": "i", "short": "h", "char": "c"}
_TYPE = re.compile(r"^\s*typedef\s+(\w+)\s+(\w+)(?:\[(\d+)\])?\s*;", re.M)
_RECORD = re.compile(r"struct\s+CThostFtdc(\w+)Field\s*\{(.*?)\};", re.S)
_FIELD = re.compile(r"(TThostFtdc\w+)\s+(\w+)\s*;")
_CALLBACK = re.compile(r"virtual\s+void\s+(On\w+)\s*\(([^)]*)\)")
_REQUEST = re.compile(r"virtual\s+int\s+((?:Req|Register|Submit|Subscribe|UnSubscribe)\w+)\s*\(([^)]*)\)\s*=\s*0")
_RECORD_ARGUMENT = re.compile(r"CThostFtdc(\w+)Field\s*\*")
_COMMENT = re.compile(r"//[^\n]*")
_CONNECTION: Final = frozenset({"OnFrontConnected", "OnFrontDisconnected", "OnHeartBeatWarning"})


class Field(msgspec.Struct, frozen=True, array_like=True):
    """`code`: d, i, h, or c for text of `length` bytes."""

    name: str
    code: str
    length: int


class Call(msgspec.Struct, frozen=True, array_like=True):
    """A request or a callback. `record` is the name of its record, empty where it has none."""

    name: str
    record: str
    arguments: tuple[str, ...]  # in their order: record, error, request, last, symbols, count


@dataclass(frozen=True, kw_only=True)
class Layout:
    """All of it. A call's number on the wire is its place in its tuple."""

    records: Mapping[str, tuple[Field, ...]]
    requests: Mapping[str, tuple[Call, ...]]  # by side: M, T
    callbacks: Mapping[str, tuple[Call, ...]]

    @property
    def digest(self) -> int:
        """The same for both ends of a connection, or they do not understand each other. 64 bits."""
        return int.from_bytes(sha256(self.to_json()).digest()[:8], "little")

    def to_json(self) -> bytes:
        return msgspec.json.encode(self, order="deterministic")

    @classmethod
    def from_json(cls, text: bytes) -> Layout:
        return msgspec.json.decode(text, type=cls)


def parse(headers: Mapping[str, str]) -> Layout:
    """The layout in the texts of HEADERS. Raises AegisError where they say what is not understood."""
    codes = {name: (_CODES[base], int(length or 1)) for base, name, length in _TYPE.findall(headers[DATA_TYPES])}
    texts = {side: _COMMENT.sub("", headers[name]) for side, name in (("M", MARKET), ("T", TRADER))}
    return Layout(
        records={
            name: tuple(Field(field, *codes[type_]) for type_, field in _FIELD.findall(_COMMENT.sub("", body)))
            for name, body in _RECORD.findall(headers[RECORDS])
        },
        requests={side: tuple(_call(*found) for found in _REQUEST.findall(text)) for side, text in texts.items()},
        callbacks={
            side: tuple(_call(*found) for found in _CALLBACK.findall(text) if found[0] not in _CONNECTION)
            for side, text in texts.items()
        },
    )


def _call(name: str, arguments: str) -> Call:
    kinds: list[str] = []
    record = ""
    for argument in filter(None, map(str.strip, arguments.split(","))):
        found = _RECORD_ARGUMENT.match(argument)
        if found and found[1] == "RspInfo":
            kinds.append("error")
        elif found:
            record = found[1]
            kinds.append("record")
        else:
            kinds.append(_plain(name, argument))
    return Call(name, record, tuple(kinds))


def _plain(name: str, argument: str) -> str:
    if argument.startswith("bool"):
        return "last"
    if argument.startswith("char"):
        return "symbols"
    if argument.startswith("int"):
        return "count" if "Count" in argument else "request"
    raise AegisError(f"{name} in CTP's headers has an argument that is not understood: {argument}")
