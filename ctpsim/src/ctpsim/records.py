"""CTP's records as bytes: text in GB18030, a missing price as DBL_MAX."""

from __future__ import annotations

import struct
import sys
from functools import cache
from typing import Any, Final, NamedTuple

from ctpsim.headers import Field, Layout

__all__ = ["MISSING", "Records", "Values"]

MISSING: Final = sys.float_info.max
Values = dict[str, Any]

_CODES: Final = {"d": "d", "i": "i", "h": "h"}


class _Form(NamedTuple):
    struct: struct.Struct
    names: tuple[str, ...]
    defaults: tuple[Any, ...]
    texts: dict[str, int]  # and how many bytes each has


class Records:
    """Packs and unpacks the records of a layout, by their names without prefix and suffix: "Order"."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._form = cache(self._formed)

    def size(self, record: str) -> int:
        return self._form(record).struct.size

    def names(self, record: str) -> tuple[str, ...]:
        return self._form(record).names

    def pack(self, record: str, /, **values: Any) -> bytes:
        """What is not given is empty or 0. Text that is too long is cut in front of the character that does not fit.

        Raises KeyError for a name that is no field of it.
        """
        form = self._form(record)
        fields = dict(zip(form.names, form.defaults, strict=True))
        if unknown := values.keys() - fields.keys():
            raise KeyError(f"{record} has no {', '.join(sorted(unknown))}")
        for name, value in values.items():
            fields[name] = _fitted(value, form.texts[name]) if name in form.texts else value
        return form.struct.pack(*fields.values())

    def struct_of(self, record: str) -> struct.Struct:
        """For who packs the values of all fields in their order, because it is often."""
        return self._form(record).struct

    def unpack(self, record: str, data: bytes) -> Values:
        """Raises ValueError where `data` is not as long as the record."""
        form = self._form(record)
        if len(data) != form.struct.size:
            raise ValueError(f"{len(data)} bytes are no {record}")
        values = zip(form.names, form.struct.unpack(data), strict=True)
        return {name: _read(value) if isinstance(value, bytes) else value for name, value in values}

    def offset(self, record: str, field: str) -> int:
        """Where a field begins, in bytes."""
        fields = self._layout.records[record]
        number = [each.name for each in fields].index(field)
        before = "@" + "".join(map(_code, fields[:number]))
        return struct.calcsize(f"{before}0{'c' if fields[number].code == 'c' else fields[number].code}")

    def _formed(self, record: str) -> _Form:
        fields = self._layout.records[record]
        widest = next((code for code in "dih" if any(field.code == code for field in fields)), "c")
        return _Form(
            struct=struct.Struct("@" + "".join(map(_code, fields)) + f"0{widest}"),
            names=tuple(field.name for field in fields),
            defaults=tuple(_DEFAULTS[field.code] for field in fields),
            texts={field.name: field.length for field in fields if field.code == "c"},
        )


_DEFAULTS: Final[dict[str, Any]] = {"c": b"", "d": 0.0, "i": 0, "h": 0}


def _code(field: Field) -> str:
    return _CODES.get(field.code) or f"{field.length}s"


def _read(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("gb18030", "replace")


def _fitted(value: str | bytes, length: int) -> bytes:
    """As much of a text as leaves room for its final zero; a single character needs none."""
    room = max(length - 1, 1)
    if isinstance(value, bytes):
        return value[:room]
    raw = value.encode("gb18030")
    while len(raw) > room:
        value = value[:-1]
        raw = value.encode("gb18030")
    return raw
