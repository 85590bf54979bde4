"""Who may log in."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["User"]


@dataclass(frozen=True, kw_only=True)
class User:
    """Who may log in. Never shown whole: `repr` leaves the secrets out."""

    broker_id: str
    user_id: str
    password: str = field(repr=False)
    app_id: str
    auth_code: str = field(repr=False)
    balance: float = 10_000_000.0
