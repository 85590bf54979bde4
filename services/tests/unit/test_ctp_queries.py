"""Questions to a counter that takes one at a time, seldom, and not always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from aegis.contracts.reasons import Reason
from aegis.trading.adapters.ctp.frames import Answer, Record
from aegis.trading.adapters.ctp.queries import Pace, Queries, Urgency
from aegis_sdk import clock
from aegis_sdk.errors import DeadlineExceeded, Overloaded, Unavailable

Reaction = Callable[[int, str], list[Answer] | int | None]
"""What a counter does with a request, by its number and name: answers, does not take it, or is silent."""


class Counter:
    def __init__(self, react: Reaction, pace: Pace) -> None:
        self.asked: list[str] = []
        self.times: list[float] = []
        self.dead: list[Reason] = []
        self._react = react
        self._numbers = count(1)
        self.queries = Queries(self._send, pace, self.dead.append)

    def _send(self, what: str, fields: Record) -> int:
        number = next(self._numbers)
        self.asked.append(what)
        self.times.append(clock.now())
        asyncio.get_running_loop().call_soon(self._answer, number, self._react(number, what))
        return number

    def _answer(self, number: int, reaction: list[Answer] | int | None) -> None:
        if isinstance(reaction, int):
            self.queries.refused(number, reaction)
        for answer in reaction if isinstance(reaction, list) else ():
            self.queries.answered(answer)


@asynccontextmanager
async def counter(react: Reaction, **pace: Any) -> AsyncIterator[Counter]:
    one = Counter(react, Pace(**{"interval_s": 0.005, "answer_s": 0.2, "attempts": 3, **pace}))
    try:
        yield one
    finally:
        one.queries.close("over")


def at_once(number: int, what: str) -> list[Answer]:
    return [Answer(number, {"of": what}, last=False), Answer(number, {"of": what}), Answer(99, {"of": "another"})]


async def test_the_most_urgent_comes_first_and_each_waits_for_the_one_before() -> None:
    async with counter(at_once, interval_s=0.02) as one:
        asking = [
            asyncio.create_task(one.queries.ask(what, {}, urgency))
            for what, urgency in (
                ("again", Urgency.REFRESH),
                ("rates", Urgency.TERMS),
                ("money", Urgency.STATE),
                ("lots", Urgency.STATE),
                ("orders", Urgency.DAY),
            )
        ]
        answers = await asyncio.gather(*asking)
    assert one.asked == ["money", "lots", "orders", "rates", "again"]
    assert answers[2] == [{"of": "money"}, {"of": "money"}]
    assert all(later - sooner >= 0.019 for sooner, later in zip(one.times, one.times[1:], strict=False))


async def test_what_is_not_taken_or_not_ready_is_asked_again_a_number_of_times() -> None:
    cut_short = [Answer(2, {"of": "money"}, last=False), Answer(2, {}, 90, "not ready")]
    reactions: dict[int, Any] = {1: -3, 2: cut_short, 3: [Answer(3, {"of": "money"})]}
    async with counter(lambda number, _: reactions[number]) as one:
        assert await one.queries.ask("money", {}, Urgency.STATE) == [{"of": "money"}]
    async with counter(lambda *_: -2) as one:
        with pytest.raises(Unavailable, match="does not take money now"):
            await one.queries.ask("money", {}, Urgency.STATE)
        assert len(one.asked) == 3


async def test_an_error_is_told_and_does_not_stop_the_next() -> None:
    async with counter(lambda number, what: [Answer(number, {}, 17 if what == "bad" else 0, "closed")]) as one:
        with pytest.raises(Unavailable, match="error 17 closed"):
            await one.queries.ask("bad", {}, Urgency.STATE)
        assert await one.queries.ask("good", {}, Urgency.STATE) == []
    assert one.asked == ["bad", "good"]


async def test_a_counter_that_does_not_answer_is_dead() -> None:
    async with counter(lambda *_: None, answer_s=0.02) as one:
        with pytest.raises(DeadlineExceeded):
            await one.queries.ask("money", {}, Urgency.STATE)
        assert list(map(str, one.dead)) == ["no answer to the query money for 0.02 s"]


async def test_what_waits_is_bounded_and_ends_with_the_session() -> None:
    async with counter(lambda *_: None, most_waiting=2) as one:
        running = asyncio.create_task(one.queries.ask("first", {}, Urgency.STATE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(one.queries.ask("later", {}, Urgency.TERMS)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await one.queries.ask("too many", {}, Urgency.STATE)
        waiting[0].cancel()
        one.queries.close("the session has ended")
        assert isinstance(await _error(running), Unavailable)
        assert isinstance(await _error(waiting[1]), Unavailable)
        with pytest.raises(Unavailable):
            await one.queries.ask("after its end", {}, Urgency.STATE)


async def test_nobody_is_asked_what_nobody_waits_for_any_more() -> None:
    async with counter(at_once, interval_s=0.02) as one:
        first = asyncio.create_task(one.queries.ask("first", {}, Urgency.STATE))
        given_up = asyncio.create_task(one.queries.ask("given up", {}, Urgency.STATE))
        await first
        given_up.cancel()
        await one.queries.ask("last", {}, Urgency.TERMS)
    assert one.asked == ["first", "last"]


async def _error(task: asyncio.Task[Any]) -> BaseException | None:
    await asyncio.wait({task})
    return task.exception()
