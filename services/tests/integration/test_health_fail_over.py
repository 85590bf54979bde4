"""The agent fails over: two instances of a feed set and one of another, on a real server, at 20 times the pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from health_desk import CONTRACTS, DEADLINE_S, QUICK, Deaf, OneSession, Running, hosted

from aegis.contracts.reasons import Reason
from aegis.marketdata.bootstrap import build
from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.desk import Desk
from aegis.marketdata.health.domain.repairs import Kind, Repair
from aegis.marketdata.health.settings import HealthSettings
from aegis_sdk.discovery import Directory
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def test_it_fails_over_to_an_instance_of_its_feed_set_and_to_no_other(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stack.enter_async_context(asyncio.timeout(2 * DEADLINE_S))
    server = await stack.enter_async_context(nats_server())
    user = server.credentials
    feeds: list[Deaf] = []

    def feed(_: object) -> Deaf:
        feeds.append(OneSession())
        return feeds[-1]

    monkeypatch.setattr("aegis.marketdata.bootstrap.SimulatedFeed", feed)

    async def connected() -> Transport:
        return await NatsTransport.connect(server.urls, user=user.user, password=user.password)

    async def bring(instance: str, of: str) -> None:
        made = build({"AEGIS_NATS_URL": server.urls[0], "AEGIS_WANTED": "nothing", "AEGIS_FEED": of})
        await stack.enter_async_context(hosted(await connected(), made, instance))

    await bring("marketdata-1", "main")
    await bring("others-1", "others")
    agent = HealthAgent(HealthSettings(), patience=replace(QUICK, fail_over_s=DEADLINE_S))
    await stack.enter_async_context(hosted(await connected(), agent, "health-1"))
    running = Running(await connected(), feeds[0], [agent])
    stack.push_async_callback(running.transport.close)
    await running.subscribe("marketdata-1")
    await running.warm()

    directory = await stack.enter_async_context(Directory.open(running.transport, service="marketdata"))
    await directory.wait_for(lambda table: sum(bool(one.record.keys) for one in table.instances()) == 2, DEADLINE_S)
    repair = Repair(kind=Kind.FAIL_OVER)
    outcome = await Desk(running.client, directory, "main").do(repair, "marketdata-1")
    assert outcome == ("not_possible", Reason.of("no_taker", holder="marketdata-1", feed="main"))

    await bring("marketdata-2", "main")
    await running.until(lambda report: [one.status for one in report.instances] == ["ACTIVE", "STANDBY"])
    feeds[0].muted.update(CONTRACTS)
    await running.until(
        lambda report: (
            [(one.instance, one.holds, one.status) for one in report.instances]
            == [("marketdata-2", True, "ACTIVE"), ("marketdata-1", False, "STANDBY")]
        )
    )
    report = await running.until(lambda report: report.level == "healthy")
    assert [(one.kind, one.outcome, one.result) for one in report.repairs] == [
        ("renew", "failed", Reason("one_session")),
        ("renew", "failed", Reason.of("renewed_lately", seconds="15")),
        ("fail_over", "done", Reason.of("given_up", holder="marketdata-1", feed="main")),
    ]
