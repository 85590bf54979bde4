"""Reading the streams of the ledger for as long as there is a connection, through every error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, TypeVar

import structlog

from aegis_sdk.errors import AegisError, ConnectionUnavailable
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["follow"]

_log = structlog.get_logger("aegis.ledger")

_AGAIN_S: Final = 0.2

Read = TypeVar("Read")


async def follow(
    transport: Transport,
    begin: Callable[[], AbstractAsyncContextManager[AsyncIterator[Read | None]]],
    take: Callable[[Read], None],
    caught_up: asyncio.Event,
) -> None:
    """Give `take` all that is read, and begin again after an error, until the connection is closed.

    Sets `caught_up` when all that there was at the start has been taken.
    """
    while transport.state is not ConnectionState.CLOSED:
        try:
            async with begin() as reads:
                async for read in reads:
                    if read is None:
                        caught_up.set()
                    else:
                        take(read)
        except AegisError as error:
            _log.warning("ledger_unread", reason=str(error))
        with suppress(ConnectionUnavailable):
            await transport.wait_connected(_AGAIN_S)
        await asyncio.sleep(_AGAIN_S)
