"""Wishes and what becomes of them: the whole service, in this process, over a broker in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from subscribing_desk import DEADLINE_S, NOTHING, running

from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import (
    BUCKET,
    DESK,
    SUBSCRIPTIONS,
    WISHES,
    Refusal,
    Scope,
    SubscriptionsRequest,
    WishPart,
)
from aegis.contracts.tick_codec import decode
from aegis.exchanges.calendar import Calendar
from aegis.marketdata.adapters.bus import WishStore, wish_store
from aegis.marketdata.bootstrap import build
from aegis.marketdata.domain.wishes import MOST_CONSUMERS
from aegis.marketdata.endpoints import service, subscription_calls
from aegis.marketdata.ports import FeedState
from aegis_sdk import Empty
from aegis_sdk.errors import Rejected, Unavailable
from aegis_sdk.kv import KeyValue
from aegis_sdk.service import ServiceHost
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


async def test_the_desk_wants_all_futures_and_ticks_prove_it(broker: MemoryBroker) -> None:
    async with running(broker, AEGIS_RATE="500") as run:
        status = await run.status()
        assert (status.wanted, status.subscribed, status.refused) == (567, 567, 0)
        assert status.instruments == 567
        assert (await run.until(ticking=567)).state == "ready"
        [wish] = (await run.client.call(WISHES, Empty())).wishes
        assert (wish.consumer, wish.scopes, wish.instruments, wish.expires_at) == (DESK, [Scope()], 0, None)


async def test_wishes_are_merged_and_what_nobody_wants_is_unsubscribed(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        assert (await run.status()).subscribed == 0
        first, second, third = await run.names()
        assert (await run.subscribe("a", first, second)).accepted == [first, second]
        assert (await run.subscribe("b", second, third)).instruments == 2
        await run.until(subscribed=3)
        assert [(one.instrument, one.wanted_by) for one in await run.subscriptions()] == [
            (first, ["a"]),
            (second, ["a", "b"]),
            (third, ["b"]),
        ]
        reply = await run.unsubscribe("a", first, second)
        assert (reply.accepted, reply.still_wanted) == ([first, second], 1)
        await run.until(subscribed=2, wanted=2)
        await run.unsubscribe("b", everything=True)
        await run.until(subscribed=0, wanted=0)
        assert (await run.client.call(WISHES, Empty())).wishes == []


async def test_a_tick_comes_of_what_is_subscribed_and_none_of_what_no_longer_is(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        one, other, _ = await run.names()
        heard: asyncio.Queue[str] = asyncio.Queue()
        await run.transport.subscribe("tick.>", lambda message: heard.put_nowait(message.subject))
        await run.subscribe("a", one, other)
        await run.until(ticking=2)
        await run.unsubscribe("a", one)
        await run.until(subscribed=1)
        received = (await run.status()).received
        while (await run.status()).stored < received:  # noqa: ASYNC110 (what was on its way has arrived)
            await asyncio.sleep(0.01)
        while not heard.empty():
            heard.get_nowait()
        assert {await heard.get() for _ in range(5)} == {f"tick.{other}"}


async def test_each_instrument_of_a_request_is_accepted_or_rejected_with_its_reason(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        [good] = await run.names(1)
        nowhere = Scope(exchange="SHFE", product="nothing")
        reply = await run.subscribe("a", good, "SHFE.none", "rubbish", scopes=[Scope(exchange="CFFEX"), nowhere])
        assert reply.accepted == [good, "all CFFEX futures"]
        assert reply.rejected == [
            Refusal(what="SHFE.none", why=Reason("not_listed")),
            Refusal(what="rubbish", why=Reason("not_written_so")),
            Refusal(what="all SHFE nothing futures", why=Reason("none_listed")),
        ]
        gone = await run.unsubscribe("a", good, "SHFE.none", scopes=[Scope()])
        assert gone.accepted == [good]
        assert [(one.what, str(one.why)) for one in gone.rejected] == [
            ("SHFE.none", "a does not ask for it"),
            ("all futures", "a does not ask for it"),
        ]
        assert gone.still_wanted == 1  # by its own scope


async def test_a_call_looks_at_a_bounded_number_and_the_pages_have_all(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_calls, "_LOOKED_AT", 100)
    async with running(broker, AEGIS_RATE="500") as run:
        [name] = await run.names(1, exchange="SHFE")
        await run.subscribe("a", name)
        pages, found, after = 0, list[str](), ""
        while True:
            reply = await run.client.call(SUBSCRIPTIONS, SubscriptionsRequest(consumer="a", after=after))
            pages += 1
            found += [one.instrument for one in reply.subscriptions]
            if not (after := reply.next):
                break
        assert (pages, found) == (6, [name])
        first = await run.client.call(SUBSCRIPTIONS, SubscriptionsRequest(limit=50))
        assert len(first.subscriptions) == 50
        assert first.next == first.subscriptions[-1].instrument


async def test_a_wish_that_others_wrote_counts_and_what_is_wrong_with_it_is_told(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        [good] = await run.names(1)
        bucket = KeyValue(run.transport, BUCKET)
        part = WishPart(instruments=(good, "SHFE.later"))
        await bucket.put("main.tool.mine", part.model_dump_json().encode())
        await bucket.put("main.tool.broken", b"{")
        await bucket.put("another-feed.tool.mine", WishPart(scopes=(Scope(),)).model_dump_json().encode())
        await run.until(subscribed=1, refused=1, wanted=2)
        [refused] = await run.subscriptions(state="refused")
        assert (refused.instrument, refused.why) == ("SHFE.later", Reason("not_listed"))
        await bucket.delete("main.tool.mine")
        await run.until(subscribed=0, wanted=0)


async def test_after_a_restart_the_same_is_subscribed(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        names = await run.names()
        await run.subscribe("a", *names)
        await run.until(subscribed=3)
    async with running(broker, **NOTHING) as again:
        status = await again.status()
        assert (status.subscribed, status.wanted) == (3, 3)


async def test_in_a_new_session_all_is_subscribed_again_and_ticks_are_of_that_session(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        names = await run.names()
        await run.subscribe("a", *names)
        before = (await run.until(ticking=3)).session
        await run.feed.renew()
        status = await run.until(ticking=3)
        assert status.session == run.feed.session != before
        heard: asyncio.Queue[Any] = asyncio.Queue()
        await run.transport.subscribe("tick.>", heard.put_nowait)
        tick = decode({}, (await heard.get()).payload)
        assert tick.session == status.session


async def test_a_wish_that_is_not_renewed_expires(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        one, other, _ = await run.names()
        await run.subscribe("dead", one, ttl_s=1)
        await run.subscribe("alive", other, ttl_s=1)
        [alive, dead] = (await run.client.call(WISHES, Empty())).wishes
        assert alive.expires_at
        assert dead.expires_at
        await run.subscribe("alive", ttl_s=60)  # adds nothing: a renewal
        await run.until(wanted=1, subscribed=1)
        assert [one.wanted_by for one in await run.subscriptions()] == [["alive"]]


async def test_the_desk_s_own_wish_is_a_setting(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        with pytest.raises(Rejected, match="AEGIS_WANTED"):
            await run.subscribe(DESK, scopes=[Scope()])
        with pytest.raises(Rejected, match="AEGIS_WANTED"):
            await run.unsubscribe(DESK, everything=True)
        with pytest.raises(Rejected, match="everything"):
            await run.unsubscribe("a", "SHFE.x", everything=True)


async def test_the_number_of_consumers_is_bounded(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        [name] = await run.names(1)
        for number in range(MOST_CONSUMERS):
            await run.subscribe(f"c{number}", name)
        with pytest.raises(Rejected, match="64 consumers"):
            await run.subscribe("one-more", name)
        await run.subscribe("c0", name)


async def test_what_one_consumer_may_name_is_bounded(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_calls, "MOST_INSTRUMENTS", 2)
    async with running(broker, **NOTHING) as run:
        first, second, third = await run.names()
        await run.subscribe("a", first, second)
        with pytest.raises(Rejected, match="more than 2 instruments"):
            await run.subscribe("a", third)
        await run.subscribe("a", first, scopes=[Scope()])  # what it names already, and scopes, do not count


async def test_the_scopes_of_a_consumer_are_bounded(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription_calls, "MOST_SCOPES", 1)
    async with running(broker, **NOTHING) as run:
        await run.subscribe("a", scopes=[Scope(), Scope()])
        with pytest.raises(Rejected, match="more than 1 scopes"):
            await run.subscribe("a", scopes=[Scope(exchange="SHFE")])


async def test_a_bucket_that_is_full_refuses_a_wish_aloud(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wish_store, "_MAX_BYTES", 2_000)
    async with running(broker, **NOTHING) as run:
        names = await run.names(400)
        with pytest.raises(Rejected, match="not stored as a whole: maximum bytes"):
            await run.subscribe("a", *names)


async def test_a_wish_made_after_an_outage_of_nats_is_heard(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        names = await run.names()
        await run.subscribe("a", *names)
        await run.until(subscribed=3)
        broker.stop()
        broker.start()
        await run.transport.wait_connected(5)
        part = WishPart(instruments=("SHFE.later",)).model_dump_json().encode()
        await KeyValue(run.transport, BUCKET).put("main.tool.mine", part)
        await run.until(subscribed=3, wanted=4, refused=1)


async def test_a_start_warns_when_the_calendar_ends(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CALENDAR", Calendar(version="old", source="", valid_from="", valid_to="20200101"))
    with capture_logs() as logs:
        async with running(broker, **NOTHING):
            pass
    [warning] = [line for line in logs if line["event"] == "calendar_ends"]
    assert "the session calendar old ended" in warning["problem"]


async def test_two_who_change_one_wish_at_once_lose_nothing(broker: MemoryBroker) -> None:
    async with running(broker, **NOTHING) as run:
        names = await run.names(40)
        await asyncio.gather(*(run.subscribe("a", name) for name in names))
        await run.until(subscribed=40)


async def test_a_finite_replay_delivers_all_its_rows_whoever_wants_what(broker: MemoryBroker, tmp_path: Path) -> None:
    rows = ["TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec"]
    symbols = ["rb2505", *(f"rb2505C{strike}" for strike in range(2000, 3499))]
    rows += [f"20250102,{symbol},SHFE,3300,1,9,09:00:00,{number % 1000}" for number, symbol in enumerate(symbols)]
    path = tmp_path / "ticks.csv"
    path.write_text("\n".join(rows))
    bucket = KeyValue(MemoryTransport(broker), BUCKET)
    await bucket.ensure(marker_ttl_s=1, max_bytes=64 << 20)
    await bucket.put("main.early.0", WishPart(instruments=("SHFE.rb2505",)).model_dump_json().encode())
    async with running(broker, AEGIS_REPLAY=str(path), AEGIS_SPEED="0") as run:
        status = await run.until(state="ended", stored=1500)
        assert (status.received, status.lost, status.wanted, status.ticking) == (1500, 0, 1500, 1500)


async def test_the_feed_is_opened_once_all_wishes_are_known(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, known = asyncio.Event(), asyncio.Event()

    async def slowly(*_: object) -> None:
        reading.set()
        await known.wait()

    monkeypatch.setattr(WishStore, "_drop_unheard", slowly)
    made = build({"AEGIS_NATS_URL": "nats://127.0.0.1:1", **NOTHING})
    host = ServiceHost(MemoryTransport(broker), made)
    starting = asyncio.create_task(host.start())
    async with asyncio.timeout(DEADLINE_S):
        await reading.wait()
    await asyncio.sleep(0.05)  # time enough for a feed to open
    assert (made.feed_state, starting.done()) == (FeedState.CLOSED, False)
    known.set()
    await starting
    assert made.feed_state == FeedState.READY
    await host.stop()


async def test_wishes_that_cannot_be_read_end_the_start(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(WishStore, "_drop_unheard", never)
    monkeypatch.setattr(service, "_START_S", 0.05)
    with pytest.raises(Unavailable, match="cannot be read"):
        async with running(broker, **NOTHING):
            pass
