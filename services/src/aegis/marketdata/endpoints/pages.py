"""Long answers, page by page."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

__all__ = ["page_of"]


def page_of(names: Iterable[str], limit: int) -> tuple[list[str], str]:
    """The first of these names, and the `after` of the page behind them, empty if there is none."""
    page = list(islice(names, limit + 1))
    return (page, "") if len(page) <= limit else (page[:limit], page[limit - 1])
