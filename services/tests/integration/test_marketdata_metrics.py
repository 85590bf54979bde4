"""The figures of the real process, as Prometheus reads them, are those that its status tells."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

from marketdata_process import (
    DEADLINE_S,
    Running,
    environment,
    figure,
    marketdata,
    page,
    port_of,
    replayed,
    scraped,
)
from prometheus_client.parser import text_string_to_metric_families

from aegis.contracts.marketdata import FeedStatus
from aegis_sdk.testing import nats_server

UNITS = ("seconds", "bytes", "ticks", "quotes", "instruments", "requests", "keys", "events", "info", "state", "status")
OCCURRENCES = ("reconnects_total", "repairs_total", "switches_total", "standstills_total")
"""Counters of what has no other unit than its own."""

ROWS = [f"20260302,rb260{month},SHFE,{3500 + i}.0,{i},{i},09:00:{i % 60:02},0" for i in range(50) for month in (5, 9)]
WRONG = "20260302,rb2605,SHFE,x,1,1,09:00:00,0"


async def settled(running: Running, ticks: int) -> FeedStatus:
    while True:
        status = await running.status()
        if status.stored == ticks and status.state == "ended":
            return status


async def test_what_prometheus_reads_is_what_the_status_tells(tmp_path: Path) -> None:
    settings = replayed(tmp_path / "ticks.csv", *ROWS, WRONG, WRONG)
    async with nats_server() as server, marketdata(server, **settings) as running, asyncio.timeout(DEADLINE_S):
        status = await settled(running, len(ROWS))
        port = await port_of(running)
        samples = await scraped(port)
        assert figure(samples, "received_ticks_total") == status.received == len(ROWS)
        assert figure(samples, "published_ticks_total") == status.published == len(ROWS)
        assert figure(samples, "stored_ticks") == status.stored
        assert figure(samples, "conflated_ticks_total") == status.conflated == 0
        assert figure(samples, "dropped_ticks_total", reason="lost") == status.lost == 0
        assert figure(samples, "dropped_ticks_total", reason="unserializable") == status.unserializable
        assert figure(samples, "republished_ticks_total") == status.republished
        assert figure(samples, "repairs_total") == status.repairs
        counts = {"listed": status.instruments, "wanted": status.wanted, "subscribed": 2, "ticking": 2, "refused": 0}
        for which, count in counts.items():
            assert figure(samples, "instruments", which=which) == count
        assert figure(samples, "session_state", state=status.state) == 1
        assert figure(samples, "session_reconnects_total") == 0
        rejected = {one.labels["reason"]: one.value for one in samples if "rejected_quotes_total" in one.name}
        assert rejected == status.rejected
        assert sum(rejected.values()) == 2
        rings = {one.labels["ring"]: one.value for one in samples if one.name == "aegis_marketdata_ring_ticks"}
        assert sum(rings.values()) == status.waiting == 0
        assert 1 <= figure(samples, "store_latency_seconds_count") <= len(ROWS)
        assert 0 < figure(samples, "store_latency_seconds_sum") < DEADLINE_S
        asked = [one for one in samples if one.name == "aegis_rpc_requests_total" and one.labels["method"] == "status"]
        assert [one.labels["code"] for one in asked] == ["ok"]
        assert asked[0].value >= 1
        while (told := json.loads((await page(port, "/healthz"))[1]))["status"] != "ACTIVE":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert told == {"healthy": True, "status": "ACTIVE"}
        await running.stop()


async def test_every_figure_is_named_by_its_unit_and_told_what_it_is(tmp_path: Path) -> None:
    settings = replayed(tmp_path / "ticks.csv", *ROWS)
    async with nats_server() as server, marketdata(server, **settings) as running, asyncio.timeout(DEADLINE_S):
        _, text = await page(await port_of(running), "/metrics")
        await running.stop()
    families = [one for one in text_string_to_metric_families(text) if one.name.startswith("aegis_")]
    assert len(families) > 20
    for family in families:
        assert family.documentation.endswith(".")
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert re.search(rf"_({'|'.join(UNITS)})(_total)?$", name) or name.endswith(OCCURRENCES), name
        assert (family.type == "counter") == name.endswith("_total")


async def test_an_outage_of_nats_is_seen_on_the_pages_of_a_process_that_cannot_tell_it_otherwise() -> None:
    async with nats_server() as server, marketdata(server, AEGIS_RATE="500") as running, asyncio.timeout(DEADLINE_S):
        port = await port_of(running)
        await server.nodes[0].kill()
        while (await page(port, "/healthz"))[0] == 200:
            pass
        connection = {one.labels["state"]: one.value for one in await scraped(port) if "connection_state" in one.name}
        assert connection["reconnecting"] == 1
        await server.nodes[0].start()
        while figure(samples := await scraped(port), "repairs_total") < 1:
            pass
        assert [one.value for one in samples if one.name == "aegis_nats_reconnects_total"] == [1]
        assert (await page(port, "/healthz"))[0] == 200


async def test_a_port_that_is_in_use_ends_the_start_with_its_name() -> None:
    listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with nats_server() as server, asyncio.timeout(DEADLINE_S):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "aegis.marketdata"),
            env=environment(server, AEGIS_METRICS_PORT=str(port)),
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
    listening.close()
    assert process.returncode == 2
    assert f"AEGIS_METRICS_PORT: 127.0.0.1:{port} cannot be used" in errors.decode().splitlines()[-1]
