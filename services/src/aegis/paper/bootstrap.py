"""The paper venue put together."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.paper.adapters.catalogue import Catalogue
from aegis.paper.domain.rates import RateTable, read_rates
from aegis.paper.endpoints import Paper
from aegis.paper.settings import PaperSettings
from aegis_sdk.errors import ConfigurationError

__all__ = ["build"]


def build(environment: Mapping[str, str]) -> Paper:
    """The service as the environment wants it. Raises ConfigurationError naming what is wrong."""
    settings = PaperSettings.from_environment(environment)
    return Paper(settings, _rates(settings), Catalogue())


def _rates(settings: PaperSettings) -> RateTable:
    if settings.rates is None:
        return read_rates()
    try:
        return read_rates().replaced(settings.rates.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError("AEGIS_PAPER_RATES", str(error)) from error
