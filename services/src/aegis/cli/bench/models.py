"""What the benchmarks send."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

ECHO_BYTES: Final = "plain.bytes"
ECHO_ACTIVE: Final = "plain.active"


class PlainQuote(BaseModel):
    """A small typed request and reply."""

    symbol: str
    price: float
    size: int


QUOTE: Final = PlainQuote(symbol="rb2505", price=3512.0, size=12)
