"""The four roles; each may do what those before it may."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["Role"]


class Role(StrEnum):
    """viewer looks; trader places and cancels orders; operator moves keys and sets modes; admin keeps users."""

    VIEWER = "viewer"
    TRADER = "trader"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        return _ORDER[self] >= _ORDER[other]

    def at_most(self, other: Role) -> Role:
        """The lesser of the two."""
        return other if self.includes(other) else self


_ORDER: Final = {role: place for place, role in enumerate(Role)}
