"""What the control port understands: one function for each command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from aegis.contracts.market import Quote
from aegis_sdk.errors import AegisError
from ctpsim.frames import Side, warning
from ctpsim.front.counter import Counter
from ctpsim.front.market_side import MarketSide
from ctpsim.front.trading import Trading
from ctpsim.market.clock import Hours
from ctpsim.market.load import LoadMarket
from ctpsim.options import moment_ns

__all__ = ["Commands", "Ports"]

_SIDES: Final[Mapping[str, tuple[Side, ...]]] = {"market": ("M",), "trader": ("T",), "both": ("M", "T")}
Arguments = Mapping[str, Any]


class Ports(Protocol):
    """The fronts' listening sockets."""

    async def down(self, number: int) -> None: ...
    async def up(self, number: int) -> None: ...


class Commands:
    """Raises AegisError for what it does not do."""

    def __init__(
        self, counter: Counter, market_side: MarketSide, ports: Ports, clock: object, trading: Trading
    ) -> None:
        self._counter = counter
        self._market_side = market_side
        self._ports = ports
        self._clock = clock
        self._trading = trading
        self._commands: dict[str, Callable[[Arguments], Any]] = {
            "status": self._status,
            "fault": self._fault,
            "clear": self._clear,
            "drop": self._drop,
            "warn": self._warn,
            "sent": self._sent,
            "tick": self._tick,
            "mute": self._mute,
            "unmute": self._unmute,
            "forget": self._forget,
            "rate": self._rate,
            "jump": self._jump,
            "front_down": self._front_down,
            "front_up": self._front_up,
        }

    async def do(self, command: str, arguments: Arguments) -> Any:
        known = self._commands.get(command)
        if known is None:
            raise AegisError(f"{command!r} is none of {', '.join(self._commands)}")
        try:
            result = known(arguments)
            return await result if isinstance(result, Awaitable) else result
        except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
            raise AegisError(f"{command}: {type(error).__name__}: {error}") from error

    def _status(self, _: Arguments) -> dict[str, Any]:
        market = self._counter.market
        day, second = market.now()
        return {
            "trading_day": market.trading_day(),
            "now": f"{day} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}",
            "front": self._counter.front_state().value,
            "clients": {
                "market": len(self._counter.clients["M"]),
                "trader": len(self._counter.clients["T"]),
            },
            "contracts": len(market.listings()),
            "subscribed": self._market_side.subscribed(),
            "behind": market.behind,
            "faults": self._counter.faults.shown(),
        }

    def _fault(self, arguments: Arguments) -> None:
        self._counter.faults.set(arguments["fault"])
        self._counter.faults_changed()

    def _clear(self, arguments: Arguments) -> None:
        self._counter.faults.clear(arguments.get("fault", ""))
        self._counter.faults_changed()

    def _drop(self, arguments: Arguments) -> int:
        reason = int(arguments.get("reason", 0x1001))
        return sum(self._counter.drop(side, reason) for side in _SIDES[arguments.get("side", "both")])

    def _warn(self, arguments: Arguments) -> None:
        for side in _SIDES[arguments.get("side", "both")]:
            for client in self._counter.clients[side]:
                client.send(warning(int(arguments.get("seconds", 40))))

    def _sent(self, _: Arguments) -> dict[str, Any]:
        sent, unsent = self._market_side.counted()
        return {"sent": dict(sent), "unsent": dict(unsent)}

    def _tick(self, arguments: Arguments) -> int:
        """A tick of `symbol` out of turn: its latest state, with what else is given. Orders are matched against it.

        With `hold` they go by it, and positions too, until another is held.
        """
        latest = self._counter.market.quote(arguments["symbol"])
        if latest is None:
            raise AegisError(f"{arguments['symbol']} has no state yet")
        given = {name: value for name, value in arguments.items() if name not in ("symbol", "hold", "command")}
        for name in ("bids", "asks"):
            if name in given:
                given[name] = msgspec.convert(given[name], type=_types()[name])
        quote = replace(latest, **given)
        if arguments.get("hold"):
            self._trading.hold(quote)
        else:
            self._trading.publish([quote])
        return self._market_side.send_record(quote)

    def _mute(self, arguments: Arguments) -> None:
        self._market_side.mute(self._listed(arguments), until_login=bool(arguments.get("until_login")))

    def _unmute(self, arguments: Arguments) -> None:
        self._market_side.unmute(self._listed(arguments))

    def _forget(self, arguments: Arguments) -> int:
        return self._market_side.forget(self._listed(arguments))

    def _listed(self, arguments: Arguments) -> str:
        symbol = arguments["symbol"]
        if symbol not in self._counter.market.listings():
            raise AegisError(f"{symbol} is not listed")
        return symbol

    def _rate(self, arguments: Arguments) -> None:
        market = self._counter.market
        if not isinstance(market, LoadMarket):
            raise AegisError("only the load market has a rate that can change")
        market.rate = float(arguments["rate"])

    def _jump(self, arguments: Arguments) -> None:
        if not isinstance(self._clock, Hours):
            raise AegisError("only a counter that keeps the real hours can jump")
        self._clock.jump(moment_ns(arguments["to"]))

    async def _front_down(self, arguments: Arguments) -> None:
        await self._ports.down(int(arguments.get("front", 0)))

    async def _front_up(self, arguments: Arguments) -> None:
        await self._ports.up(int(arguments.get("front", 0)))


def _types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(Quote)}
