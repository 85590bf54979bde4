"""What the trader port knows of each session and each user. Pure; times are arguments."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from ctpsim.frames import Resume, Topics
from ctpsim.front.errors import Code
from ctpsim.front.users import User

__all__ = ["PrivateStream", "TraderSession", "authenticate", "check_password"]


@dataclass(slots=True)
class TraderSession:
    """One connection, from its authentication on."""

    authenticated: tuple[str, str] | None = None  # (broker, user)
    user: User | None = None
    last_order_ref: int = 0
    last_query: float = float("-inf")
    querying: bool = False

    def may_query(self, now: float, interval_s: float) -> bool:
        """Whether the front takes another query: none runs, and the last one was long enough ago."""
        if self.querying or now - self.last_query < interval_s / 2:
            return False
        self.last_query = now
        return True

    def takes_order_ref(self, text: str) -> bool:
        """References are numbers that rise within a session."""
        if not text.strip().isdecimal() or int(text) <= self.last_order_ref:
            return False
        self.last_order_ref = int(text)
        return True


@dataclass
class PrivateStream:
    """What a user is told in private on one trading day: callbacks and their records, numbered from 1."""

    trading_day: str = ""
    entries: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    def add(self, callback: str, record: bytes) -> int:
        self.entries.append((callback, record))
        return len(self.entries)

    def begin_day(self, day: str) -> None:
        if day != self.trading_day:
            self.trading_day = day
            self.entries.clear()

    def missed(self, topics: Topics) -> list[tuple[int, str, bytes]]:
        """What a session is told after its login, by the way in which it wants to resume."""
        match topics.private:
            case Resume.RESTART:
                heard = 0
            case Resume.RESUME:
                heard = topics.private_number if topics.trading_day == self.trading_day else 0
            case _:
                heard = len(self.entries)
        return [(number, *entry) for number, entry in enumerate(self.entries, 1) if number > heard]


def authenticate(user: User | None, app_id: str, auth_code: str) -> Code:
    if user is None:
        return Code.AUTHENTICATION_FAILED
    same = _equal(user.app_id, app_id) & _equal(user.auth_code, auth_code)
    return Code.NONE if same else Code.AUTHENTICATION_FAILED


def check_password(session: TraderSession, user: User | None, password: str) -> Code:
    """Of a login; it must have authenticated as the same user before."""
    if user is None or not _equal(user.password, password):
        return Code.INVALID_LOGIN
    if session.authenticated != (user.broker_id, user.user_id):
        return Code.NOT_AUTHENTICATED
    return Code.NONE


def _equal(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())
