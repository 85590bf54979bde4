"""Instances of the management service on a real NATS server, and browsers that use them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from pydantic import BaseModel, TypeAdapter

from aegis.management.endpoints.service import Management
from aegis.management.first_run import Note
from aegis.management.live.messages import LiveMessage, LiveRows
from aegis.management.settings import ManagementSettings
from aegis_sdk.config import Settings
from aegis_sdk.program import serve
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport_nats import NatsTransport

READY_S = 30.0
PASSWORD = "a password of the tests"


def settings_of(access: NatsAccess, instance: str) -> Settings:
    return Settings(
        nats_url=tuple(access.urls), nats_user=access.user, nats_password=access.password, instance=instance
    )  # type: ignore[arg-type]


async def connected(access: NatsAccess) -> NatsTransport:
    return await NatsTransport.connect(access.urls, user=access.user, password=access.password, name="test")


@asynccontextmanager
async def management(access: NatsAccess, directory: Path, name: str, **settings: Any) -> AsyncGenerator[Management]:
    """An instance that listens on a free port, in this process, run as its program runs it."""
    note = directory / f"{name}.note"
    note.unlink(missing_ok=True)
    service = _Started(ManagementSettings(port=0, note=note, **settings))
    stop = asyncio.Event()
    running = asyncio.create_task(serve(service, settings_of(access, name), stop))
    started = asyncio.create_task(service.started.wait())
    try:
        done, _ = await asyncio.wait({running, started}, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if running in done:
            running.result()
        assert done, "it does not start"
        yield service
    finally:
        started.cancel()
        stop.set()
        await running


class _Started(Management):
    """Says when it serves."""

    def __init__(self, settings: ManagementSettings) -> None:
        super().__init__(settings)
        self.started = asyncio.Event()

    async def run(self) -> None:
        self.started.set()
        await super().run()


def note_of(directory: Path, name: str) -> Note:
    return msgspec.json.decode((directory / f"{name}.note").read_bytes(), type=Note)


class Browser(httpx.AsyncClient):
    """Keeps cookies, and says its origin as a page of the console does."""

    def __init__(self, address: str) -> None:
        super().__init__(base_url=address, headers={"Origin": address}, timeout=30.0)

    async def sign_in(self, user: str, password: str) -> httpx.Response:
        return await self.post("/api/auth/sign-in", json={"user": user, "password": password})

    async def sign_in_anew(self, user: str, first: str, password: str = PASSWORD) -> None:
        """The first sign-in of a user, with the password that was made up."""
        (await self.sign_in(user, first)).raise_for_status()
        (await self.post("/api/auth/password", json={"old": first, "new": password})).raise_for_status()

    async def make_user(self, name: str, role: str) -> str:
        """The password that was made up; we are an administrator."""
        answer = await self.post("/api/users", json={"name": name, "role": role})
        answer.raise_for_status()
        return answer.json()["password"]


def code(answer: httpx.Response) -> str:
    """Of an answer that is a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body["code"]


class Stage:
    """One instance, and whoever signs in to it."""

    def __init__(self, service: Management, stack: AsyncExitStack, admin: Browser) -> None:
        self.service = service
        self.admin = admin
        self._stack = stack

    @property
    def address(self) -> str:
        return self.service.address

    async def stranger(self) -> Browser:
        return await self._stack.enter_async_context(Browser(self.address))

    async def person(self, name: str, role: str) -> Browser:
        first = await self.admin.make_user(name, role)
        browser = await self.stranger()
        await browser.sign_in_anew(name, first)
        return browser


def understood(text: str | bytes) -> dict[str, Any]:
    """A message of /api/live, which is as the document says, its rows too."""
    message: dict[str, Any] = json.loads(text)
    LiveMessage.model_validate(message)
    kind: Any = LiveRows.model_fields.get(message.get("topic", "").partition(".")[0])
    for one in message.get("rows", {}).values() if kind else ():
        row: BaseModel = TypeAdapter(kind.annotation).validate_python(one)
        assert row.model_dump(mode="json").keys() >= one.keys(), message["topic"]
    return message


@asynccontextmanager
async def stage(access: NatsAccess, directory: Path, **settings: Any) -> AsyncGenerator[Stage]:
    """An instance with its administrator signed in."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(management(access, directory, "management-1", **settings))
        admin = await stack.enter_async_context(Browser(service.address))
        await admin.sign_in_anew("admin", note_of(directory, "management-1").password)
        yield Stage(service, stack, admin)
