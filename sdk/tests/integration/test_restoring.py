"""The steps of "Restoring a ledger" in docs/operations.md, with its own script, on stores of real servers."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from aegis_sdk.election_events import Claim
from aegis_sdk.ledger import Journal, Ledger
from aegis_sdk.ledger.records import Result, Verdict, encode_entry
from aegis_sdk.server import EmbeddedServer, ServerOptions
from aegis_sdk.transport_nats import NatsTransport

from .instance_processes import running

DEADLINE_S = 90
TIMEOUT_S = 5.0
KEYS = [f"k{number}" for number in range(6)]
ABOVE = 1_000_000_000_000
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def script() -> str:
    """The program that the section shows."""
    _, section = OPERATIONS.read_text().split("## Restoring a ledger")
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@asynccontextmanager
async def connected(directory: Path, nodes: Literal[1, 3]) -> AsyncIterator[tuple[EmbeddedServer, NatsTransport]]:
    async with EmbeddedServer(ServerOptions(directory=directory, nodes=nodes)) as server:
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        try:
            yield server, transport
        finally:
            await transport.close()


async def claimed(ledger: Ledger) -> dict[str, int]:
    """The new epoch of each key, none of which is held."""
    claims = [Claim(key, 0, 0, 75) for key in KEYS]
    outcomes = await ledger.claim(claims, holder="a-1", incarnation="i", attempt="t", timeout=TIMEOUT_S)
    epochs = {key: epoch for key, epoch in outcomes.items() if isinstance(epoch, int)}
    assert epochs.keys() == set(KEYS)
    return epochs


async def outcomes_of(ledger: Ledger, key: str) -> list[str]:
    journal = Journal()
    async with ledger.journals(ledger.shard(key), key) as entries:
        async for read in entries:
            if read is None:
                break
            journal.take(read.entry, read.sequence)
    return list(journal.outcomes)


@pytest.mark.parametrize("nodes", [1, 3])
async def test_a_ledger_is_restored_from_copied_stores_by_the_script_of_the_documentation(
    tmp_path: Path, nodes: Literal[1, 3]
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        async with connected(tmp_path / "live", nodes) as (_, transport):
            ledger = await Ledger.open(transport, "accounts", replicas=nodes)
            for key, epoch in (await claimed(ledger)).items():
                entry = encode_entry(epoch, 1, [Result(f"call-{key}", Verdict.OK)])
                await ledger.epoch(key, epoch).commit(entry, TIMEOUT_S)
        shutil.copytree(tmp_path / "live", tmp_path / "backup")
        program = tmp_path / "restore_ledger.py"
        program.write_text(script())
        async with connected(tmp_path / "new", nodes) as (server, target):
            settings = {
                "AEGIS_NATS_URL": ",".join(server.urls),
                "AEGIS_NATS_USER": server.credentials.user,
                "AEGIS_NATS_PASSWORD": server.credentials.password,
                "AEGIS_NATS_REPLICAS": str(nodes),
            }
            async with running(str(program), str(tmp_path / "backup"), str(ABOVE), **settings) as process:
                said, _ = await process.communicate()
                assert process.returncode == 0
            assert f"{len(KEYS)} journals restored, with {nodes} replicas" in said.decode()
            restored = await Ledger.open(target, "accounts", replicas=nodes)
            assert restored.shards == ledger.shards
            for shard in range(restored.shards):
                assert (await target.stream_config(f"LEDGER_{shard}")).replicas == nodes
            assert min((await claimed(restored)).values()) > ABOVE
            for key in KEYS:
                assert await outcomes_of(restored, key) == [f"call-{key}"]
