"""What the management service shows of a desk, and how it steers it: two instances that hold a key, for real."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from management_stage import Browser, Stage, management, settings_of, stage
from pydantic import BaseModel

from aegis_sdk import key_moves
from aegis_sdk.handler import rpc
from aegis_sdk.kv import KeyValue
from aegis_sdk.lease_view import KeyState
from aegis_sdk.ledger import KeyName
from aegis_sdk.method import Method
from aegis_sdk.program import serve
from aegis_sdk.registry import SERVICES
from aegis_sdk.service import Service
from aegis_sdk.single_active import ActiveContext, SingleActive, active
from aegis_sdk.testing import NatsAccess

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_S = 30.0


class Word(BaseModel):
    text: str = ""


SAY = Method("words", "say", Word, Word, idempotent=True)


class Words(SingleActive):
    name = "words"
    description = "Keeps the last word."

    def keys(self) -> Iterable[str]:
        return ["w1"]

    @active(SAY, stale_ok=True)
    async def say(self, request: Word, context: ActiveContext) -> Word:
        return request


class Echo(Service):
    name = "echo"

    def __init__(self) -> None:
        self.calls = 0

    @rpc(idempotent=True)
    async def echo(self, request: Word) -> Word:
        self.calls += 1
        return request


@asynccontextmanager
async def words(access: NatsAccess, *instances: str) -> AsyncIterator[None]:
    """Those instances, in this process."""
    stop = asyncio.Event()
    running = [asyncio.create_task(serve(Words(), settings_of(access, instance), stop)) for instance in instances]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(access: NatsAccess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The management starts on a desk that has no ledger yet; what comes later it sees."""
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(stage(access, tmp_path_factory.mktemp("management")))
        await stack.enter_async_context(words(access, "words-1", "words-2"))
        await served(ready)
        yield ready


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def operator(desk: Stage) -> Browser:
    return await desk.person("olga", "operator")


async def served(desk: Stage) -> str:
    """Who holds the key, once both are there and it is served."""
    view, name = desk.service.app.state.parts.view, KeyName("words", "w1")
    await view.leases.wait_for(lambda now: name in now.latest, DEADLINE_S)
    await view.directory.wait_for(
        lambda _: view.state(name) is KeyState.ACTIVE and len(view.takers("words", "")) == 2, DEADLINE_S
    )
    return view.leases.latest[name].lease.holder


async def view_of(browser: Browser, instance: str) -> tuple[bool, list[str]]:
    """Whether it is in maintenance, and the keys that it holds."""
    leases = (await browser.get("/api/leases", params={"service": "words"})).json()
    shown = (await browser.get(f"/api/instances/words/{instance}")).json()
    return shown["maintenance"], [one["key"] for one in leases if one["holder"] == instance]


async def test_services_and_instances_are_shown_as_they_are(desk: Stage, operator: Browser) -> None:
    services = {one["name"]: one for one in (await operator.get("/api/services")).json()}
    assert services["words"]["instances"] == 2
    assert services["words"]["description"] == "Keeps the last word."
    assert services["management"]["instances"] == 1
    shown = (await operator.get("/api/instances", params={"service": "words"})).json()
    assert [one["instance"] for one in shown] == ["words-1", "words-2"]
    assert shown[0]["configuration"]["nats_password"] == "***"
    assert (await operator.get("/api/instances/words/words-2")).json()["instance"] == "words-2"
    assert (await operator.get("/api/instances/words/words-9")).json()["code"] == "not_found"


async def test_definitions_are_created_changed_and_deleted_by_revision(desk: Stage, operator: Browser) -> None:
    body = {"version": "1", "methods": ["echo"], "description": "An echo."}
    assert (await operator.put("/api/services/echo", json=body)).status_code == 428
    made = await operator.put("/api/services/echo", json=body, headers={"If-None-Match": "*"})
    assert made.status_code == 200
    again = await operator.put("/api/services/echo", json=body, headers={"If-None-Match": "*"})
    assert (again.status_code, again.json()["details"]["revision"]) == (412, made.json()["revision"])
    etag = (await operator.get("/api/services/echo")).headers["etag"]
    assert etag == made.headers["etag"]
    mine, theirs = {**body, "description": "Mine."}, {**body, "description": "Theirs."}
    assert (await operator.put("/api/services/echo", json=theirs, headers={"If-Match": etag})).status_code == 200
    late = await operator.put("/api/services/echo", json=mine, headers={"If-Match": etag})
    assert late.status_code == 412
    details = late.json()["details"]
    assert (details["current"]["description"], details["yours"]["description"]) == ("Theirs.", "Mine.")
    assert (await operator.delete("/api/services/echo", headers={"If-Match": etag})).status_code == 412
    now = (await operator.get("/api/services/echo")).headers["etag"]
    assert (await operator.delete("/api/services/echo", headers={"If-Match": now})).status_code == 204
    assert (await operator.get("/api/services/echo")).status_code == 404
    running = (await operator.get("/api/services/words")).headers["etag"]
    refused = await operator.delete("/api/services/words", headers={"If-Match": running})
    assert refused.json()["code"] == "conflict"
    assert await KeyValue(desk.service.transport, SERVICES).get("words") is not None


async def test_a_key_is_handed_over_after_a_preview_that_does_nothing(desk: Stage, operator: Browser) -> None:
    giver = await served(desk)
    taker = {"words-1": "words-2", "words-2": "words-1"}[giver]
    before = (await operator.get("/api/leases/words/w1")).json()
    assert (before["lease"]["holder"], before["takers"]) == (giver, [taker])
    preview = (await operator.post("/api/leases/words/w1/handover", json={"to": taker, "dry_run": True})).json()
    assert (preview["giver"], preview["holder"], preview["epoch"]) == (giver, taker, before["lease"]["epoch"])
    assert (await operator.get("/api/leases/words/w1")).json()["lease"]["epoch"] == before["lease"]["epoch"]
    asked = {"to": taker, "dry_run": False}
    unsure = await operator.post("/api/leases/words/w1/handover", json=asked)
    assert unsure.json()["code"] == "invalid"
    done = (await operator.post("/api/leases/words/w1/handover", json={**asked, "confirm": "w1"})).json()
    assert (done["holder"], done["giver"]) == (taker, giver)
    assert done["epoch"] > before["lease"]["epoch"]
    after = (await operator.get("/api/leases/words/w1")).json()
    latest, former = after["epochs"][:2]
    assert (latest["holder"], latest["began"], latest["ended"]) == (taker, "handover", None)
    assert (former["holder"], former["ended"]) == (giver, "handover")
    assert latest["gap_ms"] is not None
    told = (await operator.get("/api/audit", params={"action": "hand_over", "limit": 2})).json()["entries"]
    assert [(one["on"], one["result"]) for one in told] == [("words/w1", "done"), ("words/w1", "refused")]
    assert told[0]["details"] == {"to": taker, "holder": taker, "epoch": done["epoch"]}
    nobody = await operator.post("/api/leases/words/w1/handover", json={"to": "words-9", "dry_run": True})
    assert nobody.json()["code"] == "conflict"
    assert (await operator.post("/api/leases/words/w9/handover", json={})).status_code == 404


async def test_a_key_that_has_moved_since_the_preview_stays_where_it_is(desk: Stage, operator: Browser) -> None:
    """By a preview of before, the best instance would be the one that has just given it."""
    giver = await served(desk)
    taker = {"words-1": "words-2", "words-2": "words-1"}[giver]
    preview = await operator.post("/api/leases/words/w1/handover", json={"dry_run": True})
    seen = {"If-Match": preview.headers["etag"]}
    assert (await operator.get("/api/leases/words/w1")).headers["etag"] == seen["If-Match"]
    asked = {"dry_run": False, "confirm": "w1"}
    moved = await operator.post("/api/leases/words/w1/handover", json=asked, headers=seen)
    assert moved.json()["holder"] == await served(desk) == taker
    late = await operator.post("/api/leases/words/w1/handover", json=asked, headers=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed")
    details = late.json()["details"]
    assert (details["current"]["holder"], f'"{details["revision"]}"') == (taker, moved.headers["etag"])
    assert await served(desk) == taker
    malformed = await operator.post("/api/leases/words/w1/handover", json=asked, headers={"If-Match": "*"})
    assert malformed.status_code == 428


async def test_a_handover_that_was_begun_is_no_refusal(
    desk: Stage, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes effect after we have ceased to wait for it."""
    monkeypatch.setattr(key_moves, "_SERVED_S", 0)  # the next heartbeat tells it, not the claim
    giver, view, name = await served(desk), desk.service.app.state.parts.view, KeyName("words", "w1")
    asked = {"dry_run": False, "confirm": "w1"}
    answer = await operator.post("/api/leases/words/w1/handover", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
    told = (await operator.get("/api/audit", params={"action": "hand_over", "limit": 1})).json()["entries"]
    assert [(one["result"], one["code"]) for one in told] == [("unknown", "outcome_unknown")]
    await view.leases.wait_for(lambda now: now.latest[name].lease.holder != giver, DEADLINE_S)
    assert await served(desk) != giver


async def test_an_instance_in_maintenance_takes_no_key_until_it_is_released(desk: Stage, operator: Browser) -> None:
    view = desk.service.app.state.parts.view
    giver = await served(desk)
    way = f"/api/instances/words/{giver}/maintenance"
    assert (await operator.post(way, json={"on": True})).json()["code"] == "invalid"
    assert (await operator.post(way, json={"on": True, "confirm": giver})).json()["on"] is True
    name = KeyName("words", "w1")
    await view.leases.wait_for(
        lambda now: now.latest[name].is_active and now.latest[name].lease.holder != giver, DEADLINE_S
    )
    taker = view.leases.latest[name].lease.holder
    await view.directory.wait_for(lambda _: giver not in view.takers("words", ""), DEADLINE_S)
    alone = await operator.post(f"/api/instances/words/{taker}/maintenance", json={"on": True, "confirm": taker})
    assert (alone.status_code, alone.json()["reason"]) == (409, "no_taker"), "nobody would serve the key"
    assert await view_of(operator, taker) == (False, ["w1"])
    back = {"to": giver, "dry_run": False, "confirm": "w1"}
    assert (await operator.post("/api/leases/words/w1/handover", json=back)).json()["code"] == "conflict"
    assert (await operator.post(way, json={"on": False})).json() == {"on": False, "at_work": 0, "keys": 0}
    assert await served(desk) == taker
    assert (await operator.post("/api/leases/words/w1/handover", json=back)).json()["holder"] == giver


async def test_calls_go_past_an_instance_in_maintenance(access: NatsAccess, desk: Stage, operator: Browser) -> None:
    view, client = desk.service.app.state.parts.view, desk.service.app.state.parts.client
    stop, first, second = asyncio.Event(), Echo(), Echo()
    running = [
        asyncio.create_task(serve(one, settings_of(access, f"echo-{number}"), stop))
        for number, one in enumerate((first, second), 1)
    ]

    def statuses() -> list[str]:
        return sorted(f"{one.record.instance} {one.status}" for one in view.directory.instances("echo"))

    def maintained() -> list[str]:
        return [one.record.instance for one in view.directory.instances("echo") if one.record.maintenance]

    await view.directory.wait_for(lambda _: statuses() == ["echo-1 ACTIVE", "echo-2 ACTIVE"], DEADLINE_S)
    way = "/api/instances/echo/echo-1/maintenance"
    await operator.post(way, json={"on": True, "confirm": "echo-1"})
    await view.directory.wait_for(lambda _: statuses() == ["echo-1 DRAINING", "echo-2 ACTIVE"], DEADLINE_S)
    await view.directory.wait_for(lambda _: maintained() == ["echo-1"], DEADLINE_S)
    for _ in range(5):
        await client.call(Echo.echo, Word(text="a"))
    assert (first.calls, second.calls) == (0, 5)
    await operator.post(way, json={"on": False})
    await view.directory.wait_for(lambda _: statuses() == ["echo-1 ACTIVE", "echo-2 ACTIVE"], DEADLINE_S)
    await view.directory.wait_for(lambda _: maintained() == [], DEADLINE_S)
    async with asyncio.timeout(DEADLINE_S):
        while not first.calls:
            await client.call(Echo.echo, Word(text="b"))
    stop.set()
    await asyncio.gather(*running)


async def test_an_instance_is_drained_after_its_name_was_repeated(desk: Stage, operator: Browser) -> None:
    giver = await served(desk)
    unsure = await operator.post(f"/api/instances/words/{giver}/drain", json={"confirm": "w"})
    assert unsure.json()["code"] == "invalid"
    done = (await operator.post(f"/api/instances/words/{giver}/drain", json={"confirm": giver})).json()
    assert done["left"] == []
    assert [one["key"] for one in done["keys"]] == ["w1"]
    leases = (await operator.get("/api/leases", params={"service": "words"})).json()
    assert leases[0]["holder"] != giver
    assert (await operator.get(f"/api/instances/words/{giver}")).json()["maintenance"] is False
    gone = await operator.post("/api/instances/words/words-9/drain", json={"confirm": "words-9"})
    assert gone.status_code == 404


async def test_probes_tell_whether_it_works(desk: Stage, operator: Browser) -> None:
    assert (await operator.get("/readyz")).json() == {"ready": True, "nats": "connected", "hears": "fresh"}
    page = await operator.get("/metrics")
    assert "aegis_audit_waiting_entries 0.0" in page.text


async def test_a_built_console_is_served_with_a_policy_of_its_own(access: NatsAccess, tmp_path: Path) -> None:
    console = tmp_path / "console"
    (console / "_next" / "static").mkdir(parents=True)
    (console / "index.html").write_text("<html><script>one()</script><script src='/x.js'></script></html>")
    (console / "leases.html").write_text("<html><script>two()</script></html>")
    (console / "_next" / "static" / "a.js").write_text("1")
    (console / "leases.html.gz").write_bytes(gzip.compress(b"<html>packed</html>"))
    async with (
        management(access, tmp_path, "management-3", console=console) as service,
        Browser(service.address) as browser,
    ):
        plain = {"Accept-Encoding": "gzip;q=0"}
        first, second = await browser.get("/", headers=plain), await browser.get("/leases", headers=plain)
        assert "one()" in first.text
        assert "two()" in second.text
        policies = [one.headers["content-security-policy"] for one in (first, second)]
        assert policies[0] != policies[1]
        assert all("'unsafe-inline'" not in one.split("script-src")[1].split(";")[0] for one in policies)
        packed = await browser.get("/leases", headers={"Accept-Encoding": "br, gzip;q=0.5"})
        assert (packed.text, packed.headers["content-encoding"]) == ("<html>packed</html>", "gzip")
        assert packed.headers["content-security-policy"] == policies[1], "its own scripts, packed or not"
        assert {one.headers["vary"] for one in (first, second, packed)} == {"Accept-Encoding"}
        assert {one.headers["content-type"] for one in (second, packed)} == {"text/html; charset=utf-8"}
        assert packed.headers["etag"] != second.headers["etag"]
        for answer, accepted, status in ((packed, "gzip", 304), (packed, "identity", 200), (second, "gzip", 200)):
            asked = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": accepted}
            assert (await browser.get("/leases", headers=asked)).status_code == status
        assert "content-encoding" not in (await browser.get("/_next/static/a.js")).headers
        assert "content-encoding" not in (await browser.get("/healthz")).headers
        assert "immutable" in (await browser.get("/_next/static/a.js")).headers["cache-control"]
        assert (await browser.get("/nothing")).json()["code"] == "not_found"
        assert (await browser.get("/../../etc/passwd")).status_code == 404
        assert (await browser.get("/api/nothing")).json()["code"] == "not_found"
