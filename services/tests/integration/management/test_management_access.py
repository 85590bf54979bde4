"""Who may do what in the management service: over its real HTTP server, with real NATS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from management_stage import PASSWORD, Browser, Stage, code, connected, management, note_of
from tls_files import certified

from aegis.management.access import attempts, users
from aegis.management.access.guard import check_guards, guard_of, routes_of
from aegis.management.access.roles import Role
from aegis.management.perimeter import MOST_BYTES
from aegis_sdk.errors import ConfigurationError, Unavailable
from aegis_sdk.testing import NatsAccess, nats_server_thread

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("attempts_anew")]


async def test_the_first_password_is_told_once_and_must_be_changed_at_once(desk: Stage, tmp_path: Path) -> None:
    with nats_server_thread() as access:
        await _first_run(access, tmp_path, desk.admin)


async def _first_run(access: NatsAccess, directory: Path, other: Browser) -> None:
    """Beside the desk of the others, whose browser keeps its cookies of 127.0.0.1."""
    async with management(access, directory, "management-1") as service, Browser(service.address) as admin:
        admin._cookies = other.cookies
        note = note_of(directory, "management-1")
        assert (note.address, note.user) == (service.address, "admin")
        assert (directory / "management-1.note").stat().st_mode & 0o777 == 0o600
        signed_in = await admin.sign_in("admin", note.password)
        assert signed_in.json()["must_change"] is True
        assert code(await admin.get("/api/users")) == "password_change_needed"
        assert code(await admin.post("/api/auth/password", json={"old": note.password, "new": "short"})) == "invalid"
        changed = await admin.post("/api/auth/password", json={"old": note.password, "new": PASSWORD})
        assert changed.json()["must_change"] is False
        assert (await admin.get("/api/users")).status_code == 200
        assert (await other.get("/api/auth/me")).status_code == 200
    async with management(access, directory, "management-2"):
        assert note_of(directory, "management-2").password == ""


async def test_a_session_made_at_one_instance_is_good_at_the_other_and_ends_at_both(
    access: NatsAccess, directory: Path, desk: Stage
) -> None:
    async with management(access, directory, "management-2") as second, Browser(second.address) as other:
        person = await desk.person("anna", "viewer")
        other.cookies = person.cookies
        assert (await other.get("/api/auth/me")).json()["name"] == "anna"
        assert (await other.post("/api/auth/sign-out")).status_code == 204
        assert code(await person.get("/api/auth/me")) == "not_signed_in"


async def test_attempts_to_sign_in_are_counted_over_all_instances(
    access: NatsAccess, directory: Path, desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.admin.make_user("bert", "viewer")
    monkeypatch.setattr(attempts, "OF_A_USER", 3)
    async with management(access, directory, "management-2") as second, Browser(second.address) as other:
        tries = [await browser.sign_in("bert", "wrong") for browser in (other, desk.admin, other)]
        assert [code(one) for one in tries] == ["wrong_credentials"] * 3
        refused = await desk.admin.sign_in("bert", PASSWORD)
        assert code(refused) == "too_many_attempts"
        assert int(refused.headers["retry-after"]) > 200
        unknown = [await other.sign_in("nobody", "wrong") for _ in range(4)]
        assert [code(one) for one in unknown] == ["wrong_credentials"] * 3 + ["too_many_attempts"], "else it would tell"
        monkeypatch.setattr(attempts, "OF_AN_ADDRESS", 4)
        assert code(await other.sign_in("noone", "wrong")) == "too_many_attempts"


async def test_attempts_at_the_same_moment_are_no_way_around_their_bound(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.admin.make_user("dora", "viewer")
    monkeypatch.setattr(attempts, "OF_A_USER", 4)
    answers = await asyncio.gather(*(desk.admin.sign_in("dora", "wrong") for _ in range(12)))
    assert sorted(code(one) for one in answers).count("wrong_credentials") <= 4


async def test_a_password_that_is_wrong_and_a_user_who_is_not_there_are_told_alike(desk: Stage) -> None:
    wrong = await desk.admin.sign_in("admin", "wrong")
    unknown = await desk.admin.sign_in("nobody", "wrong")
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())


async def test_the_cookie_is_for_this_site_and_no_script(desk: Stage) -> None:
    answer = await desk.admin.sign_in("admin", PASSWORD)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


async def test_behind_tls_the_cookie_never_leaves_it(access: NatsAccess, directory: Path, desk: Stage) -> None:
    certificate, key = await asyncio.to_thread(certified, directory)
    tls = {"tls_certificate": certificate, "tls_key": key}
    async with management(access, directory, "management-4", **tls) as service:
        assert service.address.startswith("https://127.0.0.1:")
        headers = {"Origin": service.address}
        trust = ssl.create_default_context(cafile=certificate)
        async with httpx.AsyncClient(base_url=service.address, verify=trust, headers=headers) as browser:
            answer = await browser.post("/api/auth/sign-in", json={"user": "admin", "password": PASSWORD})
            assert answer.headers["set-cookie"].startswith("__Host-aegis_session=")
            assert "secure" in answer.headers["set-cookie"].lower()
            assert "max-age" in answer.headers["strict-transport-security"]
            assert (await browser.get("/api/auth/me")).json()["name"] == "admin"


async def test_neither_bucket_nor_audit_holds_what_opens_a_door(access: NatsAccess, desk: Stage) -> None:
    made = (await desk.admin.post("/api/tokens", json={"name": "t", "role": "viewer"})).json()
    secrets = [PASSWORD, made["secret"], *desk.admin.cookies.values()]
    transport = await connected(access)
    stored = b""
    for stream in ("KV_aegis_users", "KV_aegis_sessions", "KV_aegis_tokens", "AUDIT"):
        async with transport.read(stream) as messages:
            async for message in messages:
                if message is None:
                    break
                stored += message.subject.encode() + message.payload
    await transport.close()
    assert b"create_token" in stored
    assert not [secret for secret in secrets if secret.encode() in stored]


async def test_a_session_ends_when_idle_when_old_and_when_its_user_changes(
    desk: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = desk.service.app.state.parts
    real = parts.now
    person = await desk.person("carl", "viewer")
    assert (await person.get("/api/auth/me")).status_code == 200

    def later(**time: float) -> None:
        object.__setattr__(parts, "now", lambda: real() + timedelta(**time))

    later(minutes=29)
    assert (await person.get("/api/auth/me")).status_code == 200  # seen now: the half hour begins anew
    later(minutes=58)
    assert (await person.get("/api/auth/me")).status_code == 200
    later(minutes=87)
    by_itself = {"Aegis-Unattended": "1"}
    assert (await person.get("/api/auth/me", headers=by_itself)).status_code == 200
    later(minutes=89)
    assert code(await person.get("/api/auth/me")) == "not_signed_in"
    later(minutes=0)
    await person.sign_in("carl", PASSWORD)
    for half_hours in range(1, 25):
        later(minutes=29 * half_hours)
        assert (await person.get("/api/auth/me")).status_code == 200, half_hours
    later(hours=12)
    assert code(await person.get("/api/auth/me")) == "not_signed_in"
    object.__setattr__(parts, "now", real)
    await person.sign_in("carl", PASSWORD)
    user = await desk.admin.get("/api/users/carl")
    change = {"If-Match": user.headers["etag"]}
    assert (await desk.admin.patch("/api/users/carl", json={"role": "trader"}, headers=change)).status_code == 200
    assert code(await person.get("/api/auth/me")) == "not_signed_in"


async def test_a_disabled_user_has_neither_session_nor_token(desk: Stage) -> None:
    person = await desk.person("dave", "operator")
    secret = (await person.post("/api/tokens", json={"name": "t", "role": "viewer"})).json()["secret"]
    program = await desk.stranger()
    program.headers["Authorization"] = f"Bearer {secret}"
    assert (await program.get("/api/auth/me")).json()["role"] == "viewer"
    etag = (await desk.admin.get("/api/users/dave")).headers["etag"]
    await desk.admin.patch("/api/users/dave", json={"enabled": False}, headers={"If-Match": etag})
    assert code(await person.get("/api/auth/me")) == "not_signed_in"
    assert code(await program.get("/api/auth/me")) == "not_signed_in"
    assert code(await person.sign_in("dave", PASSWORD)) == "wrong_credentials"


async def test_a_token_has_at_most_the_role_of_its_user_and_ends(desk: Stage) -> None:
    person = await desk.person("emma", "trader")
    assert code(await person.post("/api/tokens", json={"name": "t", "role": "admin"})) == "role_needed"
    made = (await person.post("/api/tokens", json={"name": "t", "role": "trader", "days": 1})).json()
    program = await desk.stranger()
    program.headers["Authorization"] = f"Bearer {made['secret']}"
    assert (await program.get("/api/auth/me")).json()["role"] == "trader"
    refused = await program.post("/api/tokens", json={"name": "more", "role": "viewer"})
    assert code(refused) == "role_needed"  # a token makes no tokens
    assert code(await program.post("/api/auth/password", json={"old": PASSWORD, "new": PASSWORD + "!"})) == (
        "role_needed"
    )
    asked = {"who": "emma", "action": "change_password", "result": "refused"}
    assert len((await desk.admin.get("/api/audit", params=asked)).json()["entries"]) == 1
    etag = (await desk.admin.get("/api/users/emma")).headers["etag"]
    await desk.admin.patch("/api/users/emma", json={"role": "viewer"}, headers={"If-Match": etag})
    assert (await program.get("/api/auth/me")).json()["role"] == "viewer"
    parts = desk.service.app.state.parts
    real = parts.now
    object.__setattr__(parts, "now", lambda: real() + timedelta(days=1, seconds=1))
    assert code(await program.get("/api/auth/me")) == "not_signed_in"
    object.__setattr__(parts, "now", real)
    assert (await desk.admin.delete(f"/api/tokens/{made['token']['id']}")).status_code == 204
    assert code(await program.get("/api/auth/me")) == "not_signed_in"


async def test_only_a_person_arms_an_account(desk: Stage) -> None:
    person = await desk.person("olaf", "operator")
    secret = (await person.post("/api/tokens", json={"name": "t", "role": "operator"})).json()["secret"]
    program = await desk.stranger()
    program.headers["Authorization"] = f"Bearer {secret}"
    way, asked = "/api/trading/accounts/live1/mode", {"mode": "normal"}
    refused = await program.post(way, json={**asked, "armed": True})
    assert (code(refused), refused.json()["reason"]) == ("role_needed", "people_only")
    told = (await desk.admin.get("/api/audit", params={"action": "set_mode"})).json()["entries"]
    assert [(one["who"], one["on"], one["result"]) for one in told] == [("olaf", "live1", "refused")]
    for browser, armed in ((program, False), (program, None), (person, True)):
        assert code(await browser.post(way, json={**asked, "armed": armed})) == "not_found"  # nobody trades it


async def test_who_gets_the_name_of_a_deleted_user_inherits_nothing(desk: Stage) -> None:
    person = await desk.person("iris", "operator")
    secret = (await person.post("/api/tokens", json={"name": "t", "role": "operator"})).json()["secret"]
    program = await desk.stranger()
    program.headers["Authorization"] = f"Bearer {secret}"
    etag = (await desk.admin.get("/api/users/iris")).headers["etag"]
    assert (await desk.admin.delete("/api/users/iris", headers={"If-Match": etag})).status_code == 204
    first = await desk.admin.make_user("iris", "viewer")
    await (await desk.stranger()).sign_in_anew("iris", first)  # as many changes as the one before had
    assert code(await person.get("/api/auth/me")) == "not_signed_in"
    assert code(await program.get("/api/auth/me")) == "not_signed_in"


async def test_pages_of_other_sites_can_do_nothing(desk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = {"Origin": "https://evil.example"}
    assert code(await desk.admin.post("/api/users", json={}, headers=evil)) == "foreign_origin"
    with monkeypatch.context() as patch:
        patch.setattr(desk.service.app.state.parts.sessions, "find", AsyncMock(side_effect=Unavailable("no stream")))
        assert code(await desk.admin.post("/api/users", json={}, headers=evil)) == "foreign_origin"
    stranger = await desk.stranger()
    assert code(await stranger.post("/api/auth/sign-in", json={}, headers=evil)) == "foreign_origin"
    assert (await desk.admin.get("/api/auth/me")).status_code == 200  # still signed in
    person = await desk.person("hugo", "viewer")
    del person.headers["Origin"]
    assert code(await person.post("/api/auth/sign-out")) == "foreign_origin"  # a cookie, and no origin
    page = {"Sec-Fetch-Site": "same-origin"}
    assert (await person.post("/api/auth/sign-out", headers=page)).status_code == 204
    rebound = await stranger.get("/api/auth/me", headers={"Host": "evil.example:8420"})
    assert code(rebound) == "misdirected"
    assert (await stranger.get("/healthz", headers={"Host": "10.0.0.1"})).json()["healthy"] is True


async def test_credentials_for_an_outer_gate_are_none_for_us(desk: Stage) -> None:
    """A browser sends them along with each request; they neither sign anybody out nor act in place of an origin."""
    person = await desk.person("judy", "viewer")
    person.headers["Authorization"] = "Basic anVkeTpvZiB0aGUgZ2F0ZQ=="
    assert (await person.get("/api/auth/me")).json()["name"] == "judy"
    del person.headers["Origin"]
    assert code(await person.post("/api/auth/sign-out")) == "foreign_origin"
    person.headers["Authorization"] = "Bearer aegis_nonsense"
    assert code(await person.get("/api/auth/me")) == "not_signed_in", "a token comes before a cookie"


async def test_a_host_with_the_usual_port_is_ours_too(access: NatsAccess, directory: Path, desk: Stage) -> None:
    origins = ("https://desk.example.com", "https://desk.example.com:8443")
    async with management(access, directory, "management-5", origins=origins) as service:
        assert service._listener is not None
        port = service._listener.getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as browser:
            statuses = [
                (await browser.get("/api/auth/me", headers={"Host": name})).status_code
                for name in ("desk.example.com", "desk.example.com:443", "desk.example.com:8443", "desk.example.com:80")
            ]
    assert statuses == [401, 401, 401, 421]


async def test_probes_may_be_asked_for_their_head_alone(desk: Stage) -> None:
    stranger = await desk.stranger()
    for path in ("/healthz", "/readyz"):
        head = await stranger.head(path)
        assert (head.status_code, head.text) == (200, "")


async def test_a_request_is_small_and_every_error_has_one_shape(desk: Stage) -> None:
    big = b'{"user": "' + b"x" * MOST_BYTES + b'"}'
    json_ = {"Content-Type": "application/json"}
    assert code(await desk.admin.post("/api/users", content=big, headers=json_)) == "too_large"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * (MOST_BYTES // 8)

    assert code(await desk.admin.post("/api/users", content=chunks(), headers=json_)) == "too_large"
    assert code(await desk.admin.get("/api/nonsense")) == "not_found"
    assert code(await desk.admin.put("/api/users")) == "method_not_allowed"
    answer = await desk.admin.post("/api/users", json={"name": "A B", "role": "king"})
    assert code(answer) == "invalid"
    assert {one["where"] for one in answer.json()["errors"]} == {"body.name", "body.role"}
    assert code(await desk.admin.post("/api/users", content=b"{", headers=json_)) == "invalid"
    parts = desk.service.app.state.parts
    real = parts.users.all

    async def broken() -> list[users.StoredUser]:
        raise RuntimeError("boom")

    parts.users.all = broken
    failed = await desk.admin.get("/api/users")
    parts.users.all = real
    assert code(failed) == "internal"
    assert "boom" not in failed.text
    for answer in (failed, await desk.admin.get("/api/users")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"


async def test_every_route_declares_its_role_and_keeps_to_it(desk: Stage) -> None:
    """All routes, asked by a stranger and by somebody of the role below: none answers, and each refusal says why."""
    people = {role: await desk.person(f"one-{role.value}", role) for role in (Role.VIEWER, Role.TRADER, Role.OPERATOR)}
    stranger = await desk.stranger()
    below = {Role.TRADER: Role.VIEWER, Role.OPERATOR: Role.TRADER, Role.ADMIN: Role.OPERATOR}
    walked = 0
    for route in routes_of(desk.service.app):
        if not isinstance(route, APIRoute):
            continue
        guard = guard_of(route)
        assert guard is not None, route.path
        if guard.role is None:
            assert route.path in ("/api/auth/sign-in", "/healthz", "/readyz"), "who decided that anybody may?"
            continue
        path = route.path.format(**dict.fromkeys(route.param_convertors, "0" * 16))
        for method in route.methods:
            walked += 1
            assert code(await stranger.request(method, path)) == "not_signed_in", path
            if guard.role in below:
                refused = await people[below[guard.role]].request(method, path, json={})
                assert code(refused) == "role_needed", path
    assert walked > 20


async def test_a_route_without_a_role_is_refused_at_the_start(desk: Stage) -> None:
    check_guards(desk.service.app)
    app, router = FastAPI(openapi_url=None), APIRouter()
    router.add_api_route("/api/open", lambda: None)
    app.include_router(router)
    with pytest.raises(ConfigurationError, match="/api/open"):
        check_guards(app)
    bare = FastAPI(openapi_url=None)
    bare.add_route("/api/bare", lambda _: Response())
    with pytest.raises(ConfigurationError, match="/api/bare"):
        check_guards(bare)


async def test_who_writes_on_an_old_revision_is_shown_both(desk: Stage) -> None:
    await desk.admin.make_user("gina", "viewer")
    old = (await desk.admin.get("/api/users/gina")).headers["etag"]
    assert code(await desk.admin.patch("/api/users/gina", json={"role": "trader"})) == "precondition_needed"
    first = await desk.admin.patch("/api/users/gina", json={"role": "trader"}, headers={"If-Match": old})
    second = await desk.admin.patch("/api/users/gina", json={"role": "operator"}, headers={"If-Match": old})
    assert code(second) == "changed"
    details = second.json()["details"]
    assert (details["current"]["role"], details["yours"]) == ("trader", {"role": "operator"})
    assert f'"{details["revision"]}"' == first.headers["etag"]
    assert code(await desk.admin.delete("/api/users/gina", headers={"If-Match": old})) == "changed"
    assert code(await desk.admin.post("/api/users/gina/password")) == "precondition_needed"
    assert code(await desk.admin.post("/api/users/gina/password", headers={"If-Match": old})) == "changed"
    reset = await desk.admin.post("/api/users/gina/password", headers={"If-Match": first.headers["etag"]})
    person = await desk.stranger()
    assert (await person.sign_in("gina", reset.json()["password"])).json()["must_change"] is True
    assert code(await desk.admin.delete("/api/users/admin", headers={"If-Match": '"1"'})) == "conflict"
    now = {"If-Match": f'"{reset.json()["user"]["revision"]}"'}
    gone = await desk.admin.delete("/api/users/gina", headers=now)
    assert gone.status_code == 204
