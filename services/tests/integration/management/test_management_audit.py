"""The audit trail: what is in it, what is kept out of it, and that nothing leaves it."""

from __future__ import annotations

import asyncio
import codecs
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from management_stage import Browser, Stage, code, management

from aegis.management import audit, places
from aegis.management.endpoints import audit as audit_routes
from aegis.management.endpoints import tokens as token_routes
from aegis.management.endpoints.audit import _csv
from aegis_sdk.errors import StreamError, Unavailable
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport_nats.streams import api

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("attempts_anew")]


async def test_refusals_are_bounded_by_caller_so_that_they_push_nothing_out(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_REFUSALS_A_MINUTE", 3)
    trail = desk.service.app.state.parts.trail
    before, stranger = trail.suppressed, await desk.stranger()
    for _ in range(10):
        await stranger.post("/api/users", json={})
    assert trail.suppressed >= before + 4  # a minute may have ended between
    person = await desk.person("jack", "viewer")
    assert code(await person.get("/api/users")) == "role_needed"
    with monkeypatch.context() as patch:
        patch.setattr(token_routes, "MOST_TOKENS", 1)
        made = [await person.post("/api/tokens", json={"name": "t", "role": "viewer"}) for _ in range(2)]
        assert (made[0].status_code, code(made[1])) == (201, "conflict")
    answer = await desk.admin.get("/api/audit", params={"who": "jack", "action": "request"})
    assert len(answer.json()["entries"]) == 1  # others have their own room
    before = trail.suppressed
    for way in (f"/api/tokens/{'0' * 16}", f"/api/auth/sessions/{'0' * 16}") * 5:
        assert code(await person.delete(way)) == "not_found"
    assert trail.suppressed >= before + 4  # what fails within an action is no way around


def _without_audit(store: Callable[..., Awaitable[int]]) -> Callable[..., Awaitable[int]]:
    async def append(subject: str, *rest: Any, **more: Any) -> int:
        if subject.startswith("audit."):
            raise Unavailable("no stream")
        return await store(subject, *rest, **more)

    return append


async def test_no_entry_of_the_audit_trail_is_deleted_or_purged(desk: Stage) -> None:
    transport = desk.service.transport
    for verb, body in (("PURGE", {}), ("MSG.DELETE", {"seq": 1})):
        with pytest.raises(StreamError):
            await api(transport, f"STREAM.{verb}.{audit.STREAM}", body)


async def test_what_cannot_be_stored_waits_and_too_much_of_it_forbids(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = desk.service.app.state.parts.trail
    transport = trail._transport
    store = transport.append
    monkeypatch.setattr(audit, "_AGAIN_S", 0.01)
    monkeypatch.setattr(audit, "_MOST_WAITING", 2)
    monkeypatch.setattr(transport, "append", _without_audit(store))
    for name in ("wait1", "wait2"):
        assert (await desk.admin.post("/api/users", json={"name": name, "role": "viewer"})).status_code == 201
    assert trail.waiting == 2
    assert code(await desk.admin.post("/api/users", json={"name": "wait3", "role": "viewer"})) == "unavailable"
    monkeypatch.setattr(transport, "append", store)
    async with asyncio.timeout(30):
        while trail.waiting:  # noqa: ASYNC110 (it tells nobody)
            await asyncio.sleep(0.01)
    told = (await desk.admin.get("/api/audit", params={"action": "create_user", "on": "wait"})).json()["entries"]
    assert [one["on"] for one in told] == ["wait2", "wait1"]
    assert (await desk.admin.get("/api/users/wait3")).status_code == 404


async def test_actions_and_refusals_are_in_the_audit_trail(desk: Stage) -> None:
    person = await desk.person("fred", "viewer")
    assert code(await person.get("/api/users")) == "role_needed"
    await (await desk.stranger()).post("/api/users", json={})
    await desk.admin.sign_in("admin", "wrong")
    told = (await desk.admin.get("/api/audit", params={"limit": 50})).json()["entries"]
    said = {(one["who"], one["action"], one["on"], one["result"], one["code"]) for one in told}
    assert ("admin", "create_user", "fred", "done", "") in said
    assert ("fred", "change_password", "fred", "done", "") in said
    assert ("fred", "request", "GET /api/users", "refused", "role_needed") in said
    assert ("_", "request", "POST /api/users", "refused", "not_signed_in") in said
    assert ("admin", "sign_in", "", "refused", "wrong_credentials") in said
    assert [one["sequence"] for one in told] == sorted((one["sequence"] for one in told), reverse=True)
    asked = [one for one in told if one["action"] != "make_administrator"]  # that one came by no request
    assert all(one["address"] == "127.0.0.1" and one["instance"] == "management-1" for one in asked)


async def test_an_export_hinders_neither_charts_nor_searches_and_waits_for_its_place_ten_seconds_at_most(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "_WAIT_S", 0.02)
    parts = desk.service.app.state.parts
    async with parts.exports:
        assert (await desk.admin.get("/api/logs")).status_code == 200
        late = await desk.admin.get("/api/audit.csv")
        assert (late.status_code, code(late), late.json()["reason"]) == (503, "unavailable", "many_at_once")
    async with parts.history, parts.history:
        assert code(await desk.admin.get("/api/logs")) == "unavailable"
        loop = threading.get_ident()

        def beside(*asked: Any) -> str:
            assert threading.get_ident() != loop, "ten thousand lines would hinder all who follow"
            return _csv(*asked)

        monkeypatch.setattr(audit_routes, "_csv", beside)
        assert (await desk.admin.get("/api/audit.csv")).status_code == 200


async def test_the_audit_trail_is_filtered_paged_and_exported(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        await desk.admin.make_user(f"page{number}", "viewer")
    asked = {"who": "admin", "action": "create_user", "on": "page", "result": "done"}
    first = (await desk.admin.get("/api/audit", params={**asked, "limit": 2})).json()
    assert [one["on"] for one in first["entries"]] == ["page4", "page3"]
    second = (await desk.admin.get("/api/audit", params={**asked, "limit": 3, "before": first["next"]})).json()
    assert [one["on"] for one in second["entries"]] == ["page2", "page1", "page0"]
    since = first["entries"][0]["at"]
    newest = (await desk.admin.get("/api/audit", params={**asked, "since": since})).json()
    assert [one["on"] for one in newest["entries"]] == ["page4"]
    exported = await desk.admin.get("/api/audit.csv", params=asked)
    assert exported.headers["content-type"].startswith("text/csv")
    assert exported.content.startswith(codecs.BOM_UTF8), "a spreadsheet would take it for GBK"
    lines = exported.content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("sequence,at,who")
    assert ["page4" in lines[1], "page0" in lines[5], len(lines)] == [True, True, 6]
    assert "aegis-cut-before" not in exported.headers
    cut = await desk.admin.get("/api/audit.csv", params={**asked, "limit": 2})
    assert cut.text.splitlines()[-1] == f"# cut here: there may be more before {cut.headers['aegis-cut-before']}"
    monkeypatch.setattr(audit, "_MOST_READ", 3)  # entries of a page, of which few fit
    monkeypatch.setattr(audit, "_WINDOW", 3)
    sparse = await desk.admin.get("/api/audit.csv", params=asked)
    assert sparse.text == exported.text, "it goes on, however far they are apart"
    far = {**asked, "since": "2100-01-01T00:00:00Z"}
    assert (await desk.admin.get("/api/audit", params=far)).json() == {"entries": [], "next": None}
    old = (await desk.admin.get("/api/audit", params={**asked, "until": since})).json()["entries"]
    assert [one["on"] for one in old] == ["page3", "page2", "page1", "page0"][: len(old)] != []


async def test_what_waits_is_stored_when_an_instance_ends(
    access: NatsAccess, directory: Path, desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "_AGAIN_S", 3_600)
    async with management(access, directory, "management-2") as second, Browser(second.address) as other:
        other.cookies = desk.admin.cookies
        with monkeypatch.context() as patch:
            patch.setattr(second.transport, "append", _without_audit(second.transport.append))
            assert (await other.post("/api/users", json={"name": "last", "role": "viewer"})).status_code == 201
            assert second.app.state.parts.trail.waiting == 1
    told = (await desk.admin.get("/api/audit", params={"action": "create_user", "on": "last"})).json()["entries"]
    assert [one["instance"] for one in told] == ["management-2"]
