"""Which desk a command means, and the connection to it.

AEGIS_NATS_URL names one anywhere. Without it, it is the desk of AEGIS_HOME, or of the nearest `.aegis` directory.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from aegis_sdk.errors import AegisError

if TYPE_CHECKING:
    from aegis.operations.state import RunFile, StateDirectory
    from aegis_sdk.transport_nats import NatsTransport

__all__ = ["Address", "NoDesk", "address", "connect", "is_remote", "local_run", "run", "state_directory"]

T = TypeVar("T")
_CONNECT_S: Final = 2.0


class NoDesk(AegisError):
    """No desk is found where a command looks for one."""


class Address(NamedTuple):
    """Where a desk's NATS is, and who we are there."""

    urls: tuple[str, ...]
    user: str
    password: str


def is_remote() -> bool:
    """Whether the environment names a desk."""
    return bool(os.environ.get("AEGIS_NATS_URL"))


def state_directory() -> StateDirectory:
    """Of the local desk, running or not."""
    from aegis.operations.state import StateDirectory

    return StateDirectory.find(os.environ, Path.cwd())


def local_run(directory: StateDirectory) -> RunFile:
    """What the running desk of a state directory says of itself. Raises NoDesk."""
    from aegis.operations.processes import is_alive

    run = directory.read()
    if run is None:
        raise NoDesk(f"no desk runs here ({directory.path}): start one with `aegis up`")
    if not is_alive(run.supervisor):
        raise NoDesk(f"the desk of {directory.path} was killed: `aegis up` starts it again")
    return run


def address() -> Address:
    """Of the desk that is meant. Raises NoDesk, or ConfigurationError naming a variable that is wrong."""
    if is_remote():
        from aegis_sdk.config import Settings

        settings = Settings.from_environment(os.environ)
        return Address(settings.nats_url, settings.nats_user, settings.nats_password.get_secret_value())
    nats = local_run(state_directory()).nats
    if nats is None:
        raise NoDesk("the desk is just starting: try again in a moment")
    try:
        return Address(tuple(nats.urls), nats.user, Path(nats.password_file).read_text())
    except OSError as error:
        raise NoDesk(f"the desk's password cannot be read: {error}") from None


@asynccontextmanager
async def connect(name: str = "aegis") -> AsyncIterator[NatsTransport]:
    """A connection to the desk. Raises NoDesk where there is none, ConnectionUnavailable where NATS does not answer."""
    from aegis_sdk.transport_nats import NatsTransport

    urls, user, password = address()
    transport = await NatsTransport.connect(urls, user=user, password=password, name=name, connect_timeout=_CONNECT_S)
    try:
        yield transport
    finally:
        await transport.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do a command's work in an event loop; what the SDK logs of it below an error stays unsaid."""
    import logging

    import uvloop

    from aegis_sdk.telemetry import configure_logging

    configure_logging(level=logging.ERROR)
    return uvloop.run(work)
