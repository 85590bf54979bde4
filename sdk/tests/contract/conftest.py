"""Fixtures of the contract suite. Each test runs once for each adapter, and they share one server: names are unique."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from aegis_sdk.single_active import health_watch, host
from aegis_sdk.transport import Transport

from .active_desk import LOOK_S, Desks
from .network import MemoryNetwork, NatsNetwork, Network, Received


@pytest.fixture(params=["memory", "nats"])
async def network(request: pytest.FixtureRequest, steady: AbstractEventLoop) -> AsyncIterator[Network]:
    made: Network
    if request.param == "memory":
        request.getfixturevalue("leaping")
        made = MemoryNetwork()
    else:
        made = NatsNetwork(request.getfixturevalue("nats_access"))
    yield made
    await made.close()


@pytest.fixture
async def desks(network: Network, name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desks]:
    """Instances that look each 0.1 s for what they look for each second."""
    monkeypatch.setattr(host, "_SETTLE_S", LOOK_S)
    monkeypatch.setattr(health_watch, "_LOOK_S", LOOK_S)
    desks = Desks(network, name)
    yield desks
    await desks.close()


@pytest.fixture
async def transport(network: Network) -> Transport:
    return await network.connect()


@pytest.fixture
async def other(network: Network) -> Transport:
    """A second connection."""
    return await network.connect()


@pytest.fixture
def name() -> str:
    """A token that no other test uses."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.fixture
def new_received() -> Callable[[], Received]:
    return Received
