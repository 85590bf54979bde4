"""What `aegis doctor` says of the ledger, on one server and on three."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from aegis.cli.desk_checks import desk_checks
from aegis.cli.ledger_checks import ledger_checks
from aegis.operations.state import StateDirectory
from aegis_sdk.ledger import Ledger
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport, streams


@asynccontextmanager
async def connected(nodes: Literal[1, 3]) -> AsyncIterator[tuple[EmbeddedServer, NatsTransport]]:
    async with nats_server(nodes) as server:
        user = server.credentials
        transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
        try:
            yield server, transport
        finally:
            await transport.close()


async def test_a_sound_ledger_on_three_servers_has_three_replicas() -> None:
    async with connected(3) as (_, transport):
        assert await ledger_checks(transport) == []
        await Ledger.open(transport, "accounts", replicas=3)
        found = {one.name: (one.outcome, one.found) for one in await ledger_checks(transport)}
        assert found == {f"LEDGER_{shard}": ("OK", "replicas: 3, servers: 3") for shard in range(3)}


async def test_a_server_that_leads_more_than_one_shard_is_warned_of() -> None:
    """As after its fellow was away: nothing moves leaders back by itself."""
    async with connected(3) as (server, transport):
        await Ledger.open(transport, "accounts", replicas=3)
        leader = (await streams.api(transport, "STREAM.INFO.LEDGER_0"))["cluster"]["leader"]
        node = next(node for node in server.nodes if node.name == leader)
        await node.stop()
        await node.start()
        async with asyncio.timeout(30):
            while not (warned := [one for one in await ledger_checks(transport) if one.name == "ledger leaders"]):
                pass
        assert warned[0].outcome == "WARN"
        assert "losing it stops them all" in warned[0].found
        assert "step-down LEDGER_" in warned[0].todo


async def test_a_ledger_of_one_replica_among_three_servers_fails_and_says_what_to_do() -> None:
    async with connected(3) as (_, transport):
        await Ledger.open(transport, "accounts", replicas=1)
        [check] = await ledger_checks(transport)
        assert (check.name, check.outcome) == ("LEDGER_0", "FAIL")
        assert "1 of 3 replicas" in check.found
        assert "nats stream edit LEDGER_0 --replicas 3" in check.todo


async def test_doctor_looks_at_the_settings_of_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(1) as (server, transport):
        sound = StreamConfig(name="LEDGER_0", subjects=["ledger.0.*.*.*"], allow_direct=False, rollup=True, atomic=True)
        await transport.ensure_stream(sound)
        assert [(one.name, one.outcome) for one in await ledger_checks(transport)] == [("LEDGER_0", "OK")]
        await transport.ensure_stream(StreamConfig(name="LEDGER_0", subjects=["ledger.0.*.*.*"]))
        monkeypatch.setenv("AEGIS_NATS_URL", ",".join(server.urls))
        monkeypatch.setenv("AEGIS_NATS_USER", server.credentials.user)
        monkeypatch.setenv("AEGIS_NATS_PASSWORD", server.credentials.password)
        found = [one for one in await desk_checks(StateDirectory(tmp_path)) if one.name == "LEDGER_0"]
        assert {one.outcome for one in found} == {"FAIL"}
        settings = ("allow_direct", "allow_rollup_hdrs", "allow_atomic")
        assert all(any(setting in one.found for one in found) for setting in settings)
