"""The C++ that differs from API to API: written from the layout, compiled into the libraries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ctpsim.headers import Call, Layout
from ctpsim.records import Records

__all__ = ["glue"]

_CALLBACK_ARGUMENTS: Final = {
    "error": "call.error<CThostFtdcRspInfoField>()",
    "request": "call.frame.request",
    "last": "call.frame.last",
}


def glue(layout: Layout, side: str, version: str) -> str:
    """`glue.inc` of a side, in three sections that `api.cpp` includes one by one."""
    sections = {
        "GLUE_SIZES": _sizes(layout, version),
        "GLUE_CALLBACKS": (_callback(call) for call in layout.callbacks[side]),
        "GLUE_REQUESTS": (_request(number, call) for number, call in enumerate(layout.requests[side])),
    }
    return "\n".join(line for name, lines in sections.items() for line in (f"#ifdef {name}", *lines, "#endif", ""))


def _sizes(layout: Layout, version: str) -> Iterator[str]:
    """The compiler confirms the size of every record, so that neither side packs what the other misreads."""
    yield f"constexpr uint64_t LAYOUT = {layout.digest}ull;"
    yield f'constexpr char VERSION[] = "{version}";'
    records = Records(layout)
    for name in layout.records:
        yield f"static_assert(sizeof(CThostFtdc{name}Field) == {records.size(name)});"


def _callback(call: Call) -> str:
    arguments = [
        f"call.data<CThostFtdc{call.record}Field>()" if kind == "record" else _CALLBACK_ARGUMENTS[kind]
        for kind in call.arguments
    ]
    return f"[](Spi *spi, Call &call) {{ spi->{call.name}({', '.join(arguments)}); }},"


def _request(number: int, call: Call) -> str:
    if "symbols" in call.arguments:
        return f"int {call.name}(char *names[], int count) override {{ return symbols({number}, names, count); }}"
    query = str(call.name.startswith("ReqQry")).lower()
    with_id = "request" in call.arguments
    return (
        f"int {call.name}(CThostFtdc{call.record}Field *record{', int id' if with_id else ''}) override "
        f"{{ return request({number}, record, {'id' if with_id else '0'}, {query}); }}"
    )
