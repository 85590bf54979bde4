"""Packs what the front says: a callback's record, its error record, and where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctpsim.frames import Request, Side, call
from ctpsim.front.errors import message
from ctpsim.headers import Layout
from ctpsim.records import Records, Values

__all__ = ["Answers"]


class Answers:
    """Of one side."""

    def __init__(self, layout: Layout, side: Side) -> None:
        self.records = Records(layout)
        self._requests = layout.requests[side]
        self._callbacks = {
            callback.name: (number, callback.record) for number, callback in enumerate(layout.callbacks[side])
        }

    def name(self, request: Request) -> str:
        """Which request it is, empty where there is no such."""
        return self._requests[request.what].name if request.what < len(self._requests) else ""

    def read(self, request: Request) -> Values:
        """Its record, blank where it came without one. Raises ValueError where its length is another's."""
        record = self._requests[request.what].record
        return self.records.unpack(record, request.data or bytes(self.records.size(record)))

    def frame(
        self,
        callback: str,
        values: Mapping[str, Any] | bytes | None = None,
        *,
        code: int | None = None,
        text: str = "",
        request_id: int = 0,
        last: bool = True,
        private_number: int | None = None,
        login: bool = False,
    ) -> bytes:
        """`code` None leaves the error record out, as queries do."""
        number, record = self._callbacks[callback]
        data = values if isinstance(values, bytes) else b"" if values is None else self.records.pack(record, **values)
        error = b"" if code is None else self.error(code, text)
        return call(number, data, error, request_id=request_id, last=last, private_number=private_number, login=login)

    def error(self, code: int, text: str = "") -> bytes:
        return self.records.pack("RspInfo", ErrorID=code, ErrorMsg=text or message(code))
