"""The paper venue as a service."""

from aegis.paper.endpoints.service import Paper

__all__ = ["Paper"]
