"""The subscriber, with a feed of the simulated market that keeps a record of what it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from aegis.contracts.market import Instrument, InstrumentId
from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import Scope, WishPart
from aegis.marketdata.adapters.simulated import SimulatedFeed, SimulatedOptions
from aegis.marketdata.domain.wishes import Place, Wishes
from aegis.marketdata.ports import FeedState, FlowControl
from aegis.marketdata.subscriber import Subscriber
from aegis_sdk.errors import ConfigurationError, ConnectionUnavailable


class Asked(SimulatedFeed):
    """Remembers each call; may fail, refuse, or be met in the middle of one."""

    def __init__(self) -> None:
        super().__init__(SimulatedOptions(rate=100, start_day="20250102"))
        self.calls: list[tuple[str, int]] = []
        self.failures = 0
        self.refused: set[InstrumentId] = set()
        self.expired: set[str] = set()
        self.meanwhile: Callable[[], Any] | None = None
        self.queried: Callable[[], Any] | None = None

    async def instruments(self) -> Sequence[Instrument]:
        found = await super().instruments()
        if self.expired:
            found = [one for one in found if str(one.id) not in self.expired]
        if self.queried is not None:
            queried, self.queried = self.queried, None
            await queried()
            return found[:1]
        return found

    async def subscribe(self, instruments: Sequence[InstrumentId]) -> Mapping[InstrumentId, Reason]:
        self.calls.append(("subscribe", len(instruments)))
        if self.failures:
            self.failures -= 1
            raise ConnectionUnavailable("the front does not answer")
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        unknown = await super().subscribe([one for one in instruments if one not in self.refused])
        return {**unknown, **{one: Reason("counter_silent") for one in instruments if one in self.refused}}

    async def unsubscribe(self, instruments: Sequence[InstrumentId]) -> None:
        self.calls.append(("unsubscribe", len(instruments)))
        await super().unsubscribe(instruments)


class Line:
    """A subscriber at work between a table of wishes and a feed."""

    def __init__(self, sink: Any, flow: FlowControl) -> None:
        self.feed = Asked()
        self.wishes = Wishes()
        self.heard: Counter[InstrumentId] = Counter()
        self.universes: list[int] = []
        self.subscriber = Subscriber(
            self.feed,
            flow,
            self.wishes,
            self.heard,
            on_universe=lambda _, universe: self.universes.append(len(universe)),
        )
        self.sink = sink
        sink_changed = sink.changed

        def changed(state: FeedState, why: Sequence[Reason] = ()) -> None:
            sink_changed(state, why)
            self.subscriber.feed_changed(state)

        sink.changed = changed
        self._revision = 0
        self._running = asyncio.create_task(self.subscriber.run())

    def want(self, part: WishPart | None, consumer: str = "a") -> None:
        self._revision += 1
        self.wishes.apply(Place(consumer, "0"), part, self._revision)
        self.subscriber.wishes_changed()

    async def settled(self) -> None:
        async with asyncio.timeout(30):
            await self.subscriber.settled()

    async def names(self, count: int) -> list[str]:
        return [str(one.id) for one in await self.feed.instruments()][:count]

    def state(self, name: str) -> tuple[str, Reason | None]:
        return {found: (state, why) for found, state, why in self.subscriber.listing()}[name]

    async def stop(self) -> None:
        self._running.cancel()
        await asyncio.wait({self._running})
        await self.feed.close()


@pytest.fixture
async def line(sink: Any) -> AsyncIterator[Line]:
    made = Line(sink, FlowControl(batch=200))
    yield made
    await made.stop()


async def test_a_wish_is_subscribed_in_batches_and_given_up_in_batches(line: Line) -> None:
    line.want(WishPart(scopes=(Scope(),)))
    await line.feed.open(line.sink)
    await line.settled()
    assert line.feed.calls == [("subscribe", 200), ("subscribe", 200), ("subscribe", 167)]
    assert line.subscriber.totals().subscribed == 567
    line.feed.calls.clear()
    line.want(None)
    await line.settled()
    assert line.feed.calls == [("unsubscribe", 200), ("unsubscribe", 200), ("unsubscribe", 167)]
    assert line.subscriber.totals().subscribed == 0


async def test_without_a_bound_all_is_asked_for_in_one_call(sink: Any) -> None:
    line = Line(sink, FlowControl(batch=None))
    line.want(WishPart(scopes=(Scope(),)))
    await line.feed.open(sink)
    await line.settled()
    assert line.feed.calls == [("subscribe", 567)]
    await line.stop()


async def test_a_flow_without_a_batch_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="batch"):
        FlowControl(batch=0)
    with pytest.raises(ConfigurationError, match="pause_s"):
        FlowControl(pause_s=-1)


async def test_what_one_gives_up_stays_subscribed_for_the_other(line: Line) -> None:
    await line.feed.open(line.sink)
    one, other = await line.names(2)
    line.want(WishPart(instruments=(one, other)), "a")
    line.want(WishPart(instruments=(other,)), "b")
    await line.settled()
    line.feed.calls.clear()
    line.want(None, "a")
    await line.settled()
    assert line.feed.calls == [("unsubscribe", 1)]
    assert [name for name, _, _ in line.subscriber.listing()] == [other]


async def test_only_a_tick_proves_a_subscription(line: Line) -> None:
    await line.feed.open(line.sink)
    [name] = await line.names(1)
    exchange, _, symbol = name.partition(".")
    line.heard[InstrumentId(exchange, symbol)] = 7
    line.want(WishPart(instruments=(name,)))
    await line.settled()
    assert line.state(name) == ("subscribed", None)
    line.heard[InstrumentId(exchange, symbol)] += 1
    assert line.state(name) == ("ticking", None)
    assert line.subscriber.totals().ticking == 1


async def test_what_is_refused_says_why_and_holds_up_nothing(line: Line) -> None:
    await line.feed.open(line.sink)
    good, bad = await line.names(2)
    line.feed.refused = {InstrumentId(*bad.split("."))}
    line.want(WishPart(instruments=("SHFE.none", good, bad)))
    await line.settled()
    assert line.state("SHFE.none") == ("refused", Reason("not_listed"))
    assert line.state(bad) == ("refused", Reason("counter_silent"))
    assert line.state(good)[0] == "subscribed"
    assert line.subscriber.totals().refused == 2
    line.want(WishPart(instruments=(good, bad)))
    await line.settled()
    assert line.feed.calls == [("subscribe", 2)]  # not asked for again in this session


async def test_what_is_resubscribed_is_unsubscribed_first_and_unproven_until_a_tick(line: Line) -> None:
    await line.feed.open(line.sink)
    first, second = await line.names(2)
    line.want(WishPart(instruments=(first, second)))
    await line.settled()
    line.feed.calls.clear()
    named = {InstrumentId(*name.split(".")) for name in (first, "SHFE.none")}
    assert line.subscriber.resubscribe(named) == 1
    await line.settled()
    assert line.feed.calls == [("unsubscribe", 1), ("subscribe", 1)]
    assert line.state(first) == ("subscribed", None)
    assert line.subscriber.totals().subscribed == 2


async def test_what_was_refused_is_asked_for_again_when_it_is_resubscribed(line: Line) -> None:
    await line.feed.open(line.sink)
    [name] = await line.names(1)
    one = InstrumentId(*name.split("."))
    line.feed.refused = {one}
    line.want(WishPart(instruments=(name,)))
    await line.settled()
    line.feed.refused.clear()
    assert line.subscriber.resubscribe({one}) == 1
    await line.settled()
    assert line.state(name) == ("subscribed", None)


async def test_without_a_session_a_wish_waits(line: Line) -> None:
    line.want(WishPart(instruments=("SHFE.rb2505",)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert line.state("SHFE.rb2505") == ("waiting", Reason("no_session_yet"))
    assert line.subscriber.totals().refused == 0


async def test_in_a_new_session_all_is_subscribed_again_and_what_was_refused_is_tried_anew(line: Line) -> None:
    await line.feed.open(line.sink)
    good, bad = await line.names(2)
    line.feed.refused = {InstrumentId(*bad.split("."))}
    line.want(WishPart(instruments=(good, bad)))
    await line.settled()
    line.feed.refused.clear()
    line.feed.calls.clear()
    await line.feed.renew()
    assert line.subscriber.totals().subscribed == 0
    await line.settled()
    assert line.feed.calls == [("subscribe", 2)]
    assert line.subscriber.totals().subscribed == 2


async def test_what_was_refused_is_tried_anew_when_the_same_session_says_so(line: Line) -> None:
    await line.feed.open(line.sink)
    good, bad = await line.names(2)
    line.feed.refused = {InstrumentId(*bad.split("."))}
    line.want(WishPart(instruments=(good, bad)))
    await line.settled()
    line.feed.refused.clear()
    line.feed.calls.clear()
    line.sink.changed(FeedState.READY)
    await line.settled()
    assert line.feed.calls == [("subscribe", 1)]
    assert line.subscriber.totals().subscribed == 2


async def test_a_session_that_lists_other_instruments_keeps_what_is_subscribed_of_them(line: Line) -> None:
    await line.feed.open(line.sink)
    expiring, staying, coming = (name for name in await line.names(3))
    line.feed.expired = {coming}
    line.sink.changed(FeedState.READY)
    line.want(WishPart(scopes=(Scope(),)))
    line.want(WishPart(instruments=(coming,)), "b")
    await line.settled()
    assert line.state(coming) == ("refused", Reason("not_listed"))
    line.feed.calls.clear()
    line.feed.expired = {expiring}
    line.sink.changed(FeedState.READY)
    assert line.subscriber.has_converged, "its instance goes on publishing"
    assert line.subscriber.totals().subscribed == 566
    await line.settled()
    assert line.feed.calls == [("unsubscribe", 1), ("subscribe", 1)]
    assert expiring not in {name for name, _, _ in line.subscriber.listing()}
    assert {line.state(name)[0] for name in (staying, coming)} == {"subscribed"}


async def test_a_session_that_ends_in_the_middle_of_a_call_counts_for_nothing(line: Line) -> None:
    await line.feed.open(line.sink)
    [name] = await line.names(1)
    line.feed.meanwhile = line.feed.renew
    line.want(WishPart(instruments=(name,)))
    await line.settled()
    assert line.feed.calls == [("subscribe", 1), ("subscribe", 1)]
    assert line.subscriber.totals().subscribed == 1


async def test_the_instruments_of_a_session_that_has_ended_count_for_nothing(line: Line) -> None:
    line.feed.queried = line.feed.renew
    line.want(WishPart(scopes=(Scope(),)))
    await line.feed.open(line.sink)
    await line.settled()
    assert line.universes == [567]
    assert line.subscriber.totals().subscribed == 567


async def test_a_newer_wish_overtakes_what_is_not_asked_for_yet(line: Line) -> None:
    async def forget() -> None:
        line.want(None)

    await line.feed.open(line.sink)
    line.feed.meanwhile = forget
    line.want(WishPart(scopes=(Scope(),)))
    await line.settled()
    assert line.feed.calls == [("subscribe", 200), ("unsubscribe", 200)]


async def test_a_call_that_fails_is_made_again(line: Line) -> None:
    line.feed.failures = 2
    await line.feed.open(line.sink)
    [name] = await line.names(1)
    line.want(WishPart(instruments=(name,)))
    await line.settled()
    assert line.feed.calls == [("subscribe", 1)] * 3


async def test_the_end_of_a_finite_feed_changes_no_subscription(line: Line) -> None:
    await line.feed.open(line.sink)
    [name] = await line.names(1)
    line.want(WishPart(instruments=(name,)))
    await line.settled()
    line.subscriber.feed_changed(FeedState.ENDED)
    assert line.subscriber.totals().subscribed == 1
    line.subscriber.feed_changed(FeedState.FAILED)
    assert line.subscriber.totals().subscribed == 0
