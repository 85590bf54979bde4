"""The C++ that differs from API to API: written from the layout, compiled into the libraries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ctpsim.headers import Call, Layout
from ctpsim.records import Records

__all__ = ["gate_glue", "glue"]

_CALLBACK_ARGUMENTS: Final = {
    "record": "record",
    "error": "error",
    "request": "call.frame.request",
    "last": "call.frame.last",
}
_PARAMETERS: Final = {
    "error": "CThostFtdcRspInfoField *error",
    "request": "int request",
    "last": "bool last",
    "symbols": "char *symbols[]",
    "count": "int count",
}
_TICK: Final = "OnRtnDepthMarketData"


def glue(layout: Layout, side: str, version: str) -> str:
    """`glue.inc` of a side, in three sections that `api.cpp` includes one by one."""
    sections = {
        "GLUE_SIZES": _sizes(layout, version),
        "GLUE_CALLBACKS": (_callback(call) for call in layout.callbacks[side]),
        "GLUE_REQUESTS": (_request(number, call) for number, call in enumerate(layout.requests[side])),
    }
    return _text(sections)


def gate_glue(layout: Layout, version: str) -> str:
    """`glue.inc` of the gate: what it passes on as it is. `version` is how that of CTP's library begins."""
    passed_on = (call for call in layout.callbacks["M"] if call.name != _TICK)
    return _text(
        {
            "GATE_VERSION": [f'constexpr char VERSION[] = "{version}";'],
            "GATE_CALLBACKS": (_passed_on(call, "void", "if (Spi *spi = spi_) spi->") for call in passed_on),
            "GATE_REQUESTS": (_passed_on(call, "int", "return real_->") for call in layout.requests["M"]),
        }
    )


def _text(sections: Mapping[str, Iterable[str]]) -> str:
    return "\n".join(line for name, lines in sections.items() for line in (f"#ifdef {name}", *lines, "#endif", ""))


def _passed_on(call: Call, result: str, to: str) -> str:
    parameters = {**_PARAMETERS, "record": f"CThostFtdc{call.record}Field *record"}
    declared = ", ".join(parameters[kind] for kind in call.arguments)
    return f"{result} {call.name}({declared}) override {{ {to}{call.name}({', '.join(call.arguments)}); }}"


def _sizes(layout: Layout, version: str) -> Iterator[str]:
    """The compiler confirms the size of every record, so that neither side packs what the other misreads."""
    yield f"constexpr uint64_t LAYOUT = {layout.digest}ull;"
    yield f'constexpr char VERSION[] = "{version}";'
    records = Records(layout)
    for name in layout.records:
        yield f"static_assert(sizeof(CThostFtdc{name}Field) == {records.size(name)});"


def _callback(call: Call) -> str:
    """Nothing is called back with a record that is not as long as it should be."""
    made = [
        f"auto *{kind} = call.{'data' if kind == 'record' else 'error'}<CThostFtdc{record}Field>();"
        for kind, record in (("record", call.record), ("error", "RspInfo"))
        if kind in call.arguments
    ]
    arguments = ", ".join(_CALLBACK_ARGUMENTS[kind] for kind in call.arguments)
    called = f"if (call.understood) spi->{call.name}({arguments});"
    return f"[](Spi *spi, Call &call) {{ {' '.join([*made, called])} }},"


def _request(number: int, call: Call) -> str:
    if "symbols" in call.arguments:
        return f"int {call.name}(char *names[], int count) override {{ return symbols({number}, names, count); }}"
    query = str(call.name.startswith("ReqQry")).lower()
    with_id = "request" in call.arguments
    return (
        f"int {call.name}(CThostFtdc{call.record}Field *record{', int id' if with_id else ''}) override "
        f"{{ return request({number}, record, {'id' if with_id else '0'}, {query}); }}"
    )
