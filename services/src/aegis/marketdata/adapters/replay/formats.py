"""What the columns of a recording mean: CTP's own names, or those of a vnpy export. docs/replay.md has the map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from operator import itemgetter
from typing import Final

from aegis.exchanges.sessions import trading_day_of
from aegis.marketdata.adapters.ctp_fields import DEPTH_FIELDS, RecordError

__all__ = ["Layout", "MissingColumn", "layout_of"]

Row = list[str]
Record = tuple[str, ...]

_SHANGHAI: Final = timezone(timedelta(hours=8))
_DAY_S: Final = 86_400
_UTC_OFFSET_S: Final = 8 * 3600
_CLOCKS_DIFFER_S: Final = 3600
_TEXTS: Final = 6  # the fields before LastPrice

_CTP_REQUIRED: Final = ("TradingDay", "InstrumentID", "UpdateTime", "LastPrice")
_VNPY_REQUIRED: Final = ("symbol", "exchange", "datetime", "last_price")
_VNPY: Final = {
    "LastPrice": "last_price",
    "OpenPrice": "open_price",
    "HighestPrice": "high_price",
    "LowestPrice": "low_price",
    "PreClosePrice": "pre_close",
    "UpperLimitPrice": "limit_up",
    "LowerLimitPrice": "limit_down",
    "Volume": "volume",
    "Turnover": "turnover",
    "OpenInterest": "open_interest",
    **{
        f"{side}{what}{level}": f"{side.lower()}_{what.lower()}_{level}"
        for side in ("Bid", "Ask")
        for what in ("Price", "Volume")
        for level in range(1, 6)
    },
}


class MissingColumn(ValueError):
    """The header lacks a column; `str()` says which, and what was taken for the format."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to read the rows below one header."""

    columns: int
    symbol: int  # the columns that name the instrument
    exchange: int | None
    record: Callable[[Row], Record]  # in the order of DEPTH_FIELDS; may raise RecordError
    received_ns: Callable[[Row, int], int]  # when the recorder had it, by the exchange's time; that, if not recorded


def layout_of(header: Sequence[str]) -> Layout:
    """The layout that a header announces. Raises MissingColumn."""
    places = {name.strip(): place for place, name in enumerate(header)}
    if "symbol" in places and "InstrumentID" not in places:
        _require(places, _VNPY_REQUIRED, "a vnpy export")
        return _vnpy(places, len(header))
    _require(places, _CTP_REQUIRED, "CTP's names")
    return _ctp(places, len(header))


def _require(places: dict[str, int], names: Sequence[str], kind: str) -> None:
    missing = [name for name in names if name not in places]
    if missing:
        raise MissingColumn(f"the header, taken for {kind}, has no column {', '.join(missing)}")


def _ctp(places: dict[str, int], columns: int) -> Layout:
    pick = itemgetter(*(places.get(name, columns) for name in DEPTH_FIELDS))
    received = places.get("RecvTime")

    def record(row: Row) -> Record:
        return pick([*row, ""])

    def received_ns(row: Row, ts_exchange_ns: int) -> int:
        clock = row[received] if received is not None else ""
        return _on_clock(clock, ts_exchange_ns) if clock else ts_exchange_ns

    return Layout(
        columns=columns,
        symbol=places["InstrumentID"],
        exchange=places.get("ExchangeID"),
        record=record,
        received_ns=received_ns,
    )


def _on_clock(clock: str, ts_exchange_ns: int) -> int:
    """The time when a Shanghai clock showed HH:MM:SS: up to a day after the exchange's stamp, or an hour before it."""
    try:
        second = int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8])
    except ValueError:
        raise RecordError(f"RecvTime is {clock!r:.40}") from None
    stamped = ts_exchange_ns // 1_000_000_000
    earliest = stamped - _CLOCKS_DIFFER_S
    later = (second - _UTC_OFFSET_S - earliest) % _DAY_S
    return max((earliest + later) * 1_000_000_000, 0)


def _vnpy(places: dict[str, int], columns: int) -> Layout:
    pick = itemgetter(*(places.get(_VNPY.get(name, ""), columns) for name in DEPTH_FIELDS[_TEXTS:]))
    symbol, exchange, stamped = places["symbol"], places["exchange"], places["datetime"]
    received = places.get("localtime")

    def record(row: Row) -> Record:
        moment = _moment("datetime", row[stamped])
        action_day = f"{moment:%Y%m%d}"
        second = moment.hour * 3600 + moment.minute * 60 + moment.second
        texts = (
            trading_day_of(action_day, second),
            row[symbol],
            row[exchange].removeprefix("Exchange."),
            f"{moment:%H:%M:%S}",
            str(moment.microsecond // 1000),
            action_day,
        )
        return (*texts, *pick([*row, ""]))

    def received_ns(row: Row, ts_exchange_ns: int) -> int:
        text = row[received] if received is not None else ""
        return _moment_ns(_moment("localtime", text)) if text else ts_exchange_ns

    return Layout(columns=columns, symbol=symbol, exchange=exchange, record=record, received_ns=received_ns)


def _moment(name: str, text: str) -> datetime:
    """A time of vnpy's in Shanghai, where it is also taken to be if it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RecordError(f"{name} is {text!r:.40}") from None
    return moment.astimezone(_SHANGHAI) if moment.tzinfo else moment.replace(tzinfo=_SHANGHAI)


def _moment_ns(moment: datetime) -> int:
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1000
