"""A service as a process of its own."""

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from aegis_sdk.config import Settings
from aegis_sdk.discovery import Directory
from aegis_sdk.messages import Message
from aegis_sdk.program import serve
from aegis_sdk.testing import NatsAccess
from aegis_sdk.timers import PRESETS
from aegis_sdk.transport_nats import NatsTransport

from .instance_processes import running
from .single_active_program import Accounts

DEADLINE_S = 60.0
ACTIVE_PROGRAM = Path(__file__).with_name("single_active_program.py")
PROGRAM = Path(__file__).with_name("failing_service.py")


async def run_program(access: NatsAccess) -> tuple[int | None, str]:
    """Its exit code, and what it wrote to standard error."""
    settings = {
        "AEGIS_NATS_URL": access.url,
        "AEGIS_NATS_USER": access.user,
        "AEGIS_NATS_PASSWORD": access.password,
        "AEGIS_INSTANCE": "failing-1",
    }
    program = await asyncio.create_subprocess_exec(
        sys.executable, str(PROGRAM), env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE
    )
    _, written = await program.communicate()
    return program.returncode, written.decode()


async def test_a_service_that_fails_and_cannot_stop_either_tells_the_first_cause_and_says_goodbye(
    nats_access: NatsAccess,
) -> None:
    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    beats: list[Message] = []
    await transport.subscribe("hb.failing.failing-1", beats.append)
    await transport.flush()
    async with asyncio.timeout(DEADLINE_S):
        code, written = await run_program(nats_access)
    await transport.flush()
    await transport.close()
    assert "Event loop is closed" not in written
    events: list[dict[str, Any]] = [json.loads(line) for line in written.splitlines()]
    failures = [event for event in events if event["event"] == "service_failed"]
    assert code == 1
    assert [failure["reason"] for failure in failures] == ["LookupError('the real cause')"]
    assert any(event["event"] == "stop_failed" and "broken" in event["reason"] for event in events)
    assert json.loads(beats[-1].payload)["status"] == "GONE"


async def test_the_timers_of_a_service_with_keys_are_chosen_by_name(nats_access: NatsAccess) -> None:
    """Its heartbeats, which others judge it by, show which ones it has."""
    service = f"t{uuid4().hex[:12]}"
    settings = {
        "AEGIS_NATS_URL": nats_access.url,
        "AEGIS_NATS_USER": nats_access.user,
        "AEGIS_NATS_PASSWORD": nats_access.password,
    }
    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    async with Directory.open(transport, service=service) as directory, AsyncExitStack() as stack:
        for preset in PRESETS:
            chosen = {"AEGIS_INSTANCE": preset, "AEGIS_TIMERS": preset}
            await stack.enter_async_context(running(str(ACTIVE_PROGRAM), service, **settings, **chosen))
        await directory.wait_for(lambda found: len(found.instances(service)) == len(PRESETS), DEADLINE_S)
        found = {one.record.instance: one.record.heartbeat_s for one in directory.instances(service)}
    await transport.close()
    assert found == {preset: timers.heartbeat_s for preset, timers in PRESETS.items()}


async def test_a_service_with_keys_that_is_stopped_while_it_starts_ends_in_order(nats_access: NatsAccess) -> None:
    class Early(Accounts):
        name = f"t{uuid4().hex[:12]}"

    settings = Settings(
        nats_url=tuple(nats_access.urls),
        nats_user=nats_access.user,
        nats_password=SecretStr(nats_access.password),
        instance="a",
    )
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(DEADLINE_S):
        await serve(Early(), settings, stop)
