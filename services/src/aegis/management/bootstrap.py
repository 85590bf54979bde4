"""The management service put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.management.endpoints.service import Management
from aegis.management.settings import ManagementSettings
from aegis_sdk.config import Settings

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> Management:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong."""
    replicas = Settings.from_environment(environment).nats_replicas
    return Management(ManagementSettings.from_environment(environment), replicas=replicas)
