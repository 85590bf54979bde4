"""The recorder put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.recorder.endpoints import Recorder
from aegis.recorder.settings import RecorderSettings

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> Recorder:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong."""
    return Recorder(RecorderSettings.from_environment(environment))
