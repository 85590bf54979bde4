"""`aegis bench`: Aegis and a plain baseline, measured in turn in the same run."""

from aegis.cli.bench.commands import bench_app

__all__ = ["bench_app"]
