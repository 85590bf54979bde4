"""The parts of the trading service: settings, what an account hears of the market, stores, events on their way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from samples import TICK
from structlog.testing import capture_logs
from trading_desk import MEAL, REBAR, Desk

from aegis.contracts.market import Level
from aegis.contracts.subscriptions import SUBSCRIBE, WishReply, WishRequest
from aegis.contracts.trading import group_name, order_key, risk_name
from aegis.contracts.venue import VenueReport
from aegis.exchanges.sessions import to_utc_ns
from aegis.profiles.writing import write_profile
from aegis.trading import market as market_module
from aegis.trading import outbox as outbox_module
from aegis.trading.adapters.ctp import CtpVenue
from aegis.trading.bootstrap import build
from aegis.trading.domain.changes import write_changes
from aegis.trading.domain.phases import phase_at
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.domain.telling import Told
from aegis.trading.domain.views import event_of
from aegis.trading.keys import AccountState, KeyState
from aegis.trading.market import Market
from aegis.trading.metrics import Counts, figures
from aegis.trading.outbox import Outbox, Posting
from aegis.trading.settings import TradingSettings
from aegis.trading.stores import ConfigStore, StatementStore
from aegis.trading.venues import VenueListener
from aegis_sdk.errors import ConfigurationError, Unavailable
from aegis_sdk.events import Events
from aegis_sdk.handler import rpc
from aegis_sdk.kv import KeyValue
from aegis_sdk.service import Service, ServiceHost
from aegis_sdk.single_active import Committed
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    made = MemoryTransport(MemoryBroker())
    yield made
    await made.close()


# Settings


def written(path: Path, text: str) -> dict[str, str]:
    file = path / "accounts.toml"
    file.write_text(text)
    return {"AEGIS_ACCOUNTS": str(file), "AEGIS_NATS_URL": "nats://127.0.0.1:4222"}


def test_without_a_file_there_is_one_paper_account() -> None:
    settings = TradingSettings.from_environment({})
    assert settings.groups == {"paper": ("paper",)}
    assert settings.accounts["paper"].risk.tick_feeds == ["main"]


def test_accounts_of_a_group_are_one_key(tmp_path: Path) -> None:
    text = """
    [accounts.A1]
    env = "paper"
    group = "desk"
    [accounts.A2]
    env = "paper"
    group = "desk"
    [accounts.A3]
    env = "paper"
    """
    assert TradingSettings.from_environment(written(tmp_path, text)).groups == {"desk": ("A1", "A2"), "A3": ("A3",)}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[accounts.A1]\nenv = 'fun'", "A1.env"),
        ("[accounts.A1]\nenv = 'live'", "paper venue"),
        ("[accounts.'A 1']\nenv = 'paper'", "A 1"),
        ("[accounts.A1]\nenv = 'paper'\n[accounts.A1.risk]\ncollar = 2", "risk.collar"),
        ("[accounts.A1]\nenv = 'paper'\ngroup = 'A2'\n[accounts.A2]\nenv = 'paper'", "in none"),
        ("[account.A1]\nenv = 'paper'", "beside"),
        ("[accounts.A1]\nenv = 'sim'\nvenue = 'ctp'", "has a profile"),
        ("[accounts.A1]\nenv = 'paper'\nprofile = 'simnow'", "nobody else has"),
        ("accounts = ", "no TOML"),
        ("", "at least 1"),
    ],
)
def test_a_wrong_accounts_file_is_refused_by_name(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match="AEGIS_ACCOUNTS") as refused:
        TradingSettings.from_environment(written(tmp_path, text))
    assert problem in str(refused.value)


LOGIN = {
    "broker_id": "9999",
    "user_id": "100001",
    "password": "never-shown",
    "app_id": "client_test_1.0",
    "auth_code": "0000000000000000",
    "market_fronts": "tcp://127.0.0.1:1",
    "trader_fronts": "tcp://127.0.0.1:2",
}


def at_ctp(path: Path, account: str = "100001", env: str = "sim") -> Mapping[str, str]:
    """Accounts of which two are at CTP, and two on paper."""
    write_profile(path / "one.toml", path, LOGIN)
    write_profile(path / "two.toml", path, {**LOGIN, "user_id": "100002"})
    text = f"""
    [accounts]
    P1 = {{ env = "paper" }}
    P2 = {{ env = "paper" }}
    {account} = {{ env = "{env}", venue = "ctp", profile = "{path / "one.toml"}" }}
    100002 = {{ env = "sim", venue = "ctp", profile = "{path / "two.toml"}" }}
    """
    return written(path, text)


async def test_each_account_at_ctp_has_a_venue_of_its_own_which_logs_in_by_its_profile(
    tmp_path: Path, transport: MemoryTransport
) -> None:
    service = build(at_ctp(tmp_path))
    assert service.settings.venues == {"paper": ("P1", "P2"), "ctp-100001": ("100001",), "ctp-100002": ("100002",)}
    service.transport = transport
    await service.on_start()
    try:
        venues = service.acting.venues
        assert venues["P1"] is venues["P2"]
        assert isinstance(venues["100001"], CtpVenue)
        assert venues["100001"] is not venues["100002"]
        assert [service.acting.can_void(account) for account in venues] == [True, True, False, False]
        assert "never-shown" not in str(service.configuration())
    finally:
        await service.on_stop()


@pytest.mark.parametrize(("account", "env"), [("100003", "sim"), ("100001", "live")])
def test_a_profile_of_another_account_or_env_is_refused(tmp_path: Path, account: str, env: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{account} \({env}\) is not the account of the profile one"):
        build(at_ctp(tmp_path, account, env))


def test_a_venue_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="known venues: ctp, paper"):
        build(written(tmp_path, "[accounts.A1]\nenv = 'sim'\nvenue = 'ctpp'"))


def test_an_order_s_idempotency_key_tells_accounts_apart() -> None:
    assert order_key("a", "1") != order_key("b", "1")
    assert len(order_key("a" * 32, "b" * 32)) <= 128


# The market


def heard(env: Any = "sim", risk: RiskSettings | None = None) -> Market:
    return Market(None, lambda account: (env, risk or RiskSettings()))


def tick(**other: Any) -> Any:
    exchange, symbol = REBAR.split(".")
    facts = {
        "exchange": exchange,
        "symbol": symbol,
        "bids": (Level(2999.0, 1),),
        "last_price": 3000.0,
        "ts_received_ns": time.time_ns(),
        "flags": (),
    }
    return msgspec.structs.replace(TICK, **{**facts, **other})


def test_an_account_hears_ticks_of_its_own_env_only_and_paper_those_it_names() -> None:
    live, paper = heard("live"), heard("paper", RiskSettings(tick_feeds=["main"]))
    for market in (live, paper):
        market.hear(tick(env="sim", feed="main", last_price=3000.0))
    assert live.price("a", REBAR) is None
    assert live.marks("a") == {}
    named = paper.price("a", REBAR)
    assert named is not None
    assert (named.bid, named.ask, named.last) == (2999, None, 3000)
    paper.hear(tick(env="live", feed="other", last_price=1.0))
    assert paper.marks("a") == {REBAR: 3000}


def test_only_the_prices_that_are_asked_for_are_worked_out() -> None:
    asked: list[str] = []

    def may_hear(account: str) -> tuple[Any, RiskSettings]:
        asked.append(account)
        return "sim", RiskSettings()

    market = Market(None, may_hear)
    for number in range(50):
        market.hear(tick(symbol=f"rb{number}", last_price=float(number)))
    marks = market.marks("a")
    assert (marks.get("SHFE.rb7"), marks.get("SHFE.cu1"), asked) == (7, None, ["a"])
    assert len(marks) == 50


def test_a_tick_that_was_stored_long_ago_is_old() -> None:
    market = heard()
    market.hear(tick(ts_received_ns=time.time_ns() - 90_000_000_000))
    price = market.price("a", REBAR)
    assert price is not None
    assert 89 < price.age_s < 100


@pytest.mark.parametrize(
    ("instrument", "day", "clock", "phase"),
    [
        (REBAR, "20251128", "20:54:59", "closed"),
        (REBAR, "20251128", "20:55:00", "auction"),
        (REBAR, "20251128", "20:58:59", "auction"),
        (REBAR, "20251128", "20:59:00", "match"),
        (REBAR, "20251128", "21:00:00", "trading"),
        (REBAR, "20251128", "08:57:00", "break"),  # after its night
        (REBAR, "20251009", "08:57:00", "auction"),  # the holiday's end: no night before
        (REBAR, "20251009", "08:59:30", "match"),
        (REBAR, "20251128", "10:20:00", "break"),
        (REBAR, "20251129", "10:00:00", "closed"),
        ("CFFEX.IF2512", "20251128", "09:25:00", "auction"),
        ("CFFEX.IF2512", "20251128", "09:29:00", "match"),
        ("CFFEX.IF2512", "20251128", "09:30:00", "trading"),
        ("SHFE.nobody2605", "20251129", "10:00:00", "trading"),
    ],
)
def test_a_phase_is_that_of_the_product_s_hours_on_that_day(instrument: str, day: str, clock: str, phase: str) -> None:
    assert phase_at(instrument, at(day, clock)) == phase


def at(day: str, clock: str) -> int:
    hour, minute, second = map(int, clock.split(":"))
    return to_utc_ns(day, hour * 3600 + minute * 60 + second)


def test_the_market_s_clock_goes_on_from_the_latest_change_of_any_instrument() -> None:
    market, ago_ns = heard(), 6 * 3600 * 10**9 + 25 * 60 * 10**9
    assert market.phase("a", REBAR) == "trading", "nobody knows how late it is"
    received = {"ts_received_ns": time.time_ns() - ago_ns}
    market.hear(tick(symbol="au2606", ts_exchange_ns=at("20251128", "02:30:00"), **received))
    assert market.phase("a", REBAR) == "break", "08:55 of a day whose night there was"
    assert market.phase("a", "CFFEX.IF2512") == "closed"
    market.hear(tick(ts_exchange_ns=at("20251128", "09:00:00")))
    assert market.phase("a", "SHFE.cu2605") == "trading", "a contract that does not tick, too"


@pytest.mark.parametrize("flag", ["snapshot", "stale", "out_of_session"])
def test_a_tick_that_may_be_stamped_long_before_it_came_tells_no_time(flag: Any) -> None:
    market = heard()
    market.hear(tick(ts_exchange_ns=at("20251128", "20:59:30")))
    market.hear(tick(ts_exchange_ns=at("20251128", "14:59:59"), flags=(flag,)))
    market.hear(tick(ts_exchange_ns=at("20251128", "14:00:00"), ts_received_ns=time.time_ns() - 10**12))
    assert market.phase("a", REBAR) == "match"


def test_a_live_market_s_clock_is_that_of_this_machine() -> None:
    def clock() -> int:
        return at("20251128", "20:57:00")

    live = Market(None, lambda _: ("live", RiskSettings()), clock)
    paper = Market(None, lambda _: ("paper", RiskSettings(tick_feeds=["main"])), clock)
    paper.hear(tick(env="live", feed="main", ts_exchange_ns=at("20251128", "15:00:00")))
    assert (live.phase("a", REBAR), paper.phase("a", REBAR)) == ("auction", "auction")


async def test_the_first_order_of_an_instrument_waits_for_its_stored_tick(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(market_module, "_FIRST_TICK_S", 0.01)
    market = Market(transport, lambda account: ("sim", RiskSettings()))
    await market.want("a", REBAR)
    assert market.price("a", REBAR) is None
    await market.close()


async def test_an_instrument_too_many_is_told_once(transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_FIRST_TICK_S", 0.0), ("_MOST", 1)):
        monkeypatch.setattr(market_module, name, value)
    market = Market(transport, lambda account: ("sim", RiskSettings()))
    with capture_logs() as logs:
        assert [await market.want("a", one) for one in (REBAR, MEAL, MEAL)] == [True, False, False]
    await market.close()
    assert [(one["event"], one["most"], one["instrument"]) for one in logs] == [("too_many_instruments", 1, MEAL)]


class Wished(Service):
    """Market data that hears wishes; it knows no instrument before its first session."""

    name = "marketdata"

    def __init__(self) -> None:
        self.requests: asyncio.Queue[WishRequest] = asyncio.Queue()
        self.knows_all = False

    @rpc(SUBSCRIBE)
    async def subscribe(self, request: WishRequest) -> WishReply:
        self.requests.put_nowait(request)
        if not self.knows_all:
            raise Unavailable("the instruments are not known")
        return WishReply(accepted=request.instruments, rejected=[], instruments=len(request.instruments))


async def test_what_is_needed_is_wanted_at_market_data_until_that_has_heard_and_renewed(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_FIRST_TICK_S", "_AGAIN_S"):
        monkeypatch.setattr(market_module, name, 0.01)
    wished, market = Wished(), Market(transport, lambda account: ("sim", RiskSettings()))
    host = ServiceHost(transport, wished)
    await host.start()
    wanting = asyncio.create_task(market.keep_wanting())
    try:
        async with asyncio.timeout(5):
            await market.want("a", REBAR)
            first = await wished.requests.get()
            assert (first.consumer, first.instruments, first.ttl_s) == ("trading", [REBAR], 86_400)
            assert await wished.requests.get() == first, "nobody knew it"
            wished.knows_all = True
            while REBAR not in market.wished_at:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            await market.want("a", MEAL)
            while (await wished.requests.get()).instruments != [MEAL]:
                pass
            monkeypatch.setattr(market_module, "_RENEW_S", 0.0)
            while set((await wished.requests.get()).instruments) != {REBAR, MEAL}:
                pass
            await market.leave(MEAL)
            while (await wished.requests.get()).instruments != [REBAR]:
                pass
    finally:
        wanting.cancel()
        await market.close()
        await host.stop()


# Stores


async def test_risk_settings_are_in_force_as_they_are_stored_and_wrong_ones_change_nothing(
    transport: MemoryTransport,
) -> None:
    given = RiskSettings(max_order_lots=7)
    store = ConfigStore(transport, {"a": given})
    await store.ensure({"a": "desk"})
    bucket = KeyValue(transport, "aegis_config")
    found = await bucket.get(group_name("a"))
    assert found is not None
    assert found.value == b"desk"
    following = asyncio.create_task(store.follow())

    async def until(lots: int) -> None:
        async with asyncio.timeout(5):
            while store.risk["a"].max_order_lots != lots:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 3}).encode())
    await until(3)
    await bucket.put(risk_name("b"), b"{}")  # of nobody here
    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 0}).encode())
    await bucket.put(risk_name("a"), b"no JSON")
    await bucket.put(risk_name("a"), json.dumps({"max_order_lots": 4}).encode())
    await until(4)
    await bucket.delete(risk_name("a"))
    await until(7)
    following.cancel()


async def test_a_statement_is_stored_once(transport: MemoryTransport) -> None:
    store = StatementStore(transport)
    await store.ensure()
    assert not await store.has("a", "20251201")
    await store.put("a", "20251201", "first")
    await store.put("a", "20251201", "second")
    found = await KeyValue(transport, "aegis_statements").get("a.20251201")
    assert found is not None
    assert found.value == b"first"


# Events on their way


def told(desk: Desk, first: int, count: int) -> list[Told]:
    order = desk.order("buy", 1)
    return [Told(first + number, order) for number in range(count)]


def outbox_of(desk: Desk, account: str = "a") -> Outbox:
    return Outbox(account, lambda one: event_of(desk.book, one, {}))


async def stored(transport: MemoryTransport) -> list[int]:
    found: list[int] = []
    async with transport.read("EVENTS", "event.trading.a.order") as messages:
        async for message in messages:
            if message is None:
                return found
            found.append(json.loads(message.payload)["sequence"])
    return found


@asynccontextmanager
async def posted(transport: MemoryTransport, stream: Events, known: int, *outboxes: Outbox) -> AsyncIterator[None]:
    """As long as their accounts are held."""
    posting = Posting(stream)
    running = [asyncio.create_task(outbox.run(transport, posting, known)) for outbox in outboxes]
    running.append(asyncio.create_task(posting.run()))
    try:
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running)


async def until_empty(outbox: Outbox) -> None:
    async with asyncio.timeout(5):
        while outbox:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_what_was_committed_together_is_told_together_by_each_instance_alike() -> None:
    desk = Desk()
    first, second = desk.intend("buy", 2), desk.intend("buy", 1)
    desk.report(first, "accepted")
    desk.fill(first, 1)
    desk.fill(first, 1)
    desk.report(second, "cancelled")
    entries = [5] * 3 + [6] * 2 + [7] * 4  # opened with its terms; both intents; the rest
    journal = [
        Committed(entry, 1, "result", "", write_changes([change]))
        for entry, change in zip(entries, desk.journal, strict=True)
    ]
    states = [KeyState("a", ["a"], None, lambda account: {}) for _ in range(2)]
    for state in states:
        for committed in journal:
            state.apply(committed)
    ours, others = ([*state.accounts["a"].outbox.waiting] for state in states)
    assert ours == others
    kinds = [type(one.what).__name__ for one in ours]
    assert kinds == ["NoneType", "Order", "NoneType", "Order", "Order", "NoneType", "Trade", "str", "Trade", "Order"]
    assert [one.sequence for one in ours] == list(range(1, 11))
    assert states[0].group.books["a"].sequence == 10


async def test_a_new_holder_goes_on_behind_what_is_stored(transport: MemoryTransport) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    for first, count in ((1, 3), (1, 5)):  # the second one has replayed all that the first had, and more
        outbox = outbox_of(desk)
        outbox.add(told(desk, first, count))
        async with posted(transport, stream, 5, outbox):
            await until_empty(outbox)
    assert outbox.published == 2
    assert await stored(transport) == [1, 2, 3, 4, 5]


async def test_what_could_not_be_stored_is_sent_again_in_order(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_AGAIN_S", 0.001)
    stream = Events(transport)
    await stream.ensure()
    publish, failures = stream.publish, [3, 3, 4]

    async def failing(subject: str, body: Any, **other: Any) -> int:
        if failures and body.sequence == failures[0]:
            failures.pop(0)
            raise Unavailable("gone")
        return await publish(subject, body, **other)

    monkeypatch.setattr(stream, "publish", failing)
    outbox = outbox_of(Desk())
    outbox.add(told(Desk(), 1, 5))
    async with posted(transport, stream, 5, outbox):
        await until_empty(outbox)
    assert sorted(await stored(transport)) == [1, 2, 3, 4, 5]
    assert outbox.published == 5


async def test_many_events_of_several_accounts_are_stored_as_one_batch(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Events(transport)
    await stream.ensure()
    singly: list[str] = []
    publish = stream.publish

    async def seen(subject: str, body: Any, *, id: str = "", **other: Any) -> int:
        singly.append(id)
        return await publish(subject, body, id=id, **other)

    monkeypatch.setattr(stream, "publish", seen)
    desk = Desk()
    outboxes = [outbox_of(desk), outbox_of(desk, "b")]
    for outbox in outboxes:
        outbox.add(told(desk, 1, 20))
    async with posted(transport, stream, 20, *outboxes):
        for outbox in outboxes:
            await until_empty(outbox)
        assert await stored(transport) == [*range(1, 21)] * 2  # each account in its order
        assert singly == []
        outboxes[0].add(told(desk, 21, 1))
        await until_empty(outboxes[0])
        assert singly == ["a.21"]


async def test_more_than_a_batch_takes_is_stored_in_turns_of_all_accounts(transport: MemoryTransport) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    outboxes = [outbox_of(desk, f"a{number}") for number in range(12)]
    for outbox in outboxes:
        outbox.add(told(desk, 1, 130))
    async with posted(transport, stream, 130, *outboxes):
        for outbox in outboxes:
            await until_empty(outbox)
    assert sorted(await stored(transport)) == sorted([*range(1, 131)] * 12)


async def test_a_batch_of_which_something_is_stored_already_goes_one_by_one(transport: MemoryTransport) -> None:
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 20))
    first = outbox.next()[0]
    await stream.publish("event.trading.a.trade", first.body, id=first.id)  # where nobody looks for the last one
    async with posted(transport, stream, 20, outbox):
        await until_empty(outbox)
    assert await stored(transport) == list(range(2, 21))


async def test_trades_are_told_before_what_can_wait(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "_REST_S", (0.0, 60.0))
    stream = Events(transport)
    await stream.ensure()
    desk = Desk()
    name = desk.intend("buy", 1)
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 3))
    async with posted(transport, stream, 3, outbox):
        await asyncio.sleep(0.01)
        assert len(outbox) == 3
        outbox.add([Told(4, desk.fill(name, 1).trades[0])])
        await until_empty(outbox)


async def test_an_event_that_cannot_be_published_is_an_error_of_the_service(
    transport: MemoryTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Events(transport)
    await stream.ensure()
    monkeypatch.setattr(stream, "publish", lambda *_, **__: 1 / 0)
    desk, posting = Desk(), Posting(stream)
    outbox = outbox_of(desk)
    outbox.add(told(desk, 1, 1))
    running = asyncio.create_task(outbox.run(transport, posting, 1))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(posting.run(), 5)
    running.cancel()


async def test_a_long_outage_pushes_the_oldest_events_out_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "_MOST", 3)
    outbox = outbox_of(Desk())
    outbox.add(told(Desk(), 1, 5))
    assert (len(outbox), outbox.dropped) == (3, 2)


# A venue's reports


async def test_a_hole_a_new_session_and_a_return_make_a_comparison_due() -> None:
    desk = Desk()
    account = AccountState("a", lambda told: event_of(desk.book, told, {}))
    name = desk.intend("buy", 1)
    listener = VenueListener("v", ["a"], lambda name: account)

    def report(session: str, sequence: int, state: Any = None) -> bool:
        account.due.clear()
        order = None if state else desk.told(name, "accepted")
        listener.reported(VenueReport(session=session, sequence=sequence, state=state, order=order))
        return account.due.is_set()

    assert report("s1", 1, "ready")
    account.ready.set()
    assert not report("s1", 2)
    assert report("s1", 4)
    assert report("s2", 1)
    report("s2", 2, "down")
    assert not account.ready.is_set()
    assert not listener.is_up
    assert report("s2", 3, "ready")


async def test_figures_say_what_is_traded_and_how_it_stands() -> None:
    desk = Desk()
    desk.intend("buy", 1)
    state = KeyState("a", ["a"], None, lambda account: {})
    state.group = desk.group
    counts = Counts()
    counts.refused["collar"] += 1
    with counts.timed("submit"):
        pass
    shown = {one.name: one for one in figures(counts, {"a": state}, {"paper": True})}
    assert [sample.value for sample in shown["aegis_trading_open_intents"].samples] == [1]
    assert shown["aegis_trading_refused_orders"].samples[0].labels == {"reason": "collar"}
    assert {sample.labels["mode"]: sample.value for sample in shown["aegis_trading_account_mode"].samples}[
        "normal"
    ] == 1
