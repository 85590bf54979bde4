"""CTP's depth record, and how it becomes a Quote: what each exchange and recorder does differently is set right here.

A record is a tuple in the order of DEPTH_FIELDS; its values are text, as in a file, or numbers, as from the API.

Prices. Missing is DBL_MAX (also where printed with six digits), blank, or 0: CZCE writes 0 for most of what it does
not know, and recorders write it for every exchange, so the exchange does not decide. A 0 is a price only where a price
can be 0, in a combination (`SP m2505&m2509`): in a book with lots behind it, in last, open, high and low once the day
has volume, in a limit while the other limit is given. Closes and settlements of 0 are missing there too. A negative
price is passed on as it came.

Books. A side ends at its first level without a price; a level of no lots is kept if it has a price.

Days. See `resolve_days`. Times are those of the exchange, in UTC+8 all year.

Turnover is in yuan: CZCE's, which comes without the multiplier, is multiplied by it. It is passed on even where it
goes back, which CZCE's does now and then. Volume and open interest that are missing are 0. AveragePrice is not used,
since its meaning differs between exchanges.

State. A change of a book can overtake the first full record after a subscription: it comes with a volume, an open
interest, prices and limits of 0 (of combinations that is normal). Its volume would be a false 0, so it is refused.

Flags. The first record of an instrument is the state at the time of subscription, a `snapshot`, whatever its time; so
is the first one after it was forgotten, since it is subscribed again.
`auction` and `out_of_session` follow from the hours of the product and from the calendar: what comes on a weekend, on
a holiday or in a cancelled night is out of session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

from aegis.contracts.market import Exchange, Flag, Level, Price, Quote
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.products import product_of
from aegis.exchanges.sessions import (
    Hours,
    flags_at,
    has_session,
    previous_trading_day,
    to_utc_ns,
    trading_day_of,
)

__all__ = [
    "DEPTH_FIELDS",
    "DepthConverter",
    "Facts",
    "FactsOf",
    "RecordError",
    "depth_record",
    "facts_of_product",
    "resolve_days",
]

DEPTH_FIELDS: Final = (
    *("TradingDay", "InstrumentID", "ExchangeID", "UpdateTime", "UpdateMillisec", "ActionDay"),
    *("LastPrice", "OpenPrice", "HighestPrice", "LowestPrice"),
    *("PreClosePrice", "PreSettlementPrice", "SettlementPrice", "UpperLimitPrice", "LowerLimitPrice"),
    *("Volume", "Turnover", "OpenInterest", "PreOpenInterest"),
    *(f"{side}{what}{level}" for level in range(1, 6) for side in ("Bid", "Ask") for what in ("Price", "Volume")),
)

depth_record: Final = itemgetter(*DEPTH_FIELDS)
"""The record in a mapping by CTP's names, such as the API's; KeyError where a field is absent."""

Value = Any  # str or float: a union would cost a check per field
_MISSING: Final = 1e300  # beyond it is DBL_MAX
_MOST_LOTS: Final = 1e15
_CACHED_STAMPS: Final = 4096
_OUT_OF_SESSION: Final[tuple[Flag, ...]] = ("out_of_session",)
_EVENING: Final = 18 * 3600  # the seconds of the day between which a record is of a night session
_MORNING: Final = 6 * 3600


class RecordError(ValueError):
    """A record that cannot become a quote; the next one is not affected. `reason` is a word to count by."""

    def __init__(self, problem: str, reason: str = "malformed_row") -> None:
        super().__init__(problem)
        self.reason = reason


class Facts(NamedTuple):
    """What must be known of an instrument before its records can be read."""

    exchange: str
    multiplier: float | None  # only needed of CZCE's
    hours: Hours | None  # None: its ticks have no flags of the session


FactsOf = Callable[[str, str], Facts | None]
"""The facts by exchange (blank where the record leaves it out) and symbol; None where no exchange can be told."""


def facts_of_product(exchange: str, symbol: str) -> Facts | None:
    """The facts from the table of products."""
    product = product_of(exchange, symbol)
    if product is not None:
        return Facts(product.exchange.value, product.multiplier, product.hours)
    return Facts(exchange, None, None) if exchange else None


class _Stamp(NamedTuple):
    trading_day: str
    action_day: str
    second: int
    ts_ns: int
    held: bool  # whether that day, or that night, has a session


class _Seen:
    """An instrument of which a record came."""

    __slots__ = ("_prices", "_raw", "combination", "exchange", "fresh", "hours", "scale")

    def __init__(self, exchange: str, hours: Hours | None, scale: float, combination: bool) -> None:
        self.exchange = exchange
        self.hours = hours
        self.scale = scale  # from its turnover to yuan
        self.combination = combination
        self.fresh = True
        self._raw: Sequence[Value] = ()
        self._prices: tuple[Price, ...] = ()

    def prices(self, raw: Sequence[Value], traded: int) -> tuple[Price, ...]:
        """The eight prices that rarely change: read again only when they did."""
        if self.combination:
            return _combination_prices(raw, traded)
        if raw != self._raw:
            self._prices = tuple(map(_price, raw))
            self._raw = raw
        return self._prices


class DepthConverter:
    """Turns the records of one session, or of one recording, into quotes. It remembers what it has seen, no more.

    `forget` an instrument before it is subscribed again.
    """

    def __init__(self, facts_of: FactsOf = facts_of_product, calendar: Calendar = CALENDAR) -> None:
        self._facts_of = facts_of
        self._calendar = calendar
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._stamps: dict[tuple[str, str, str, str], _Stamp] = {}

    def quote(self, record: Sequence[Value], ts_received_ns: int = 0) -> Quote:
        """The quote of a record; received when the exchange stamped it, where no time is given.

        Raises RecordError, naming the field.
        """
        try:
            return self._quote(record, ts_received_ns)
        except RecordError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise RecordError(_fault(record, error)) from error

    def forget(self, exchange: str, symbol: str) -> None:
        for named in (exchange, ""):
            self._seen.pop((named, symbol), None)

    def _quote(self, record: Sequence[Value], ts_received_ns: int) -> Quote:
        # fmt: off
        (
            trading_day, symbol, exchange, update_time, millisecond, action_day, last,
            _, _, _, _, _, _, _, _, volume, turnover, interest, pre_interest,
            bid1, bids1, ask1, asks1, bid2, bids2, ask2, asks2, bid3, bids3, ask3, asks3,
            bid4, bids4, ask4, asks4, bid5, bids5, ask5, asks5,
        ) = record
        # fmt: on
        seen = self._seen.get((exchange, symbol)) or self._meet(exchange, symbol)
        key = (seen.exchange, trading_day, action_day, update_time)
        trading_day, action_day, second, ts_ns, held = self._stamps.get(key) or self._stamp(key)
        ts_ns += _milliseconds(millisecond) * 1_000_000
        volume = _lots(volume)
        interest = _amount(interest)
        last = _number(last) if seen.combination and volume else _price(last)
        opened, highest, lowest, pre_close, pre_settlement, settlement, upper, lower = seen.prices(record[7:15], volume)
        flags = () if seen.hours is None else flags_at(seen.hours.on(trading_day), second) if held else _OUT_OF_SESSION
        if not (volume or interest or seen.combination) and last is None and lower is None:
            raise RecordError(f"the book of {symbol!r:.40} came before its day's state", "no_state")
        if seen.fresh:
            flags = ("snapshot", *flags)
            seen.fresh = False
        return Quote(
            seen.exchange,
            symbol,
            trading_day,
            action_day,
            ts_ns,
            ts_received_ns or ts_ns,
            last,
            opened,
            highest,
            lowest,
            pre_close,
            pre_settlement,
            settlement,
            upper,
            lower,
            volume,
            _amount(turnover) * seen.scale,
            interest,
            _number(pre_interest),
            _side(bid1, bids1, bid2, bids2, bid3, bids3, bid4, bids4, bid5, bids5, seen.combination),
            _side(ask1, asks1, ask2, asks2, ask3, asks3, ask4, asks4, ask5, asks5, seen.combination),
            flags,
        )

    def _meet(self, exchange: str, symbol: str) -> _Seen:
        if not symbol:
            raise RecordError("InstrumentID is empty")
        if exchange and exchange not in Exchange.__members__:
            raise RecordError(f"ExchangeID is {exchange!r:.40}")
        facts = self._facts_of(exchange, symbol)
        if facts is None:
            raise RecordError(f"the exchange of {symbol!r:.40} is not known", "unknown_instrument")
        scale = facts.multiplier if facts.exchange == Exchange.CZCE else 1.0
        if scale is None:
            raise RecordError(f"the multiplier of {symbol!r:.40} is not known", "unknown_instrument")
        seen = _Seen(facts.exchange, facts.hours, scale, " " in symbol)
        self._seen[exchange, symbol] = seen
        return seen

    def _stamp(self, key: tuple[str, str, str, str]) -> _Stamp:
        exchange, trading_day, action_day, update_time = key
        second = _second(update_time)
        trading_day = _day("TradingDay", trading_day)
        action_day = action_day and _day("ActionDay", action_day)
        trading_day, action_day = resolve_days(exchange, trading_day, action_day, second, self._calendar)
        held = has_session(action_day, second, self._calendar)
        stamp = _Stamp(trading_day, action_day, second, to_utc_ns(action_day, second), held)
        if len(self._stamps) >= _CACHED_STAMPS:
            self._stamps.clear()
        self._stamps[key] = stamp
        return stamp


def resolve_days(
    exchange: str, trading_day: str, action_day: str, second: int, calendar: Calendar = CALENDAR
) -> tuple[str, str]:
    """The true trading day and natural day of a record stamped `second` of its day; `action_day` may be blank.

    By day a blank ActionDay is the trading day. At night, where they are the same or ActionDay is blank, CZCE gives the
    natural day as both, and the others (DCE by habit) the trading day as both; the missing one follows from the
    calendar. Where they differ they are true, also in the rows stamped 19:2x of the evening before; but an ActionDay
    after the night that opens the trading day is that of a clock: midnight passed while 23:59:59 was on its way.
    """
    if _MORNING <= second < _EVENING:
        return trading_day, action_day or trading_day
    if exchange == Exchange.CZCE and action_day in ("", trading_day):
        return trading_day_of(trading_day, second, calendar), trading_day
    night = previous_trading_day(trading_day, calendar)
    if second < _MORNING:
        night = f"{date.fromisoformat(night) + timedelta(days=1):%Y%m%d}"
    return trading_day, min(action_day or night, night)


def _price(value: Value) -> Price:
    number = float(value or 0)
    return number if number and -_MISSING < number < _MISSING else None


def _number(value: Value) -> float | None:
    if value == "":
        return None
    number = float(value)
    return number if -_MISSING < number < _MISSING else None


def _combination_prices(raw: Sequence[Value], traded: int) -> tuple[Price, ...]:
    of_day = _number if traded else _price
    has_limits = _price(raw[-2]) is not None or _price(raw[-1]) is not None
    readers = (of_day, of_day, of_day, _price, _price, _price, *([_number if has_limits else _price] * 2))
    return tuple(read(value) for read, value in zip(readers, raw, strict=True))


def _amount(value: Value) -> float:
    number = float(value or 0)
    return number if -_MISSING < number < _MISSING else 0.0


def _lots(value: Value) -> int:
    if type(value) is int and value >= 0:
        return value
    number = float(value or 0)
    if 0 <= number < _MOST_LOTS:
        return int(number)
    raise ValueError(f"{number} lots")


# fmt: off
def _side(
    price1: Value, size1: Value, price2: Value, size2: Value, price3: Value, size3: Value,
    price4: Value, size4: Value, price5: Value, size5: Value, combination: bool,
) -> tuple[Level, ...]:
    """Five full levels from the API are most of what a busy market sends: without a loop they take half of its time."""
    if (
        type(price5) is float and 0 < price5 < _MISSING and type(size5) is int and size5 > 0
        and type(price4) is float and 0 < price4 < _MISSING and type(size4) is int and size4 > 0
        and type(price3) is float and 0 < price3 < _MISSING and type(size3) is int and size3 > 0
        and type(price2) is float and 0 < price2 < _MISSING and type(size2) is int and size2 > 0
        and type(price1) is float and 0 < price1 < _MISSING and type(size1) is int and size1 > 0
    ):
        return (
            Level(price1, size1), Level(price2, size2), Level(price3, size3),
            Level(price4, size4), Level(price5, size5),
        )
    levels = (price1, size1), (price2, size2), (price3, size3), (price4, size4), (price5, size5)
    return _levels(levels, combination)
# fmt: on


def _levels(side: Sequence[tuple[Value, Value]], combination: bool) -> tuple[Level, ...]:
    levels: list[Level] = []
    for value, size in side:
        price = _price(value)
        if price is None and combination and _lots(size):
            price = _number(value)
        if price is None:
            break
        levels.append(Level(price, _lots(size)))
    return tuple(levels)


def _milliseconds(value: Value) -> int:
    """CTP's number of milliseconds, however wide: 5, 50, 500 and 000 are what they say."""
    number = value if type(value) is int else int(float(value or 0))
    if 0 <= number < 1000:
        return number
    raise ValueError(f"{number} milliseconds")


def _day(name: str, text: str) -> str:
    try:
        if len(text) == 8 and text.isdecimal() and date.fromisoformat(text):
            return text
    except ValueError:
        pass
    raise RecordError(f"{name} is {text!r:.40}")


def _second(text: str) -> int:
    """The second of the day of HH:MM:SS, read by its places."""
    if len(text) == 8 and text[2] == text[5] == ":" and (text[:2] + text[3:5] + text[6:]).isdecimal():
        hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:])
        if hour < 24 and minute < 60 and second < 60:
            return hour * 3600 + minute * 60 + second
    raise RecordError(f"UpdateTime is {text!r:.40}")


_READERS: Final[dict[str, Callable[[Value], object]]] = {
    name: _milliseconds if name == "UpdateMillisec" else _lots if "Volume" in name else float
    for name in DEPTH_FIELDS
    if name not in {"TradingDay", "InstrumentID", "ExchangeID", "UpdateTime", "ActionDay"}
}


def _fault(record: Sequence[Value], error: Exception) -> str:
    """Which field of a record that failed is to blame, found only then."""
    for name, value in zip(DEPTH_FIELDS, record, strict=False):
        try:
            _READERS.get(name, str)(value or 0)
        except (ValueError, TypeError, OverflowError):
            return f"{name} is {value!r:.40}"
    return str(error)
