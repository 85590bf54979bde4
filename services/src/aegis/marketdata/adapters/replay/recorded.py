"""What the recorder wrote, as one of the recordings that can be played."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from aegis.contracts.market import Quote
from aegis.recordings import load

__all__ = ["RecordedTicks"]


@dataclass(frozen=True)
class RecordedTicks:
    """The directory of a recording. Its quotes come in the order of the stream, over all exchanges."""

    path: Path

    @classmethod
    def of(cls, path: Path) -> RecordedTicks:
        """Raises RecordingDamaged."""
        load(path)
        return cls(path)

    def first_ns(self) -> int:
        """When the first quote was received; 0 if there is none."""
        from aegis.recordings.reading import first_received_ns

        return first_received_ns(self.path)

    def instruments(self) -> Iterator[tuple[str, str]]:
        """(exchange, symbol) of all that is recorded."""
        from aegis.recordings.reading import instruments

        yield from instruments(self.path)

    def quotes(self, _: object = None) -> Generator[Quote]:
        """The quotes that were published, exactly; of these no row is ever rejected."""
        from aegis.recordings.reading import quotes

        return quotes(self.path)
