"""What both sides of the counter share: its layout, its faults, its users and who is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from ctpsim.frames import Limits, Side, hello, limits
from ctpsim.front.client import Client
from ctpsim.front.faults import OF_TICKS, Faults
from ctpsim.front.users import User
from ctpsim.headers import Layout
from ctpsim.market.clock import FrontState
from ctpsim.market.load import LoadMarket
from ctpsim.market.ports import Market

__all__ = ["Counter"]

_FRONT_ID: Final = 1
_READ_FAILED: Final = 0x1001


class Counter:
    """The counter as a whole. `front_state` tells what its front does with who comes now."""

    def __init__(
        self,
        layout: Layout,
        market: Market,
        users: list[User],
        permitted: Limits,
        front_state: Callable[[], FrontState] = lambda: FrontState.OPEN,
    ) -> None:
        self.layout = layout
        self.market = market
        self.users = {(user.broker_id, user.user_id): user for user in users}
        self.faults = Faults(without=OF_TICKS if isinstance(market, LoadMarket) else ())
        self.front_id = _FRONT_ID
        self.front_state = front_state
        self.clients: dict[Side, dict[Client, None]] = {"M": {}, "T": {}}
        self.permitted = permitted
        self.has_orders: Callable[[str], bool] = lambda _: False  # whether orders wait in that contract
        self._digest = layout.digest
        self._sessions = secrets.randbelow(1 << 20)

    def next_session(self) -> int:
        self._sessions += 1
        return self._sessions

    def welcome(self, client: Client) -> bool:
        """Greet who has connected, unless a fault or the hour says otherwise."""
        if self.front_state() is FrontState.CLOSED or self._has(client, "accept_and_close"):
            client.abort()
            return False
        self.clients[client.side][client] = None
        if self._has(client, "refuse_hello"):
            return True
        client.send(hello(client.side, self._digest, self._limits(client)))
        client.hang(self._has(client, "hang"))
        return True

    def faults_changed(self) -> None:
        """Let those that are connected feel it."""
        for clients in self.clients.values():
            for client in list(clients):
                client.send(limits(self._limits(client)))
                client.hang(self._has(client, "hang"))
                if self._has(client, "accept_and_close"):
                    client.drop(_READ_FAILED)

    def drop(self, side: Side, reason: int) -> int:
        """Disconnect everybody of a side; returns how many."""
        clients = list(self.clients[side])
        for client in clients:
            client.drop(reason)
        return len(clients)

    def is_silent(self, client: Client) -> bool:
        return self._has(client, "stall")

    def is_without_ticks(self, client: Client) -> bool:
        return self._has(client, "stall") or self._has(client, "no_ticks")

    def fault(self, client: Client, name: str) -> int:
        """The value of a fault for who came by that front, 0 where it is off."""
        return self.faults.get(client.side, name, client.front)

    def _has(self, client: Client, name: str) -> bool:
        return bool(self.fault(client, name))

    def _limits(self, client: Client) -> Limits:
        return Limits(
            query_interval_ms=self.permitted.query_interval_ms,
            requests_per_s=self.permitted.requests_per_s,
            answer=self.fault(client, "answer"),
        )
