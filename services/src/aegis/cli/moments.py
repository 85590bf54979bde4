"""Times as people write them, in Shanghai."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from aegis_sdk.errors import ConfigurationError

if TYPE_CHECKING:
    from aegis.recordings.query import Moments

__all__ = ["moments", "shown"]

_SHANGHAI: Final = timezone(timedelta(hours=8))  # it has no summer time
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS: Final = 1_000_000_000


def moments(since: str, until: str) -> Moments:
    """The span between two times, `09:30`, `20250102` or `2025-01-02T09:30:00.5`; empty: no bound.

    Raises ConfigurationError.
    """
    from aegis.recordings.query import Moments

    since_ns, since_clock_s = _read("from", since)
    until_ns, until_clock_s = _read("to", until)
    return Moments(since_ns=since_ns, until_ns=until_ns, since_clock_s=since_clock_s, until_clock_s=until_clock_s)


def shown(ns: int) -> str:
    """A time to the millisecond."""
    seconds, rest = divmod(ns, _SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, _SHANGHAI):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03}"


def _read(name: str, text: str) -> tuple[int | None, int | None]:
    """As nanoseconds since 1970, or as seconds after midnight where it has no day."""
    if not text:
        return None, None
    try:
        if len(text) in (5, 8) and text[2] == ":":
            clock = datetime.strptime(text, "%H:%M:%S" if len(text) == 8 else "%H:%M")
            return None, clock.hour * 3_600 + clock.minute * 60 + clock.second
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(name, f"{text!r} is no time such as 09:30 or 2025-01-02T21:00:00") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=_SHANGHAI)
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000, None
