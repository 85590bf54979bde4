"""What the programs of a single-active service tell of their keys to Prometheus."""

from __future__ import annotations

import asyncio
import signal
import urllib.request
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from aegis_sdk.discovery import Directory
from aegis_sdk.testing import NatsAccess

from .test_single_active import DEADLINE_S, Group, Program, begun, handed_over

Figures = dict[tuple[str, ...], float]


async def scraped(group: Group, program: Program) -> Figures:
    """Each sample by its name and the values of its labels."""
    async with Directory.open(group.transport, service=group.service) as directory:
        await directory.wait_for(lambda found: program.instance in names(found, group.service), DEADLINE_S)
        [port] = [
            one.record.metrics_port
            for one in directory.instances(group.service)
            if one.record.instance == program.instance
        ]

    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            return reply.read().decode()

    families = text_string_to_metric_families(await asyncio.to_thread(get))
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def names(directory: Directory, service: str) -> set[str]:
    return {one.record.instance for one in directory.instances(service)}


async def until(group: Group, program: Program, condition: Callable[[Figures], bool]) -> Figures:
    async with asyncio.timeout(DEADLINE_S):
        while not condition(found := await scraped(group, program)):
            pass
    return found


def roles(figures: Figures) -> dict[str, float]:
    return {key[1]: value for key, value in figures.items() if key[0] == "aegis_active_keys" and value}


def switched(figures: Figures) -> list[float]:
    """Keys that were taken, given and lost."""
    return [figures["aegis_active_switches_total", way] for way in ("taken", "given", "lost")]


def has_given(figures: Figures) -> bool:
    """Each turn that it took: the last to another, one before perhaps in vain."""
    taken, given, lost = switched(figures)
    return taken == given >= 1 and lost == 0


async def test_roles_switches_and_writes_are_told(nats_access: NatsAccess) -> None:
    async with begun(nats_access) as group:
        first, second = await group.pair()
        for _ in range(3):
            await group.deposit(1)
        holder, standby = await scraped(group, first), await scraped(group, second)
        assert (roles(holder), roles(standby)) == ({"ACTIVE": 1}, {"STANDBY": 1})
        assert (switched(holder), switched(standby)) == ([1, 0, 0], [0, 0, 0])
        assert holder["aegis_rpc_requests_total", "ok", "deposit", "active"] == 3
        assert holder["aegis_rpc_latency_seconds_count", "deposit", "active"] == 3
        assert holder["aegis_active_write_seconds_count",] >= 3
        assert 0 < holder["aegis_active_write_seconds_sum",] < DEADLINE_S
        await handed_over(group, first, second)
        taken = {"ACTIVE": 1}, [1, 0, 0]
        await until(group, second, lambda figures: (roles(figures), switched(figures)) == taken)
        await until(group, first, lambda figures: roles(figures) == {"STANDBY": 1} and has_given(figures))
        took = first.count("active")
        second.process.send_signal(signal.SIGSTOP)
        await first.says("active", after=took)
        second.process.send_signal(signal.SIGCONT)
        is_lost = {"STANDBY": 1}, [1, 0, 1]
        lost = await until(group, second, lambda figures: (roles(figures), switched(figures)) == is_lost)
        assert lost["aegis_active_standstills_total",] >= 1
