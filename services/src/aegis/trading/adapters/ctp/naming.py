"""How an order's name travels through CTP, and how it is found again.

CTP shows a client 12 bytes of its own again (OrderMemo), in the private stream and in queries, to every session of the
user. A client_order_id may be three times as long, so what travels is a *tag*: a digest of it, 66 bits. Whoever knows
the name knows the tag. After a crash names come from the journal, where each stands before its order is sent. A tag
that belongs to no name of ours, and whatever else others write there, names nobody.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import Final

__all__ = ["Names", "tag_of"]

_MARK: Final = "~"
_DIGITS: Final = 11


def tag_of(client_order_id: str) -> str:
    """Twelve characters; the same for a name everywhere and always."""
    digest = hashlib.blake2b(client_order_id.encode(), digest_size=9).digest()
    return _MARK + base64.urlsafe_b64encode(digest).decode()[:_DIGITS]


class Names:
    """Those of one account. `known` gives the names that its journal has of the trading day."""

    def __init__(self, known: Callable[[], Iterable[str]]) -> None:
        self._known = known
        self._by_tag: dict[str, str] = {}
        self._seen: set[str] = set()

    def learn(self, name: str) -> str:
        """Its tag."""
        tag = tag_of(name)
        self._by_tag[tag] = name
        self._seen.add(name)
        return tag

    def find(self, memo: str) -> str:
        """The name that an OrderMemo stands for; empty where it is none of ours."""
        if not memo.startswith(_MARK) or len(memo) != len(_MARK) + _DIGITS:
            return ""
        if memo not in self._by_tag:
            for name in self._known():
                if name not in self._seen:
                    self.learn(name)
        return self._by_tag.get(memo, "")

    def forget(self) -> None:
        """Those of a day that is over."""
        self._by_tag.clear()
        self._seen.clear()
