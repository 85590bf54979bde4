"""Recordings: ticks in Parquet files, and what is said of them. docs/recording.md has the layout.

`table` needs pyarrow and `reading` duckdb: they are imported where they are used, since that takes half a second.
"""

from aegis.recordings.manifest import FILE, Manifest, Part, RecordingDamaged, Stretch, is_recording, load

__all__ = ["FILE", "Manifest", "Part", "RecordingDamaged", "Stretch", "is_recording", "load"]
