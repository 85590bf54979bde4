"""Fixtures of all tests of the workspace."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

import ctpsim  # noqa: F401  # before pytest takes the directory of that name, where its tests are, for the package
from aegis_sdk.testing import NatsAccess, nats_server_thread


@pytest.fixture(scope="session")
def nats_access() -> Iterator[NatsAccess]:
    """One nats-server, shared by the whole session: use names of streams and subjects that are the test's own."""
    with nats_server_thread() as access:
        yield access


@pytest.fixture(autouse=True)
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command sets up logging for its whole process. Here it is one test's, and no logger keeps it."""
    configure = structlog.configure

    def configure_for_now(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure_for_now)
    yield
    structlog.reset_defaults()
