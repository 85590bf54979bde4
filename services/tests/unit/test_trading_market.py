"""What an account hears of the market: prices, the time of the day, and what is wanted for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from samples import TICK
from structlog.testing import capture_logs
from trading_desk import MEAL, REBAR

from aegis.contracts.market import Level
from aegis.contracts.subscriptions import SUBSCRIBE, WishReply, WishRequest
from aegis.exchanges.sessions import to_utc_ns
from aegis.trading import market as market_module
from aegis.trading.domain.phases import phase_at
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.market import Market
from aegis_sdk.errors import Unavailable
from aegis_sdk.handler import rpc
from aegis_sdk.service import Service, ServiceHost
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
async def transport() -> AsyncIterator[MemoryTransport]:
    made = MemoryTransport(MemoryBroker())
    yield made
    await made.close()


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
    live, paper = heard("live"), heard("paper", RiskSettings(tick_feeds=["sim/main"]))
    for market in (live, paper):
        market.hear(tick(env="sim", feed="main", last_price=3000.0))
    assert live.price("a", REBAR) is None
    assert live.marks("a") == {}
    named = paper.price("a", REBAR)
    assert named is not None
    assert (named.bid, named.ask, named.last) == (2999, None, 3000)
    paper.hear(tick(env="live", feed="main", last_price=1.0))
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
        (REBAR, "20251128", "08:57:00", "auction"),  # after its night
        (REBAR, "20251128", "08:59:30", "match"),
        (REBAR, "20230525", "08:57:00", "break"),  # its auction was in the evening
        (REBAR, "20230526", "08:57:00", "auction"),
        ("CZCE.SR605", "20251128", "08:57:00", "break"),
        ("CZCE.SR605", "20251009", "08:57:00", "auction"),
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
    assert market.phase("a", REBAR) == "auction", "08:55"
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
    paper = Market(None, lambda _: ("paper", RiskSettings(tick_feeds=["live/main"])), clock)
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
    await market.keep_only([MEAL])
    assert await market.want("a", MEAL), "there is room again"
    assert market.instruments == {MEAL}
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
        async with asyncio.timeout(30):
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
