"""The health agent put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.settings import HealthSettings
from aegis_sdk.config import Settings

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> HealthAgent:
    """The agent as the environment wants it. Raises ConfigurationError naming what is wrong."""
    replicas = Settings.from_environment(environment).nats_replicas
    return HealthAgent(HealthSettings.from_environment(environment), replicas=replicas)
