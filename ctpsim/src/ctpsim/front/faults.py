"""What can be made to go wrong, and what goes wrong now. Pure: the front asks it at each step.

A fault is written NAME, NAME=VALUE, NAME@market or NAME@trader=VALUE; without a side it holds for both. With the
number of a front, as in NAME@market.1, it holds for who came by that front alone: connections, logins and silence only.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from aegis_sdk.errors import ConfigurationError
from ctpsim.frames import Side

__all__ = ["FAULTS", "OF_TICKS", "Fault", "Faults"]


class Fault(NamedTuple):
    """`value`: whether it has one, a whole number; `otherwise` is what it is where none is given."""

    text: str
    value: bool = False
    otherwise: int = 1


FAULTS: Final[dict[str, Fault]] = {
    "refuse_hello": Fault("accept connections, and never greet"),
    "accept_and_close": Fault("accept connections, and close them at once"),
    "stall": Fault("stay connected, and say nothing any more"),
    "no_ticks": Fault("answer as ever, but send no ticks"),
    "hang": Fault("stop reading what clients send"),
    "auth_error": Fault("refuse authentication with this error", value=True, otherwise=63),
    "login_error": Fault("refuse logins with this error", value=True, otherwise=7),
    "session_limit": Fault("refuse a user's logins for trading beyond so many sessions", value=True, otherwise=6),
    "query_error": Fault("refuse queries with this error", value=True, otherwise=90),
    "subscribe_error": Fault("refuse subscriptions with this error", value=True, otherwise=16),
    "order_error": Fault("refuse orders with this error", value=True, otherwise=31),
    "order_limit": Fault("let each exchange refuse orders beyond so many a second", value=True, otherwise=10),
    "order_fee": Fault("charge so many cents for each order and each cancel", value=True),
    "answer": Fault("let the library answer each request with -1, -2 or -3", value=True, otherwise=-1),
    "stale_snapshot": Fault("answer a subscription with a tick of the day before"),
    "early_ticks": Fault("answer a subscription with a tick stamped before the opening, and one of the auction"),
    "late_ticks": Fault("answer a subscription with a tick stamped after the close"),
    "missing_prices": Fault("send DBL_MAX for every price that can be missing"),
    "volume_reset": Fault("let volume and turnover begin anew at each tick's tenth"),
    "repeated_time": Fault("stamp each tick with the time of the one before"),
    "repeated_ticks": Fault("send each tick twice"),
    "unknown_exchange": Fault("list a contract of an exchange that nobody knows"),
    "no_contracts": Fault("list no contracts, as before the day is initialised"),
    "broken_text": Fault("list contracts with names that are not GBK"),
    "forget_orders": Fault("replay nothing of the private stream"),
}
OF_TICKS: Final = ("missing_prices", "volume_reset", "repeated_time", "repeated_ticks")
"""What is wrong with each tick, of a market whose ticks are not packed beforehand."""
_OF_A_FRONT: Final = frozenset(
    {"refuse_hello", "accept_and_close", "stall", "no_ticks", "hang", "auth_error", "login_error", "answer"}
)
_SIDES: Final[dict[str, tuple[Side, ...]]] = {"market": ("M",), "trader": ("T",), "": ("M", "T")}


class Faults:
    """Those that are on, by side and front; there are none of these names where they would do nothing (`without`)."""

    def __init__(self, without: Collection[str] = ()) -> None:
        self._without = without
        self._on: dict[tuple[Side, int | None, str], int] = {}

    def set(self, written: str) -> None:
        """Raises ConfigurationError for a fault that there is not, or not here."""
        named, _, value = written.partition("=")
        name, sides, front = _understood(named)
        if name in self._without:
            raise ConfigurationError("fault", f"{name} does nothing on this market: its ticks are packed beforehand")
        for side in sides:
            self._on[side, front, name] = _value(name, value)

    def clear(self, written: str = "") -> None:
        """End one, or all of them."""
        if not written:
            self._on.clear()
            return
        name, sides, front = _understood(written)
        for side in sides:
            self._on.pop((side, front, name), None)

    def get(self, side: Side, name: str, front: int | None = None) -> int:
        """Its value for all, or for who came by that front; 0 where it is off."""
        return self._on.get((side, None, name), 0) or self._on.get((side, front, name), 0)

    def shown(self) -> dict[str, int]:
        return {_written(*fault): value for fault, value in self._on.items()}


def _written(side: Side, front: int | None, name: str) -> str:
    return f"{name}@{'market' if side == 'M' else 'trader'}{'' if front is None else f'.{front}'}"


def _understood(written: str) -> tuple[str, tuple[Side, ...], int | None]:
    name, _, where = written.partition("@")
    side, dot, front = where.partition(".")
    name = name.replace("-", "_")
    if name not in FAULTS:
        raise ConfigurationError("fault", f"{name!r} is none of {', '.join(FAULTS)}")
    if side not in _SIDES:
        raise ConfigurationError("fault", f"{side!r} is neither market nor trader")
    if dot and not (front.isdecimal() and name in _OF_A_FRONT):
        raise ConfigurationError("fault", f"{written!r}: {', '.join(sorted(_OF_A_FRONT))} can be of one front")
    return name, _SIDES[side], int(front) if dot else None


def _value(name: str, text: str) -> int:
    fault = FAULTS[name]
    if not text:
        return fault.otherwise
    if not fault.value or not text.lstrip("-").isdecimal() or not int(text):
        raise ConfigurationError("fault", f"{name}={text!r} is not understood")
    return int(text)
