"""The market data port: logins, subscriptions, ticks."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Sequence
from typing import TextIO

import structlog

from aegis.contracts.market import Quote
from ctpsim.frames import Request
from ctpsim.front.answers import Answers
from ctpsim.front.client import Client
from ctpsim.front.counter import Counter
from ctpsim.front.errors import Code
from ctpsim.front.spoiling import Spoiling, odd_ticks
from ctpsim.market.clock import FrontState
from ctpsim.market.depth import Depth, clock_text

__all__ = ["MarketSide"]

_log = structlog.get_logger("ctpsim")


class MarketSide:
    """Who listens to what. Anybody may log in, as real market data fronts let them.

    `recording` gets a line for each tick that goes to anybody, of a market that is not made of frames: symbol, time in
    UTC nanoseconds, volume, last price, and price and lots of the best bid and ask.
    """

    def __init__(self, counter: Counter, depth: Depth, recording: TextIO | None = None) -> None:
        self.sent: Counts[str] = Counts()  # of clients that are gone
        self.unsent: Counts[str] = Counts()
        self._counter = counter
        self._answers = Answers(counter.layout, "M")
        self._depth = depth
        self._recording = recording
        self._spoiling = Spoiling(counter.faults)
        self._wanted: dict[Client, dict[str, None]] = {}
        self._listeners: dict[str, list[Client]] = {}
        self._muted: set[str] = set()
        self._until_login: set[str] = set()  # of these
        self._handlers = {
            "ReqUserLogin": self._log_in,
            "ReqUserLogout": self._log_out,
            "SubscribeMarketData": self._subscribe,
            "UnSubscribeMarketData": self._unsubscribe,
        }

    # Clients

    def connected(self, client: Client) -> None:
        self._counter.welcome(client)

    def lost(self, client: Client) -> None:
        self._counter.clients["M"].pop(client, None)
        self._drop(client, list(self._wanted.pop(client, {})))
        self.sent += client.sent
        self.unsent += client.unsent

    def requested(self, client: Client, request: Request) -> None:
        if self._counter.is_silent(client):
            return
        name = self._answers.name(request)
        handler = self._handlers.get(name)
        if handler is None:
            client.send(self._answers.frame("OnRspError", code=Code.UNSUPPORTED, request_id=request.request_id))
            return
        try:
            handler(client, request)
        except ValueError as error:
            _log.warning("request_not_understood", request=name, problem=str(error))
            client.close()

    def _log_in(self, client: Client, request: Request) -> None:
        asked = self._answers.read(request)
        starting = Code.NOT_INITIALISED if self._counter.front_state() is FrontState.STARTING else 0
        code = self._counter.fault(client, "login_error") or starting
        if not code:
            client.session_id = self._counter.next_session()
            client.user_id = asked["UserID"]
            self._wanted.setdefault(client, {})
            self._muted -= self._until_login
            self._until_login.clear()
        _, second = self._counter.market.now()
        values = {
            "TradingDay": self._counter.market.trading_day() if not code else "",
            "LoginTime": clock_text(second),
            "BrokerID": asked["BrokerID"],
            "UserID": asked["UserID"],
            "FrontID": self._counter.front_id,
            "SessionID": client.session_id,
            "SystemName": "ctpsim",
        }
        reply = self._answers.frame("OnRspUserLogin", values, code=code, request_id=request.request_id, login=not code)
        client.send(reply)
        _log.info("market_login", user=asked["UserID"], session=client.session_id, error=code)

    def _log_out(self, client: Client, request: Request) -> None:
        self._drop(client, list(self._wanted.pop(client, {})))
        client.send(self._answers.frame("OnRspUserLogout", request.data, code=Code.NONE, request_id=request.request_id))

    # Subscriptions

    def _subscribe(self, client: Client, request: Request) -> None:
        wanted = self._wanted.get(client)
        failed = Code.NOT_LOGGED_IN if wanted is None else self._counter.faults.get("M", "subscribe_error")
        symbols = _symbols(request)
        self._acknowledge(client, "OnRspSubMarketData", symbols, failed, request.request_id)
        if failed or wanted is None:
            return
        known = self._counter.market.listings()
        fresh = [symbol for symbol in symbols if symbol in known and symbol not in wanted]
        wanted.update(dict.fromkeys(fresh))
        for symbol in fresh:
            self._listeners.setdefault(symbol, []).append(client)
        self._counter.market.watch(fresh)
        self._send_snapshots(client, fresh)

    def _unsubscribe(self, client: Client, request: Request) -> None:
        wanted = self._wanted.get(client, {})
        symbols = _symbols(request)
        self._drop(client, [symbol for symbol in symbols if wanted.pop(symbol, symbol) is None])
        self._acknowledge(client, "OnRspUnSubMarketData", symbols, 0, request.request_id)

    def _drop(self, client: Client, symbols: Iterable[str]) -> None:
        silent: list[str] = []
        for symbol in symbols:
            listeners = self._listeners[symbol]
            listeners.remove(client)
            if not listeners:
                del self._listeners[symbol]
                silent.append(symbol)
        self._counter.market.unwatch(symbol for symbol in silent if not self._counter.has_orders(symbol))

    def _acknowledge(self, client: Client, callback: str, symbols: list[str], code: int, request_id: int) -> None:
        end = len(symbols) - 1
        frames = [
            self._answers.frame(callback, {"InstrumentID": symbol}, code=code, request_id=request_id, last=index == end)
            for index, symbol in enumerate(symbols)
        ]
        client.send(b"".join(frames))

    def _send_snapshots(self, client: Client, symbols: Iterable[str]) -> None:
        """The latest state of each, as fronts send it after a subscription."""
        if self._counter.is_without_ticks(client):
            return
        heard = [symbol for symbol in symbols if symbol not in self._muted]
        latest = [quote for symbol in heard if (quote := self._counter.market.quote(symbol)) is not None]
        quotes = [odd for quote in latest for odd in odd_ticks(quote, self._counter.faults)]
        client.deliver(b"".join(map(self._depth.frame, quotes)), [quote.symbol for quote in quotes])

    # Ticks

    def publish(self, quotes: Sequence[Quote]) -> None:
        """To whoever listens; each client gets its own in one piece."""
        parts: dict[Client, tuple[list[bytes], list[str]]] = {}
        if self._muted:
            quotes = [quote for quote in quotes if quote.symbol not in self._muted]
        for quote in self._spoiling.spoiled(quotes):
            listening = self._listeners.get(quote.symbol, ())
            if listeners := [client for client in listening if not self._counter.is_without_ticks(client)]:
                self._record(quote)
                frame = self._depth.frame(quote)
                for client in listeners:
                    frames, symbols = parts.setdefault(client, ([], []))
                    frames.append(frame)
                    symbols.append(quote.symbol)
        if self._recording is not None:
            self._recording.flush()
        for client, (frames, symbols) in parts.items():
            client.deliver(b"".join(frames), symbols)

    def publish_frames(self, frames: bytes, symbols: Sequence[str]) -> None:
        for client, wanted in self._wanted.items():
            if self._counter.is_without_ticks(client):
                continue
            if not self._muted and all(map(wanted.__contains__, symbols)):
                client.deliver(frames, symbols)
            elif own := [at for at, symbol in enumerate(symbols) if symbol in wanted and symbol not in self._muted]:
                size = len(frames) // len(symbols)
                part = b"".join([frames[index * size : (index + 1) * size] for index in own])
                client.deliver(part, [symbols[index] for index in own])

    async def room(self) -> None:
        for client in list(self._wanted):
            await client.room()

    def send_record(self, quote: Quote) -> int:
        """One tick out of turn; returns how many clients it went to."""
        frame = self._depth.frame(quote)
        listeners = self._listeners.get(quote.symbol, [])
        for client in listeners:
            client.deliver(frame, [quote.symbol])
        return len(listeners)

    def mute(self, symbol: str, *, until_login: bool = False) -> None:
        """Send no ticks of one contract, whoever subscribed to it; perhaps only until somebody logs in."""
        self._muted.add(symbol)
        (self._until_login.add if until_login else self._until_login.discard)(symbol)

    def unmute(self, symbol: str) -> None:
        self._muted.discard(symbol)
        self._until_login.discard(symbol)

    def forget(self, symbol: str) -> int:
        """Lose the subscriptions to one contract, and tell nobody; how many there were."""
        clients = list(self._listeners.get(symbol, ()))
        for client in clients:
            del self._wanted[client][symbol]
            self._drop(client, [symbol])
        return len(clients)

    def counted(self) -> tuple[Counts[str], Counts[str]]:
        """Ticks sent, and ticks that clients had no room for, by symbol, since the start."""
        clients = self._counter.clients["M"]
        sent = sum((client.sent for client in clients), self.sent)
        return sent, sum((client.unsent for client in clients), self.unsent)

    def subscribed(self) -> int:
        return len(self._listeners)

    def _record(self, quote: Quote) -> None:
        """Write down what somebody gets."""
        if self._recording is not None:
            best = [(side[0].price, side[0].size) if side else ("", "") for side in (quote.bids, quote.asks)]
            row = (quote.symbol, quote.ts_exchange_ns, quote.volume, quote.last_price, *best[0], *best[1])
            self._recording.write(f"{','.join(map(str, row))}\n")


def _symbols(request: Request) -> list[str]:
    return [symbol for symbol in request.data.decode("ascii", "replace").split("\n") if symbol]
