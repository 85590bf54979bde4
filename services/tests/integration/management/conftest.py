"""What tests of the management service share: a server and an instance of each file's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from fastapi import FastAPI
from management_stage import Stage, stage

from aegis.management.access import attempts, passwords
from aegis.management.endpoints import app
from aegis_sdk.kv import KeyValue
from aegis_sdk.testing import NatsAccess, nats_server_thread


@pytest.fixture(scope="module", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Each costs half a second of a busy machine by its usual settings, which test_management_parts looks at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="module", autouse=True)
def one_document() -> Iterator[None]:
    """To make it takes most of the time of a start; instances whose documents differ have one each."""
    make = app._document
    made: dict[object, dict[str, Any]] = {}

    def document(of: FastAPI) -> dict[str, Any]:
        differs = of.version, of.state.parts.cookie
        if differs not in made:
            made[differs] = make(of)
        return made[differs]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "_document", document)
        yield


@pytest.fixture(scope="module")
def access() -> Iterator[NatsAccess]:
    with nats_server_thread() as access:
        yield access


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("management")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(access: NatsAccess, directory: Path) -> AsyncIterator[Stage]:
    """One for all tests of a file: a password takes half a second of a busy machine. Users are each test's own."""
    async with stage(access, directory) as ready:
        yield ready


@pytest_asyncio.fixture(loop_scope="module")
async def attempts_anew(desk: Stage) -> None:
    transport = desk.service.transport
    for key in await KeyValue(transport, attempts.BUCKET).keys():
        await KeyValue(transport, attempts.BUCKET).delete(key)
