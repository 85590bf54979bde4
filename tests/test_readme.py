"""The README keeps its word."""

import asyncio
import os
import re
import sys
from pathlib import Path

from aegis_sdk import Client, NatsTransport
from aegis_sdk.testing import nats_server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_every_link_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            assert "://" in link or (document.parent / link).exists(), f"{document.name}: {link}"


async def test_its_service_runs_and_answers_and_stops(tmp_path: Path) -> None:
    """As a program of its own, by nothing but the environment."""
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    program = tmp_path / "doubler.py"
    program.write_text(code)
    async with nats_server() as server, asyncio.timeout(30):
        user = server.credentials
        access = {"AEGIS_NATS_URL": server.urls[0], "AEGIS_NATS_USER": user.user, "AEGIS_NATS_PASSWORD": user.password}
        process = await asyncio.create_subprocess_exec(sys.executable, program, env={**os.environ, **access})
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        arrived = asyncio.Event()
        await transport.subscribe(
            "hb.doubler.*", lambda message: arrived.set() if b"ACTIVE" in message.payload else None
        )
        await arrived.wait()
        assert await Client(transport).call_json("doubler", "double", {"value": 21}) == {"value": 42.0}
        process.terminate()
        assert await process.wait() == 0
        await transport.close()
