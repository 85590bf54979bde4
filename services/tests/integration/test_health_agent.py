"""The agent, market data and the operations plane in this process, over a broker in memory, at 20 times the pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from health_desk import (
    CONTRACTS,
    DEADLINE_S,
    IMPATIENT,
    QUICK,
    Deaf,
    OneSession,
    Operations,
    Running,
    Sick,
    desk,
    hosted,
)

from aegis.cli.health_source import Source
from aegis.contracts.health import Escalation, HealthChanged, RecoveryAnswer
from aegis.contracts.marketdata import STATUS
from aegis.contracts.reasons import Reason, sentence_of
from aegis.contracts.repairs import RENEW, RESUBSCRIBE, RenewRequest, ResubscribeRequest
from aegis.contracts.subscriptions import SUBSCRIBE, WishRequest
from aegis.marketdata.bootstrap import build
from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.desk import Desk
from aegis.marketdata.health.domain.repairs import Kind, Repair
from aegis.marketdata.health.settings import HealthSettings
from aegis_sdk import Empty, Events
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import Rejected, RpcError
from aegis_sdk.single_active.operations import Handover, drain_of, handover_of
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def test_what_no_repair_heals_is_told_to_operations_which_may_have_it_tried_anew(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(RecoveryAnswer(decision="retry", note="mended"))
    running = await desk(stack, monkeypatch, operations)
    running.feed.muted.add(CONTRACTS[0])
    report = await running.until(lambda report: len(operations.told) == 2 and bool(report.escalated))
    assert (report.level, report.exit_code, report.escalated) == ("critical", 2, [CONTRACTS[0]])
    [case] = report.cases
    assert (case.instrument, case.verdict, case.attempts) == (CONTRACTS[0], "stalled", 5)
    ladder = [(one.kind, one.outcome) for one in report.repairs]
    steps = [
        ("resubscribe", "done"),
        ("resubscribe", "done"),
        ("renew", "done"),
        ("fail_over", "not_possible"),
        ("escalate", "done"),
    ]
    assert ladder[:5] == steps
    assert [kind for kind, _ in ladder[5:]] == [kind for kind, _ in steps]
    first, _ = operations.told
    assert (first.feed, first.named, first.instruments) == ("main", [CONTRACTS[0]], 1)
    assert [one.kind for one in first.tried] == [kind for kind, _ in steps]

    async with Events(running.transport).follow("event.health.main.escalated", Escalation) as events:
        assert (await anext(events)).body == first
    figures = running.figures()
    assert figures["aegis_health_level_state", "healthy"] == 0
    assert figures["aegis_health_repairs_total", "resubscribe", "done"] == 4
    assert figures["aegis_health_repairs_total", "escalate", "done"] == 2
    assert figures["aegis_health_instruments", "stalled"] == 1
    assert figures["aegis_health_coverage_ratio", "SHFE"] == pytest.approx(5 / 6)

    assert len(running.repairers) == 1, "of two agents"
    running.feed.muted.clear()
    await running.until(lambda report: report.level == "healthy" and not report.escalated)


async def test_that_nobody_publishes_is_told_to_operations(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where an instance is there, ready and ticking, but publishes nothing, nor where there is none."""
    monkeypatch.setattr("aegis.marketdata.health.domain.judge.DOWN_S", 0.5)
    operations = Operations(RecoveryAnswer(), RecoveryAnswer(decision="retry"))
    running = await desk(stack, monkeypatch, operations)
    await running.client.call(drain_of("marketdata"), Empty(), instance="marketdata-1", timeout=DEADLINE_S)
    report = await running.until(lambda _: bool(operations.told))
    assert (report.level, report.exit_code, sentence_of(report.why)) == ("critical", 2, "nobody publishes the feed")
    assert report.in_all.verdicts == {"session_down": len(CONTRACTS)}
    [instance] = report.instances
    assert (instance.state, instance.holds) == ("ready", False)
    assert sentence_of(operations.told[0].why) == "nobody publishes the feed"

    await running.market.aclose()
    report = await running.until(lambda report: not report.instances)
    assert (report.level, report.exit_code) == ("critical", 2)
    assert sentence_of(report.why) == "no instance of market data with the feed main is there"
    assert [(one.kind, one.outcome) for one in operations.told[0].tried] == [
        ("fail_over", "not_possible"),
        ("escalate", "done"),
    ]


async def test_operations_may_hold_all_repairs(stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    operations = Operations(RecoveryAnswer(decision="hold", hold_s=600))
    monkeypatch.setattr("aegis.marketdata.health.domain.summary.CRITICAL_BELOW", 0.5)  # of six, one is little
    running = await desk(stack, monkeypatch, operations, IMPATIENT)
    running.feed.muted.add(CONTRACTS[0])
    report = await running.until(lambda report: bool(report.escalated))
    assert (report.level, sentence_of(report.why)) == ("critical", "1 stalled; repairs have not helped")
    async with Events(running.transport).follow("event.health.main.changed", HealthChanged) as events:
        told = [await anext(events) for _ in range(2)]
    said = [(event.body.level, sentence_of(event.body.why)) for event in told]
    assert said == [("degraded", "1 stalled"), ("critical", "1 stalled; repairs have not helped")]
    assert running.figures()["aegis_health_level_state", "critical"] == 1
    running.feed.muted.add(CONTRACTS[1])
    report = await running.until(lambda report: len(report.cases) == 2)
    assert len(report.repairs) == 5, "nothing was tried for the second one"
    [first] = running.repairers
    await running.client.call(handover_of("health"), Handover(key="main"), instance=first.instance, timeout=DEADLINE_S)
    await running.until(lambda later: later.agent_epoch != report.agent_epoch and len(later.cases) == 2)
    running.feed.muted.add(CONTRACTS[2])
    await running.until(lambda report: len(report.cases) == 3)
    assert running.repairers == [first], "nor by the other agent"
    assert running.figures()["aegis_health_level_state", "degraded"] == 1, (
        "what it had left to people is the other's word"
    )


async def test_a_hook_that_hangs_or_fails_keeps_nobody_from_looking_and_telling(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.marketdata.health.agent.ANSWER_S", 3.0)
    hook = Sick()
    running = await desk(stack, monkeypatch, patience=IMPATIENT, hook=hook)
    follow = Events(running.transport).follow("event.health.main.changed", HealthChanged)
    changes = await stack.enter_async_context(follow)
    running.feed.muted.add(CONTRACTS[0])
    await hook.asked.wait()
    running.feed.muted.add(CONTRACTS[1])
    async for change in changes:
        if change.body.named == sorted(CONTRACTS[:2]):
            break
    assert not hook.given_up.is_set(), "the second one was told while the hook was waited for"
    await hook.given_up.wait()
    await hook.failed.wait()
    running.feed.muted.clear()
    async for change in changes:
        if change.body.level == "healthy":
            break


async def test_an_agent_without_repairs_finds_the_same_and_touches_nothing(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desk(stack, monkeypatch, repairs="off")
    before = await running.client.call(STATUS, Empty())
    running.feed.muted.add(CONTRACTS[0])
    report = await running.until(lambda report: bool(report.cases))
    assert (report.level, report.repairs_on) == ("critical", False), "five of six are less than nine in ten"
    running.feed.muted.clear()
    report = await running.until(lambda report: report.level == "healthy")
    after = await running.client.call(STATUS, Empty())
    assert report.repairs == []
    assert (after.session, after.subscribed) == (before.session, before.subscribed)

    others = [f"DCE.{symbol}" for symbol in ("m2505", "y2505", "p2505")]
    wish = WishRequest(consumer="b", instruments=others)
    await running.client.call(SUBSCRIBE, wish, instance="marketdata-1", timeout=DEADLINE_S)
    await running.until(lambda report: report.in_all.ticked == len([*CONTRACTS, *others]))
    running.feed.muted.update(CONTRACTS)
    await running.until(lambda report: sentence_of(report.why) == "no ticks of SHFE")
    async with Source.open(running.transport, "main", read_only=True, look_s=1.0) as source:
        report = await source.report()
    assert (report.level, report.exit_code) == ("unknown", 3), "a look that began after it knows no pace"
    assert sentence_of(report.why) == "nothing was heard of SHFE yet"


async def test_repairs_that_are_asked_for_too_often_are_refused(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await desk(stack, monkeypatch, repairs="off")
    call = running.client.call
    before = await call(STATUS, Empty())
    again = ResubscribeRequest(instruments=[*CONTRACTS[:2], "SHFE.none", "nonsense"])
    assert (await call(RESUBSCRIBE, again)).instruments == 2
    with pytest.raises(Rejected, match="one resubscription"):
        await call(RESUBSCRIBE, again)
    assert (await call(RENEW, RenewRequest())).session == before.session
    with pytest.raises(RpcError):
        await call(RENEW, RenewRequest())
    await running.until(lambda report: report.instances[0].session != before.session)


async def test_a_failure_to_ask_market_data_is_told_as_unknown_and_outlived(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aegis.marketdata.health.watch._TOO_OLD_S", 2.0)
    running = await desk(stack, monkeypatch)

    async def out_of_order(desk: Desk) -> None:
        raise ValueError("no such thing")

    with monkeypatch.context() as broken:
        broken.setattr(Desk, "publishers", out_of_order)
        report = await running.until(lambda report: report.level != "healthy")
    assert (report.level, report.exit_code) == ("unknown", 3)
    assert sentence_of(report.why) == "market data cannot be asked: no such thing"
    await running.until(lambda report: report.level == "healthy")


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
    report = await running.until(lambda report: report.instances[0].instance == "marketdata-2")
    assert [(one.holds, one.status) for one in report.instances] == [(True, "ACTIVE"), (False, "STANDBY")]
    report = await running.until(lambda report: report.level == "healthy")
    assert [(one.kind, one.outcome, one.result) for one in report.repairs] == [
        ("renew", "failed", Reason("one_session")),
        ("renew", "failed", Reason.of("renewed_lately", seconds="15")),
        ("fail_over", "done", Reason.of("given_up", holder="marketdata-1", feed="main")),
    ]
