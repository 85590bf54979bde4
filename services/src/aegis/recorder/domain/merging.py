"""Which parts are merged into one, so that a query opens few files and finds an instrument together in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from aegis.recordings.manifest import Part

__all__ = ["due"]

FAN_IN: Final = 16


def due(parts: Iterable[Part], growing: Collection[tuple[str, str]]) -> list[Part]:
    """Parts of one trading day, exchange and generation that are to become one now; [] where none are.

    All of a day that has ended. Before that, sixteen that were merged equally often: so each row is merged once for
    every sixteen times as many. `growing` are the trading days and exchanges that got a part a short time ago.
    """
    together: dict[tuple[str, str, int], list[Part]] = defaultdict(list)
    for part in parts:
        together[part.trading_day, part.exchange, part.generation].append(part)
    newest = max((day for day, _, _ in together), default="")
    for (day, exchange, _), found in sorted(together.items()):
        if day < newest and (day, exchange) not in growing:
            if len(found) > 1:
                return found
            continue
        of_age: dict[int, list[Part]] = defaultdict(list)
        for part in found:
            of_age[part.merges].append(part)
        for alike in of_age.values():
            if len(alike) >= FAN_IN:
                return alike
    return []
