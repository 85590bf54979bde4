"""An independent reading of the recorded ticks: the csv module and a few rules of its own, none of Aegis's code.

`expected(path)` gives what a replay of a file must offer, row by row. The files are looked for in the directory that
AEGIS_RECORDED_TICKS names, by default in the first `data/ticks` of a directory beside the checkout.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

SHANGHAI = timezone(timedelta(hours=8))
ROOT = Path(__file__).parents[2]
ABSENT = "no recorded ticks: AEGIS_RECORDED_TICKS names no directory that has them"
EXCHANGE_WHERE_BLANK = {"ru1901": "SHFE", "AP010": "CZCE", "AP101": "CZCE"}
CZCE_MULTIPLIER = {
    **dict.fromkeys(["AP", "MA", "OI", "RM", "RS", "SR"], 10),
    **dict.fromkeys(["CF", "CJ", "CY", "PF", "PK", "SF", "SM", "TA"], 5),
    **dict.fromkeys(["FG", "JR", "LR", "RI", "SA", "UR", "WH"], 20),
    "PM": 50,
    "ZC": 100,
}


@dataclass(frozen=True)
class Row:
    """What one row of a file says, in the units of a quote."""

    line: int
    instrument: tuple[str, str]
    trading_day: str
    time: str  # 2022-02-18T11:20:03.500 in Shanghai
    last_price: float | None
    limits: tuple[float | None, float | None]
    bids: list[tuple[float, int]]
    asks: list[tuple[float, int]]
    volume: int
    turnover: float
    open_interest: float


def directory() -> Path | None:
    """Where the recorded files are."""
    named = os.environ.get("AEGIS_RECORDED_TICKS")
    return Path(named) if named else min(ROOT.parent.glob("*/data/ticks"), default=None)


def files() -> list[Path]:
    """All recorded files, by name; none where the directory is absent."""
    found = directory()
    return sorted(found.glob("*.csv.gz")) if found else []


def file(name: str) -> Path:
    """One of the directory's files, or beside it; skips the test where it is absent."""
    found = directory()
    if found is None or not (found / name).exists():
        pytest.skip(f"{ABSENT}: {name}")
    return found / name


def expected(path: Path) -> Iterator[Row]:
    """The rows of a file, without those that hold a book and nothing of the day."""
    with gzip.open(path, "rt", newline="") as text:
        for line, fields in enumerate(csv.DictReader(text), start=2):
            if _has_state(fields):
                yield _row(line, fields)


def stateless(path: Path) -> int:
    """How many rows of a file hold a book and nothing of the day."""
    with gzip.open(path, "rt", newline="") as text:
        return sum(not _has_state(fields) for fields in csv.DictReader(text))


def as_row(line: int, quote: Any) -> Row:
    """A quote or a tick as the row that it should come from."""
    second, rest = divmod(quote.ts_exchange_ns, 1_000_000_000)
    return Row(
        line=line,
        instrument=(quote.exchange, quote.symbol),
        trading_day=quote.trading_day,
        time=f"{datetime.fromtimestamp(second, SHANGHAI):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03}",
        last_price=quote.last_price,
        limits=(quote.upper_limit_price, quote.lower_limit_price),
        bids=[(level.price, level.size) for level in quote.bids],
        asks=[(level.price, level.size) for level in quote.asks],
        volume=quote.volume,
        turnover=quote.turnover,
        open_interest=quote.open_interest,
    )


def _has_state(fields: dict[str, str]) -> bool:
    state = ("LastPrice", "Volume", "OpenInterest", "LowerLimitPrice")
    return any(float(fields.get(name) or 0) for name in state)


def _row(line: int, fields: dict[str, str]) -> Row:
    symbol = fields["InstrumentID"]
    exchange = fields["ExchangeID"] or EXCHANGE_WHERE_BLANK[symbol]
    multiplier = CZCE_MULTIPLIER[symbol.rstrip("0123456789")] if exchange == "CZCE" else 1
    day = fields.get("ActionDay") or fields["TradingDay"]  # the files without ActionDay have no night session
    return Row(
        line=line,
        instrument=(exchange, symbol),
        trading_day=fields["TradingDay"],
        time=f"{day[:4]}-{day[4:6]}-{day[6:]}T{fields['UpdateTime']}.{int(fields['UpdateMillisec']):03}",
        last_price=_price(fields["LastPrice"]),
        limits=(_price(fields.get("UpperLimitPrice", "")), _price(fields.get("LowerLimitPrice", ""))),
        bids=_side(fields, "Bid"),
        asks=_side(fields, "Ask"),
        volume=int(fields["Volume"]),
        turnover=float(fields["Turnover"]) * multiplier,
        open_interest=float(fields["OpenInterest"]),
    )


def _price(text: str) -> float | None:
    return None if text in {"", "0", "0.00"} or "e+308" in text else float(text)


def _side(fields: dict[str, str], side: str) -> list[tuple[float, int]]:
    levels = [
        (_price(fields.get(f"{side}Price{n}", "")), int(fields.get(f"{side}Volume{n}") or 0)) for n in range(1, 6)
    ]
    return [(price, lots) for price, lots in levels if price is not None]
