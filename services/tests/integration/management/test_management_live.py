"""Live topics over the real WebSocket and as server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from management_stage import PASSWORD, Browser, Stage, management, stage, understood
from management_tab import DEADLINE_S, tab
from small_services import Books, Echo, Word, running
from websockets.exceptions import ConnectionClosed, InvalidStatus

from aegis.management import logs
from aegis.management.charts import lines
from aegis.management.endpoints import live, metrics
from aegis.management.live import hub as hub_module
from aegis.management.logs import entry_of
from aegis_sdk import sampling, subjects
from aegis_sdk.client import Client as AegisClient
from aegis_sdk.errors import DeadlineExceeded
from aegis_sdk.events import STREAM as EVENTS
from aegis_sdk.kv import KeyValue
from aegis_sdk.ledger import KeyName
from aegis_sdk.messages import StoredMessage
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport import StreamConfig

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(access: NatsAccess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "_EVERY_S", 0.1)
        async with stage(access, tmp_path_factory.mktemp("management")) as ready:
            yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def viewer(desk: Stage) -> Browser:
    return await desk.person("vera", "viewer")


async def test_a_tab_sees_an_instance_come_and_go(access: NatsAccess, viewer: Browser) -> None:
    async with tab(viewer) as client:
        assert (await client.told("hello"))["instance"] == "management-1"
        await client.ask("subscribe", "instances", "leases", "beats")
        await client.until(lambda: "management.management-1" in client.tables.get("instances", {}))
        async with running(access, "echo-1", Echo()):
            await client.until(lambda: client.tables["instances"].get("echo.echo-1", {}).get("status") == "ACTIVE")
            await client.until(lambda: "echo.echo-1" in client.tables.get("beats", {}))
        await client.until(lambda: client.tables["instances"]["echo.echo-1"]["status"] == "GONE")
        await client.until(lambda: "echo.echo-1" not in client.tables["instances"])
        assert client.kinds.count(("snapshot", "instances")) == 1
        await client.told("alive")


async def test_a_tab_goes_on_after_a_cut_where_it_was(access: NatsAccess, viewer: Browser) -> None:
    async with tab(viewer) as first:
        await first.ask("subscribe", "instances")
        await first.until(lambda: "management.management-1" in first.tables.get("instances", {}))
    async with running(access, "echo-2", Echo()), tab(viewer) as second:
        second.tables = first.tables
        await second.ask("subscribe", first.places["instances"])
        await second.until(lambda: "echo.echo-2" in second.tables["instances"])
        assert ("snapshot", "instances") not in second.kinds
    async with tab(viewer) as third:
        await third.ask("subscribe", {**first.places["instances"], "origin": "00000000"})
        await third.until(lambda: ("snapshot", "instances") in third.kinds)


async def test_every_instance_tells_its_load_and_both_instances_of_the_management_show_it(
    access: NatsAccess, desk: Stage, viewer: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = AegisClient(desk.service.transport)
    async with management(access, tmp_path, "management-2") as second, Browser(second.address) as other:
        await other.sign_in("vera", PASSWORD)
        async with running(access, "echo-1", Echo()), tab(viewer) as client_1, tab(other) as client_2:
            for each in (client_1, client_2):
                await each.ask("subscribe", "metrics")
            rows = [each.tables.setdefault("metrics", {}) for each in (client_1, client_2)]
            await client_1.until(lambda: "echo.echo-1" in rows[0])
            async with asyncio.TaskGroup() as group:
                calling = group.create_task(_call(client))
                await client_1.until(lambda: rows[0]["echo.echo-1"]["calls_per_s"] > 0)
                calling.cancel()
            row = dict(rows[0]["echo.echo-1"])
            await client_2.until(lambda: rows[1].get("echo.echo-1", row)["at"] > row["at"])
            assert row["methods"][0]["method"] == "say"
            assert row["memory_bytes"] > 10_000_000
            shown = {one["instance"] for one in (await other.get("/api/metrics")).json()}
            assert {"echo-1", "management-1", "management-2"} <= shown
            assert [one["service"] for one in (await viewer.get("/api/metrics?service=echo")).json()] == ["echo"]
            asked = {"service": "echo", "instance": "echo-1", "metric": ["calls_per_s", "methods.any.say.p99_ms"]}
            loop = threading.get_ident()

            def drawn(*asked: Any) -> Any:
                assert threading.get_ident() != loop, "it would hinder all who follow"
                assert min(one.app.state.parts.history._value for one in (desk.service, second)) < 2, "others wait"
                return lines(*asked)

            monkeypatch.setattr(metrics, "lines", drawn)
            async with asyncio.timeout(DEADLINE_S):
                while True:  # a figure is shown before it is stored
                    charts = [(await one.get("/api/metrics/history", params=asked)).json() for one in (viewer, other)]
                    calls, slow = charts[0]["lines"]
                    if any(calls["highest"]) and any(slow["mean"]):
                        break
            assert charts[1]["times"][0] == charts[0]["times"][0]
            assert "cpu" in charts[0]["known"]
        async with tab(viewer) as client_3:
            await client_3.ask("subscribe", "metrics")
            await client_3.until(lambda: "echo.echo-1" not in client_3.tables.get("metrics", {"echo.echo-1": 0}))
    assert "echo-1" not in {one["instance"] for one in (await viewer.get("/api/metrics")).json()}
    kept = (await viewer.get("/api/metrics/history", params=asked)).json()
    assert max(kept["lines"][0]["highest"]) >= max(calls["highest"])


async def _call(client: AegisClient) -> None:
    while True:
        await client.call(Echo.say, Word())


async def test_consumers_of_all_streams_are_one_topic(desk: Stage, viewer: Browser) -> None:
    async with desk.service.transport.read("AUDIT") as messages, tab(viewer) as client:
        await anext(messages)
        await client.ask("subscribe", "consumers")
        await client.told("snapshot")
        reading = (await viewer.get("/api/nats/streams/AUDIT/consumers")).json()
        assert reading
        rows = client.tables["consumers"].items()
        assert {key for key, row in rows if row["stream"] == "AUDIT"} == {f"AUDIT.{one['name']}" for one in reading}


async def test_topics_have_their_roles_and_what_is_no_topic_is_refused(desk: Stage, viewer: Browser) -> None:
    async with tab(viewer) as client:
        await client.ask("subscribe", "audit")
        assert (await client.told("refused"))["problem"]["code"] == "role_needed"
        for nonsense in ("nothing", "ticks.SHFE", "ticks.", "orders.a b", "instances.x"):
            await client.ask("subscribe", nonsense)
            assert (await client.told("refused"))["problem"]["code"] == "not_found"
    async with tab(desk.admin) as client:
        await client.ask("subscribe", "audit")
        await client.until(
            lambda: any(
                (row["who"], row["action"], row["on"]) == ("vera", "follow", "audit")
                for row in client.tables.get("audit", {}).values()
            )
        )


async def test_a_topic_says_whether_its_rows_are_true(
    access: NatsAccess, desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No row before all are known, none lost while nobody can tell them anew, and no account that is not there."""
    monkeypatch.setattr(hub_module, "_AGAIN_S", 0.05)
    transport, topic = desk.service.transport, "orders.a1"
    await transport.ensure_stream(StreamConfig(name=EVENTS, subjects=["event.>"]))
    await KeyValue(transport, "aegis_config").ensure()
    async with tab(viewer) as client:
        await client.ask("subscribe", topic)
        refused = await client.told("refused", topic=topic)
        problem = refused["problem"]
        assert (problem["code"], problem["reason"], problem["details"]) == (
            "not_found",
            "no_account",
            {"account": "a1"},
        )
        async with running(access, "trading-1", Books()):
            view, key = desk.service.app.state.parts.view, KeyName("trading", "a1")
            await view.leases.wait_for(lambda now: key in now.latest, DEADLINE_S)
            await client.ask("subscribe", topic)
            await client.told("state", topic=topic, state="live")
            assert client.tables[topic]["account"]["env"] == "paper"
            listed = {"account": "a1", "key": "a1", "env": "paper"}
            assert (await viewer.get("/api/trading/accounts")).json() == [listed]
        failing = await client.told("state", topic=topic, state="failing")
        problem = failing["problem"]
        assert (problem["reason"], problem["details"]["key"]) == ("key_unserved", "a1")
        assert (await viewer.get("/api/trading/accounts")).json() == [{**listed, "env": None}], "nobody says it"
        async with tab(viewer) as late:
            await late.ask("subscribe", topic)
            assert (await late.told("state", topic=topic))["since"] == failing["since"]
            assert late.tables[topic] == client.tables[topic] != {}, "as they were"
        async with running(access, "trading-2", Books()):
            await client.told("state", topic=topic, state="live")
        assert client.kinds == [("snapshot", topic)]


async def test_an_operator_reads_the_log_of_an_instance_from_before_he_looked(
    desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = "logs.management.management-1"
    async with tab(viewer) as client:
        await client.ask("subscribe", topic)
        assert (await client.told("refused"))["problem"]["code"] == "role_needed"
    assert (await viewer.get("/api/logs")).json()["code"] == "role_needed"
    transport = desk.service.transport

    async def tell(event: str, **fields: Any) -> dict[str, Any]:
        line = {
            "event": event,
            "level": "info",
            "timestamp": "2026-11-28",
            **fields,
        }
        await transport.append(subjects.log("management", "management-1"), json.dumps(line).encode())
        return line

    for number in range(250):
        await tell("counted", number=number)
    line = await tell("asked", password="secret", level="warning")
    await transport.append(subjects.log("echo", "echo-1"), b"no JSON")
    await transport.append(subjects.log("echo", "echo-1"), b'{"event": 1, "more": {"token": "x"}}')
    async with tab(desk.admin) as client:
        await client.ask("subscribe", topic)
        await client.until(lambda: len(client.tables.get(topic, {})) == 200)
        assert list(client.tables[topic].values())[-1] == {**line, "password": "***"}
        await tell("later")
        await client.until(lambda: list(client.tables[topic].values())[-1]["event"] == "later")
        await client.until(lambda: len(client.tables[topic]) == 200)
    loop = threading.get_ident()

    def understood(message: StoredMessage) -> logs.LogEntry | None:
        assert threading.get_ident() != loop, "it would hinder all who follow"
        return entry_of(message)

    monkeypatch.setattr(logs, "entry_of", understood)
    found = (await desk.admin.get("/api/logs", params={"service": "management", "limit": 3})).json()
    assert [one["line"]["event"] for one in found] == ["later", "asked", "counted"]
    assert found[1]["line"]["password"] == "***"
    found = (await desk.admin.get("/api/logs", params={"level": "warning", "text": "ASKED"})).json()
    assert [(one["instance"], one["line"]["event"]) for one in found] == [("management-1", "asked")]
    found = (await desk.admin.get("/api/logs", params={"text": "counted number=24"})).json()
    assert [one["line"]["number"] for one in found] == [*range(249, 239, -1), 24], "as it is shown"
    found = (await desk.admin.get("/api/logs", params={"instance": "echo-1"})).json()
    assert [(one["service"], one["line"]["event"], one["line"]["more"]) for one in found] == [
        ("echo", "1", {"token": "***"})
    ]


async def test_only_who_is_signed_in_and_a_page_of_ours_may_follow(desk: Stage, viewer: Browser) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with tab(await desk.stranger()):
            pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body)["code"] == "not_signed_in"
    with pytest.raises(InvalidStatus, match="403"):
        async with tab(viewer, Origin="https://evil.example"):
            pass


async def test_a_tab_ends_with_its_session(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_LOOK_S", 0.05)
    person = await desk.person("walt", "viewer")
    async with tab(person) as client:
        await client.told("hello")
        await person.post("/api/auth/sign-out")
        with pytest.raises(ConnectionClosed) as closed:
            await client.told("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_a_tab_goes_on_while_nats_cannot_tell_whether_its_session_does(
    desk: Stage, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_LOOK_S", 0.01)
    looks, users = 0, desk.service.app.state.parts.users

    async def nobody_answers(_: str) -> None:
        nonlocal looks
        looks += 1
        raise DeadlineExceeded("no answer")

    async with tab(viewer) as client:
        await client.told("hello")
        monkeypatch.setattr(users, "get", nobody_answers)
        while looks < 3:
            await client.told("alive")
        await client.ask("subscribe", "leases")
        await client.told("snapshot")
        with pytest.raises(InvalidStatus) as refused:
            async with tab(viewer):
                pass
        assert json.loads(refused.value.response.body)["code"] == "outcome_unknown"


async def test_scripts_follow_by_server_sent_events_and_go_on(access: NatsAccess, desk: Stage, viewer: Browser) -> None:
    async with asyncio.timeout(DEADLINE_S):
        place = ""
        async with viewer.stream("GET", "/api/live/sse", params={"topics": "instances,leases"}) as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            async for line in events.aiter_lines():
                place = line.removeprefix("id: ") if line.startswith("id: ") else place
                if line.startswith("data: ") and "management.management-1" in line:
                    break
        async with (
            running(access, "echo-3", Echo()),
            viewer.stream(
                "GET", "/api/live/sse", params={"topics": "instances"}, headers={"Last-Event-ID": place}
            ) as events,
        ):
            async for line in events.aiter_lines():
                assert '"snapshot"' not in line
                if "echo.echo-3" in line:
                    break
        async with viewer.stream("GET", "/api/live/sse", params={"topics": "leases"}) as events:
            alive = [line async for line in _first(events.aiter_lines(), '"alive"', 2)]
            assert [understood(line.removeprefix("data: "))["hears"] for line in alive] == ["fresh", "fresh"]
    refused = await viewer.get("/api/live/sse", params={"topics": "leases,logs.echo.echo-9"})
    assert refused.json()["code"] == "role_needed"
    asked = {"who": "vera", "action": "follow", "on": "logs.echo.echo-9"}
    told = (await desk.admin.get("/api/audit", params=asked)).json()["entries"]
    assert [(one["result"], one["code"]) for one in told] == [("refused", "role_needed")]


async def _first(lines: AsyncIterator[str], said: str, count: int) -> AsyncIterator[str]:
    """So many of those in which that is said."""
    async for line in lines:
        if said in line:
            yield line
            count -= 1
        if not count:
            return
