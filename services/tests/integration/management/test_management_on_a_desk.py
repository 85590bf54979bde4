"""The management service of a desk as `aegis up` starts it: market data, orders, NATS, and its whole document."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
import requests
import schemathesis
from desks import Desk as Processes
from desks import trading_desk_in
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema_rs import Draft202012Validator
from management_stage import Browser, understood
from management_tab import tab
from schemathesis import checks
from websockets.asyncio.client import connect

from aegis.management.access import attempts, sessions, tokens, users

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with trading_desk_in(tmp_path_factory.mktemp("management")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(house: Processes) -> AsyncIterator[Browser]:
    told = house.state.take_sign_in()
    assert told is not None
    async with Browser(told.address) as browser:
        await browser.sign_in_anew(told.user, told.password)
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def program(admin: Browser) -> AsyncIterator[Browser]:
    """By an API token of an administrator, as scripts do."""
    made = await admin.post("/api/tokens", json={"name": "tests", "role": "admin"})
    async with Browser(str(admin.base_url).rstrip("/")) as browser:
        browser.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        yield browser


async def ticking(browser: Browser) -> tuple[str, dict[str, Any]]:
    """An instrument of SHFE that ticks, and its latest tick."""
    asked = {"exchange": "SHFE", "product": "rb", "kind": "future"}
    page = (await browser.get("/api/market/contracts", params=asked)).json()
    instrument = page["instruments"][1]["instrument"]
    async with asyncio.timeout(DEADLINE_S):
        while (answer := await browser.get(f"/api/market/ticks/{instrument}")).status_code == 404:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return instrument, answer.json()


async def test_market_data_is_shown_and_asked_for(admin: Browser) -> None:
    feeds = (await admin.get("/api/market/feeds")).json()
    assert [one["role"] for one in feeds].count("active") == 1
    instrument, tick = await ticking(admin)
    assert tick["last_price"] > 0
    stored = (await admin.get(f"/api/market/ticks/{instrument}/stored", params={"limit": 3})).json()["ticks"]
    assert 0 < len(stored) <= 3
    assert f"{stored[-1]['exchange']}.{stored[-1]['symbol']}" == instrument
    candles = (await admin.get(f"/api/market/bars/{instrument}", params={"period": "1m"})).json()
    assert (candles["instrument"], candles["period"], candles["cut"]) == (instrument, "1m", False)
    assert all(one["low"] <= one["close"] <= one["high"] and one["volume"] > 0 for one in candles["bars"])
    wish = {"consumer": "tests", "instruments": [instrument, "SHFE.nothing"]}
    wanted = (await admin.post("/api/market/subscribe", json=wish)).json()
    assert instrument in wanted["accepted"]
    shown = (await admin.get("/api/market/coverage", params={"consumer": "tests"})).json()["subscriptions"]
    assert "tests" in next(one for one in shown if one["instrument"] == instrument)["wanted_by"]
    async with tab(admin) as client:
        await client.ask("subscribe", "coverage")
        rows = client.tables.setdefault("coverage", {})
        await client.until(lambda: "tests" in rows.get(instrument, {"wanted_by": []})["wanted_by"])
    assert "tests" in {one["consumer"] for one in (await admin.get("/api/market/wishes")).json()["wishes"]}
    gone = await admin.post("/api/market/unsubscribe", json={"consumer": "tests", "everything": True})
    assert gone.status_code == 200
    health = (await admin.get("/api/market/health/main")).json()
    assert health["feed"] == "main"
    assert (await admin.get("/api/market/health/other")).json()["code"] == "not_found"
    assert (await admin.get("/api/market/ticks/SHFE.nothing")).json()["code"] == "not_found"


async def test_an_order_is_placed_once_seen_live_and_cancelled(admin: Browser) -> None:
    assert (await admin.get("/api/trading/accounts")).json() == [{"account": "paper", "key": "paper", "env": "paper"}]
    assert (await admin.get("/api/trading/accounts/other")).json()["code"] == "not_found"
    instrument, tick = await ticking(admin)
    low = int(tick["last_price"] * 0.985)
    ticket = {"instrument": instrument, "side": "buy", "price": str(low), "volume": 2, "client_order_id": "m-1"}
    address = str(admin.base_url).rstrip("/")
    headers = {"Origin": address, "Cookie": "; ".join(f"{name}={value}" for name, value in admin.cookies.items())}
    async with connect(address.replace("http", "ws") + "/api/live", additional_headers=headers) as socket:
        topics = [{"topic": "orders.paper"}, {"topic": f"ticks.{instrument}"}]
        await socket.send(json.dumps({"op": "subscribe", "topics": topics}))
        place = "/api/trading/accounts/paper/orders"
        answers = await asyncio.gather(*(admin.post(place, json=ticket) for _ in range(2)))
        orders = [one.json()["orders"][0] for one in answers]
        assert orders[0]["client_order_id"] == orders[1]["client_order_id"] == "m-1"
        assert (await admin.post(f"{place}/m-1/cancel")).status_code == 200
        status, ticked = "", False
        async with asyncio.timeout(DEADLINE_S):
            while status != "cancelled" or not ticked:
                message = understood(await socket.recv())
                rows = message.get("rows", {})
                status = rows.get("order.m-1", {}).get("status", status)
                ticked = ticked or instrument in rows
    listed = (await admin.get("/api/trading/accounts/paper/orders", params={"instrument": instrument})).json()
    assert [(one["client_order_id"], one["status"]) for one in listed["orders"]] == [("m-1", "cancelled")]
    wrong = await admin.post(place, json={**ticket, "client_order_id": "m-2", "price": "0.5"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "order_rejected")
    assert wrong.json()["details"]["reason"]
    told = (await admin.get("/api/audit", params={"action": "place_order", "limit": 3})).json()["entries"]
    assert [(one["on"], one["result"], one["code"]) for one in told] == [
        ("paper/m-2", "refused", "order_rejected"),
        ("paper/m-1", "done", ""),
        ("paper/m-1", "done", ""),
    ]
    for name in ("m-3", "m-4"):
        assert (await admin.post(place, json={**ticket, "client_order_id": name})).status_code == 200
    ended = await admin.post("/api/trading/accounts/paper/cancel-all")
    assert ended.json() == {"asked": ["m-3", "m-4"], "failed": []}
    assert (await admin.post("/api/trading/accounts/other/cancel-all")).json()["code"] == "not_found"
    told = (await admin.get("/api/audit", params={"action": "cancel_all_orders"})).json()["entries"]
    assert [(one["on"], one["result"]) for one in told] == [("other", "refused"), ("paper", "done")]
    assert told[1]["details"] == {"asked": 2, "failed": []}


async def test_an_account_is_halted_and_set_free_again(admin: Browser) -> None:
    killed = await admin.post("/api/trading/accounts/paper/kill", json={"reason": "a test"})
    assert killed.json()["failed"] == []
    assert (await admin.get("/api/trading/accounts/paper")).json()["mode"] == "halted"
    instrument, tick = await ticking(admin)
    ticket = {"instrument": instrument, "side": "buy", "price": str(int(tick["last_price"] * 0.985)), "volume": 1}
    refused = await admin.post("/api/trading/accounts/paper/orders", json=ticket)
    assert refused.json()["code"] == "order_rejected"
    unseen = await admin.post("/api/trading/accounts/paper/mode", json={"mode": "normal", "was": "normal"})
    assert (unseen.status_code, unseen.json()["code"], unseen.json()["details"]["mode"]) == (
        412,
        "mode_changed",
        "halted",
    )
    freed = await admin.post("/api/trading/accounts/paper/mode", json={"mode": "normal", "was": "halted"})
    assert freed.json()["mode"] == "normal"
    unsure = await admin.post("/api/trading/accounts/paper/flatten", json={"confirm": "other"})
    assert unsure.json()["code"] == "invalid"
    agreed = await admin.post("/api/trading/accounts/paper/reconcile")
    assert agreed.json()["verdict"] == "agreed"
    assert (await admin.get("/api/trading/accounts/paper/trades")).json()["trades"] == []
    assert (await admin.get("/api/trading/accounts/paper/positions")).json() == []


async def test_nats_is_looked_into_but_for_what_is_secret(admin: Browser) -> None:
    streams = {one["name"]: one for one in (await admin.get("/api/nats/streams")).json()}
    assert {"TICKS", "EVENTS", "AUDIT", "LEDGER_0"} <= streams.keys()
    assert streams["AUDIT"]["messages"] > 0
    consumers = (await admin.get("/api/nats/streams/LEDGER_0/consumers")).json()
    assert consumers
    assert consumers[0]["lag"] >= consumers[-1]["lag"]
    assert (await admin.get("/api/nats/streams/NOTHING/consumers")).json()["code"] == "not_found"
    buckets = (await admin.get("/api/nats/buckets")).json()
    assert "aegis_services" in buckets
    for secret in (users.BUCKET, sessions.BUCKET, tokens.BUCKET, attempts.BUCKET):
        assert secret not in buckets
        assert (await admin.get(f"/api/nats/buckets/{secret}/keys")).json()["code"] == "not_found"
        assert (await admin.get(f"/api/nats/buckets/{secret}/keys/admin")).json()["code"] == "not_found"
    keys = (await admin.get("/api/nats/buckets/aegis_instances/keys", params={"limit": 2})).json()
    assert len(keys) == 2
    more = await admin.get("/api/nats/buckets/aegis_instances/keys", params={"after": keys[1]["key"]})
    assert more.json()[0]["key"] > keys[1]["key"]
    assert len(more.json()) + 2 == len((await admin.get("/api/instances")).json())
    assert (await admin.get("/api/nats/buckets/nothing/keys")).json()["code"] == "not_found"
    value = (await admin.get(f"/api/nats/buckets/aegis_instances/keys/{keys[0]['key']}")).json()
    assert value["encoding"] == "json"
    assert value["value"]["configuration"]["nats_password"] == "***"
    [server] = (await admin.get("/api/nats/servers")).json()
    assert (server["answers"], server["address"]) == (True, f"http://127.0.0.1:{server['page']['http_port']}")
    connected = (await admin.get("/api/nats/connections")).json()[0]["page"]["connections"]
    assert {"management", "marketdata", "trading"} <= {one.get("name") for one in connected}
    kept = "/api/nats/buckets/aegis_services/keys/tests/history"
    definition = (await admin.put("/api/services/tests", json={"version": "1"}, headers={"If-None-Match": "*"})).headers
    match = {"If-Match": definition["etag"]}
    match = {"If-Match": (await admin.put("/api/services/tests", json={"version": "2"}, headers=match)).headers["etag"]}
    await admin.delete("/api/services/tests", headers=match)
    revisions = (await admin.get(kept)).json()
    assert [(one["deleted"], (one["value"] or {}).get("version")) for one in revisions] == [
        (True, None),
        (False, "2"),
        (False, "1"),
    ]
    assert (await admin.get(kept.replace("tests", "never"))).json()["code"] == "not_found"
    events = {one["line"]["event"] for one in (await admin.get("/api/logs", params={"limit": 1000})).json()}
    assert "audit" in events


async def test_a_password_that_was_lost_is_made_anew_by_command(house: Processes, admin: Browser) -> None:
    await admin.make_user("lost", "viewer")
    made = await asyncio.to_thread(house.aegis, "reset-password", "lost", "--json")
    password = json.loads(made.stdout)["password"]
    async with Browser(str(admin.base_url).rstrip("/")) as browser:
        assert (await browser.sign_in("lost", password)).json()["must_change"] is True
    unknown = await asyncio.to_thread(house.aegis, "reset-password", "nobody")
    assert (unknown.returncode, unknown.stderr) == (1, "aegis: there is no user nobody\n")
    told = (await admin.get("/api/audit", params={"action": "reset_password", "on": "lost"})).json()["entries"]
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert [(one["way"], one["result"], one["address"]) for one in told] == [("command line", "done", who)]
    made_first = (await admin.get("/api/audit", params={"action": "make_administrator"})).json()["entries"]
    assert [(one["way"], one["on"], one["address"]) for one in made_first] == [("first run", "admin", who)]


async def test_the_document_tells_every_role_and_every_error(program: Browser) -> None:
    document = (await program.get("/api/openapi.json")).json()
    names = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) > 50
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["security"] == [] or operation["x-role"], path
            assert operation["responses"]["default"], path
            assert "HTTPValidationError" not in json.dumps(operation), path
    schemas = document["components"]["schemas"]
    referred = {part.partition('"')[0] for part in json.dumps(document).split('"$ref": "')[1:]}
    assert {one.removeprefix("#/components/schemas/") for one in referred} <= schemas.keys()
    assert set(schemas["LiveRows"]["properties"]) >= {"instances", "leases", "metrics", "ticks", "orders", "logs"}
    assert "HTTPValidationError" not in schemas
    of_ours = {name for path in document["paths"].values() for one in path.values() for name in _answered(one)}
    assert {name for name in of_ours if not schemas[name].get("description")} <= {"JsonValue"}


def _answered(operation: dict[str, Any]) -> list[str]:
    """The models of what it takes and gives."""
    text = json.dumps([operation.get("requestBody"), operation["responses"]])
    return [part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]]


# The whole document, tried with what it allows and with what it does not

EXAMPLES = int(os.environ.get("AEGIS_DOCUMENT_EXAMPLES", "4"))
"""Of what is allowed and of what is not, for each operation; 200 take some minutes."""
_OF_THE_ROUTER = {400, 405}
_NOT_TRIED = ("live_events",)  # never ends
_CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
]
USUAL = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))


async def test_nothing_that_the_document_allows_or_forbids_breaks_it(program: Browser) -> None:
    """With an administrator's token: no 5xx but of what is away, no answer that the document does not tell.

    What only tells is asked of what there is on the desk, and tells it. What acts is asked of what there is not.
    """
    document, there = (await program.get("/api/openapi.json")).json(), await _there(program)
    headers = {"Authorization": program.headers["Authorization"], "Origin": program.headers["Origin"]}
    succeeded = await asyncio.to_thread(_try_all, document, str(program.base_url), headers, set[int](), there)
    telling = {one["get"]["operationId"] for one in document["paths"].values() if "get" in one}
    assert telling - succeeded == set(_NOT_TRIED)
    assert (await program.get("/readyz")).status_code == 200


async def test_nothing_answers_who_is_not_signed_in(program: Browser) -> None:
    document = (await program.get("/api/openapi.json")).json()
    headers = {"Origin": program.headers["Origin"]}
    await asyncio.to_thread(_try_all, document, str(program.base_url), headers, {400, 401, 405, 422}, {})


async def _there(program: Browser) -> dict[str, dict[str, str]]:
    """By the name of a parameter of a path what the desk has; by that of an operation, what it has in place of it."""
    instance = (await program.get("/api/instances", params={"service": "trading"})).json()[0]["instance"]
    keys = (await program.get("/api/nats/buckets/aegis_instances/keys", params={"limit": 1})).json()
    instrument, _ = await ticking(program)
    usual = {"name": "admin", "service": "trading", "instance": instance, "key": "paper", "account": "paper"}
    usual |= {"feed": "main", "instrument": instrument, "stream": "TICKS", "bucket": "aegis_instances"}
    key = {"key": keys[0]["key"]}
    return {"": usual, "get_service": {"name": "trading"}, "get_key": key, "get_key_history": key}


def _try_all(
    document: dict[str, Any], address: str, headers: dict[str, str], statuses: set[int], there: dict[str, Any]
) -> set[str]:
    """Both modes of each operation; those that succeeded.

    `statuses`, if any, are all that may be answered where a role is needed.
    """
    schema, shapes = schemathesis.openapi.from_dict(deepcopy(document)), _Shapes(document)
    allowed_of, forbidden_of, succeeded = Counter[str](), Counter[str](), set[str]()
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            raw = operation.definition.raw
            if raw["operationId"] in _NOT_TRIED:
                continue
            wanted = statuses if statuses and raw["security"] else _told(raw)
            path = {
                one["name"]: one["schema"]["examples"][0] for one in raw.get("parameters", []) if one["in"] == "path"
            }
            if operation.method == "get":
                known = there.get("", {}) | there.get(raw["operationId"], {})
                path |= {name: known[name] for name in path if name in known}
            allowed = operation.as_strategy(path_parameters=path or None)
            forbidden = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
            attempt = partial(_sent, session, shapes, address, headers, wanted, 1 if statuses else EXAMPLES)
            answered = attempt(allowed)
            allowed_of[raw["operationId"]] = len(answered)
            if any(status < 300 for status in answered):
                succeeded.add(raw["operationId"])
            with suppress(Unsatisfiable):  # nothing could be wrong with it
                forbidden_of[raw["operationId"]] = len(attempt(forbidden))
    assert len(allowed_of) > 50
    assert min(allowed_of.values()) > 0
    assert len(forbidden_of) > 40
    return succeeded


def _told(operation: dict[str, Any]) -> set[int]:
    """What the document says by its number, and what is none of this operation: a path may lead to none, or another."""
    told = {int(status) for status in operation["responses"] if status != "default"}
    has_path = any(one["in"] == "path" for one in operation.get("parameters", []))
    return told | _OF_THE_ROUTER | ({404} if has_path else set())


class _Shapes:
    """Of every answer, by the document as it is: schemathesis has no pairs in lists (price and size of a level)."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._known: dict[tuple[str, str, str], Draft202012Validator | None] = {}

    def check(self, case: schemathesis.Case, answer: schemathesis.Response) -> None:
        told = self._document["paths"][case.operation.path][case.operation.method]["responses"]
        status = str(answer.status_code) if str(answer.status_code) in told else "default"
        name = case.operation.path, case.operation.method, status
        if name not in self._known:
            content = told[status].get("content", {})
            schema = next((one.get("schema") for kind, one in content.items() if kind.endswith("json")), None)
            components = {"components": self._document["components"]}
            self._known[name] = None if schema is None else Draft202012Validator({**schema, **components})
        if (validator := self._known[name]) is not None:
            validator.validate(answer.json())


def _sent(
    session: Any, shapes: _Shapes, address: str, headers: dict[str, str], statuses: set[int], examples: int, cases: Any
) -> list[int]:
    """How each was answered, as it may be."""
    answered: list[int] = []

    @settings(USUAL, max_examples=examples)
    @given(case=cases)
    def attempt(case: schemathesis.Case) -> None:
        answer = case.call(base_url=address, session=session, headers=headers, timeout=30)
        case.validate_response(answer, checks=_CHECKS)
        shapes.check(case, answer)
        assert answer.status_code in statuses, (case.method, case.path, answer.status_code)
        answered.append(answer.status_code)

    attempt()
    return answered
