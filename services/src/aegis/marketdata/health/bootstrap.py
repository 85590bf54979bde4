"""The health agent put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.settings import HealthSettings

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> HealthAgent:
    """The agent as the environment wants it. Raises ConfigurationError naming what is wrong."""
    return HealthAgent(HealthSettings.from_environment(environment))
