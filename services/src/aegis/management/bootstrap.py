"""The management service put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.management.console import SITE
from aegis.management.endpoints.service import Management
from aegis.management.settings import ManagementSettings
from aegis_sdk.config import Settings

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> Management:
    """The service as the environment wants it, with the console that is built. Raises ConfigurationError."""
    replicas = Settings.from_environment(environment).nats_replicas
    built = {"AEGIS_MANAGEMENT_CONSOLE": str(SITE)} if (SITE / "index.html").is_file() else {}
    return Management(ManagementSettings.from_environment({**built, **environment}), replicas=replicas)
