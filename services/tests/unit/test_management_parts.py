"""The small guards of the management service, one by one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from aegis.contracts.market import Tick
from aegis.contracts.trading import OrderRejected, VenueUnavailable
from aegis.management.access import passwords
from aegis.management.access.attempts import _network
from aegis.management.access.guard import _is_attended
from aegis.management.access.passwords import Passwords, made_up
from aegis.management.access.roles import Role
from aegis.management.accounts import environment_of
from aegis.management.audit import AuditEntry, AuditPage, Filter
from aegis.management.console import policy_of
from aegis.management.endpoints.audit import _csv
from aegis.management.live import follower as follower_module
from aegis.management.live import hub as hub_module
from aegis.management.live import topic as topic_module
from aegis.management.live.follower import Follower
from aegis.management.live.hub import Hub
from aegis.management.live.sources import Source
from aegis.management.live.topic import Topic
from aegis.management.problems import Problem, problem_of
from aegis.management.revisions import revision_of
from aegis.management.views import TickView
from aegis_sdk.errors import (
    AegisError,
    ConnectionUnavailable,
    DeadlineExceeded,
    EpochEnded,
    InternalError,
    LedgerUnavailable,
    NotExecuted,
    NotFound,
    OutcomeUnknown,
    StreamError,
    Suspended,
)
from aegis_sdk.lease_view import NotDone


def entry(**fields: Any) -> AuditEntry:
    usual = {"at": datetime(2026, 11, 28, tzinfo=UTC), "who": "a", "address": "::1", "action": "act", "result": "done"}
    return AuditEntry(**{**usual, "instance": "m", **fields})


def test_each_role_includes_those_before_it() -> None:
    assert [one for one in Role if Role.OPERATOR.includes(one)] == [Role.VIEWER, Role.TRADER, Role.OPERATOR]
    assert Role.ADMIN.at_most(Role.TRADER) is Role.TRADER.at_most(Role.ADMIN) is Role.TRADER


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@cell", "\t=1"])
def test_no_cell_of_the_export_is_a_formula(text: str) -> None:
    (line,) = _csv(AuditPage(entries=[entry(on=text)])).splitlines()[1:]
    assert f"'{text}" in line


def test_a_filter_takes_times_without_a_zone_for_utc() -> None:
    at = datetime(2026, 11, 28)
    assert Filter(since=at).fits(entry())
    assert not Filter(until=at).fits(entry())
    assert not Filter(result="refused").fits(entry())
    assert not Filter(on="x").fits(entry(on="y/x"))


@pytest.mark.parametrize("header", [None, "", "*", '""', "abc", '"0"', '"1", "2"', '"' + "9" * 30 + '"', '"²"'])
def test_a_revision_is_one_number_of_ours(header: str | None) -> None:
    with pytest.raises(Problem) as refused:
        revision_of(header)
    assert refused.value.body.status == 428
    assert revision_of('"12"') == revision_of('W/"12"') == 12


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (OrderRejected("no", reason="price_tick", code="x", status=1), 422, "order_rejected", "price_tick"),
        (VenueUnavailable("away"), 503, "venue_unavailable", ""),
        (NotFound("none"), 404, "not_found", ""),
        (NotExecuted("no"), 503, "unavailable", "nobody_answers"),
        (Suspended("no", reason="terms_not_stored"), 503, "unavailable", "terms_not_stored"),
        (OutcomeUnknown("who knows", idempotency_key="k"), 504, "outcome_unknown", ""),
        (DeadlineExceeded("late"), 504, "outcome_unknown", "no_answer_in_time"),
        (InternalError("boom"), 502, "internal", "service_failed"),
        (ConnectionUnavailable("gone"), 503, "unavailable", "nats_away"),
        (TimeoutError(), 503, "unavailable", "nats_away"),
        (StreamError("full", 10077), 503, "unavailable", "stream_refuses"),
        (NotDone("no_taker", "nobody could take it"), 409, "conflict", "no_taker"),
        (NotDone("not_served", "not served yet", was_asked=True), 504, "outcome_unknown", "not_served"),
        (EpochEnded("k", 4), 409, "conflict", "being_moved"),
        (LedgerUnavailable("k", "no answer"), 504, "outcome_unknown", "ledger_unsure"),
        (AegisError("something"), 500, "internal", ""),
    ],
)
def test_what_an_error_means_to_who_called(
    error: AegisError | TimeoutError, status: int, code: str, reason: str
) -> None:
    body = problem_of(error).body
    assert (body.status, body.code, body.type) == (status, code, f"urn:aegis:problem:{code}")
    assert (body.reason, body.detail != "") == (reason, True)


def test_what_a_page_asks_by_itself_is_no_sign_of_somebody() -> None:
    for kind, headers, is_attended in (
        ("http", [], True),
        ("http", [(b"aegis-unattended", b"1")], False),
        ("websocket", [], False),
    ):
        assert _is_attended(HTTPConnection({"type": kind, "headers": headers})) is is_attended


def test_a_page_may_run_its_own_scripts_and_no_others() -> None:
    page = b"<script>a()</script><script src='/b.js'></script><script type='module'>c()</script>"
    scripts = policy_of(page).split("script-src ")[1].split(";")[0].split()
    assert len(scripts) == 3
    assert scripts[0] == "'self'"
    assert all(one.startswith("'sha256-") for one in scripts[1:])


def test_an_address_is_its_network_where_one_has_many() -> None:
    assert _network("2001:db8::1") == _network("2001:db8::ffff:1")
    assert _network("2001:db8::1") != _network("2001:db8:0:1::1")
    assert _network("10.0.0.1") != _network("10.0.0.2")
    assert _network("nonsense") == "unknown"


def test_a_password_that_is_made_up_is_long_enough_and_never_the_same() -> None:
    made = {made_up() for _ in range(100)}
    assert len(made) == 100
    assert {len(one) for one in made} == {29}


async def test_passwords_are_hashed_as_the_rfc_recommends() -> None:
    """RFC 9106, for where memory is scarce: argon2id, 64 MiB, 3 passes, 4 lanes."""
    hashed = await (at_work := Passwords()).hashed("a password")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await at_work.is_right("a password", hashed)
    assert not await at_work.is_right("another", hashed)
    assert not await at_work.is_right("a password", None)
    assert not await at_work.is_right("a password", "no hash")


async def test_who_signs_in_while_too_many_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_WAITING", 1)
    at_work = Passwords()
    async with at_work, at_work:
        waiting = asyncio.create_task(at_work.__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await at_work.hashed("a")
        assert refused.value.code == "overloaded"
    await waiting


class _Silent:
    """Any topic, and nothing in it."""

    def find(self, name: str) -> Source:
        return Source(Role.VIEWER, lambda _: asyncio.Event().wait())  # type: ignore[arg-type, return-value]


async def test_a_follower_has_at_most_so_many_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "MOST_TOPICS", 2)
    hub = Hub(_Silent())  # type: ignore[arg-type]
    with Follower(hub, "anna") as follower:
        for name in ("a", "b", "a"):
            follower.subscribe(name, Role.VIEWER)
        with pytest.raises(Problem) as refused:
            follower.subscribe("c", Role.VIEWER)
        assert refused.value.code == "overloaded"
        follower.unsubscribe("a")
        follower.subscribe("c", Role.VIEWER)
        assert hub.followers == 1
    assert (hub.followers, hub.topics) == (0, 3)  # they linger for who comes back
    hub._close_idle(float("inf"))
    assert hub.topics == 0


async def test_a_user_leaves_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_MOST_FOLLOWERS", 4)
    monkeypatch.setattr(hub_module, "_MOST_FOLLOWERS_OF_A_USER", 2)
    monkeypatch.setattr(hub_module, "_MOST_TOPICS_OF_A_USER", 2)
    hub = Hub(_Silent())  # type: ignore[arg-type]
    with Follower(hub, "anna") as first, Follower(hub, "bert") as other:
        with Follower(hub, "anna") as second:
            with pytest.raises(Problem), Follower(hub, "anna"):
                pass
            with Follower(hub, "carl"), pytest.raises(Problem), Follower(hub, "dora"):
                pass
            for follower, name in ((first, "a"), (second, "a"), (second, "b")):
                follower.subscribe(name, Role.VIEWER)
            with pytest.raises(Problem) as refused:
                first.subscribe("c", Role.VIEWER)
            assert refused.value.code == "overloaded"
            other.subscribe("c", Role.VIEWER)
        with Follower(hub, "anna"):
            first.subscribe("c", Role.VIEWER)  # b was left
    assert hub.followers == 0
    hub._close_idle(float("inf"))


async def test_topics_that_only_linger_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_MOST_TOPICS", 2)
    hub = Hub(_Silent())  # type: ignore[arg-type]
    with Follower(hub, "anna") as anna, Follower(hub, "bert") as bert:
        for name in "abcd":
            anna.subscribe(name, Role.VIEWER)
            anna.unsubscribe(name)
        assert list(hub._open) == ["c", "d"]
        for name in "ef":
            bert.subscribe(name, Role.VIEWER)
        with pytest.raises(Problem):
            anna.subscribe("g", Role.VIEWER)
    hub._close_idle(float("inf"))


async def test_one_may_go_on_from_a_table_only_when_all_parts_of_it_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_module, "_PART_ROWS", 2)

    async def fill(topic: Topic) -> None:
        topic.replace({str(number): number for number in range(5)})
        await asyncio.Event().wait()

    hub = Hub(SimpleNamespace(find=lambda _: Source(Role.VIEWER, fill)))  # type: ignore[arg-type]
    with Follower(hub, "anna") as follower:
        follower.subscribe("table", Role.VIEWER)
        await asyncio.sleep(0)
        told = [(is_whole, dict(follower.places)) for _, is_whole in follower.news()]
        (place,) = follower.places.items()
        assert told == [(False, {}), (False, {}), (True, dict([place])), (False, dict([place]))]
        hub._open["table"].topic.replace({str(number): -number for number in range(9)})
        news = follower.news()
        next(news)
        follower.unsubscribe("table")
        follower.subscribe("table", Role.VIEWER)
        list(news)
        assert follower.places == {}, "it begins anew, and has not got it yet"
    hub._close_idle(float("inf"))


@pytest.mark.parametrize(
    ("said", "env"),
    [
        ([], None),
        ([{}], None),
        ([{"accounts": {"other": {"env": "paper"}}}], None),
        ([{"accounts": {"a1": {"env": "live"}}}, {"accounts": {"other": {"env": "paper"}}}], "live"),
        ([{"accounts": {"a1": {"env": "live"}}}, {"accounts": {"a1": {"env": "paper"}}}], None),
        ([{"accounts": {"a1": {"env": "nonsense"}}}], None),
    ],
)
def test_where_orders_go_is_known_where_all_who_say_it_agree(said: list[dict[str, Any]], env: str | None) -> None:
    living = [SimpleNamespace(record=SimpleNamespace(configuration=one)) for one in said]
    view = SimpleNamespace(directory=SimpleNamespace(instances=lambda service: living))
    assert environment_of(view, "a1") == env  # type: ignore[arg-type]


def test_a_tick_is_shown_with_all_its_fields() -> None:
    assert tuple(TickView.model_fields) == Tick.__struct_fields__
