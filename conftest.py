"""Fixtures of all tests of the workspace."""

from collections.abc import Iterator

import pytest

import ctpsim  # noqa: F401  # before pytest takes the directory of that name, where its tests are, for the package
from aegis_sdk.testing import NatsAccess, nats_server_thread


@pytest.fixture(scope="session")
def nats_access() -> Iterator[NatsAccess]:
    """One nats-server, shared by the whole session: use names of streams and subjects that are the test's own."""
    with nats_server_thread() as access:
        yield access
