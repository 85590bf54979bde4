"""The market data service behind a CTP counter, as a program."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from aegis.cli.bench.ctp_parts import profile
from aegis.contracts.marketdata import STATUS, FeedStatus
from aegis.contracts.reasons import sentence_of
from aegis.operations.counter import is_built
from aegis_sdk.client import Client
from aegis_sdk.errors import RpcError
from aegis_sdk.method import Empty
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport
from ctpsim.testing import RunningFront, front

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


async def started(server: EmbeddedServer, login: Path) -> asyncio.subprocess.Process:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AEGIS_")},
        "AEGIS_NATS_URL": ",".join(server.urls),
        "AEGIS_NATS_USER": server.credentials.user,
        "AEGIS_NATS_PASSWORD": server.credentials.password,
        "AEGIS_PROFILE": str(login),
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "aegis.marketdata", env=environment)


async def until_it_is(client: Client, state: str) -> FeedStatus:
    async with asyncio.timeout(30):
        while True:
            try:
                status = await client.call(STATUS, Empty(), timeout=1.0)
                if status.state == state:
                    return status
            except RpcError:  # it only starts
                pass
            await asyncio.sleep(0.05)


async def with_wrong_password(counter: RunningFront, login: Path) -> None:
    text = await asyncio.to_thread(login.read_text)
    await asyncio.to_thread(login.write_text, text.replace(counter.user.password, "wrong"))


async def test_a_login_that_is_refused_for_good_is_not_tried_again_by_starting_again() -> None:
    """Else a supervisor would lock the account: the service stays, and says what is wrong."""
    async with nats_server() as server, front(market="load", instruments=10, rate=100.0) as counter:
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        with profile(counter) as login:
            await with_wrong_password(counter, login)
            process = await started(server, login)
            try:
                status = await until_it_is(Client(transport), "failed")
                assert "could not log in" in sentence_of(status.why)
                assert "error 3" in sentence_of(status.why)
                assert process.returncode is None
                process.terminate()
                assert await process.wait() == 0
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
                await transport.close()
