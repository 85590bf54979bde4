"""In which phase of its day an instrument is: by its product's hours and the calendar, for in an auction nothing ticks.

The first tick of a session is that of the match, and a quiet contract has none for a long time. So a tick tells what
time it is where ticks come from, and no more.
"""

from __future__ import annotations

from typing import Final

from aegis.accounting.exchange_rules import Phase
from aegis.exchanges import sessions
from aegis.exchanges.products import product_of

__all__ = ["phase_at"]

_NOON: Final = 12 * 3600
_MORNING_AUCTIONS: Final = frozenset(("SHFE", "INE", "DCE"))
_SINCE: Final = "20230526"
"""From then on these exchanges hold an auction in the morning behind a night session, too (https://www.jtqh.com/show-31-8106-1.html)."""
_PHASES: Final[dict[sessions.Phase, Phase]] = {
    sessions.Phase.CLOSED: "closed",
    sessions.Phase.BREAK: "break",
    sessions.Phase.AUCTION: "auction",
    sessions.Phase.TRADING: "trading",
}


def phase_at(instrument: str, ts_ns: int) -> Phase:
    """At a moment of the market's clock, UTC; trading where the product's hours are not known: the venue decides."""
    exchange, _, symbol = instrument.partition(".")
    product = product_of(exchange, symbol)
    if product is None:
        return "trading"
    day, second, _ = sessions.to_shanghai(ts_ns)
    hours = product.hours.on(day)
    phase = sessions.phase_on(hours, day, second)
    if phase != sessions.Phase.AUCTION:
        return _PHASES[phase]
    had_night = hours.has_night and sessions.has_night_session(sessions.previous_trading_day(day))
    if had_night and second < _NOON and (exchange not in _MORNING_AUCTIONS or day < _SINCE):
        return "break"  # its auction was in the evening: what is left of the night may be taken back
    return "match" if hours.is_match(second) else "auction"
