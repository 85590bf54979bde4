"""The lock of a key: one at a time, or all together who waited for it together."""

from __future__ import annotations

import asyncio

import pytest

from aegis_sdk.errors import Suspended
from aegis_sdk.single_active.key_lock import KeyLock

DEADLINE_S = 5.0


class Scene:
    """A lock, and who came to hold it."""

    def __init__(self) -> None:
        self.unanswered: asyncio.Future[None] | None = None
        self.lock = KeyLock(lambda: 0.0, self._written)
        self.seen: list[tuple[str, list[str]]] = []
        self.go = asyncio.Event()

    async def _written(self, limit: float) -> None:
        if self.unanswered is not None:
            await asyncio.shield(self.unanswered)

    async def member(self, name: str) -> None:
        async with self.lock.together() as decided:
            self.seen.append((name, [*decided]))
            decided.append(name)
            await self.go.wait()

    async def alone(self, name: str) -> None:
        async with self.lock:
            self.seen.append((name, []))

    def tell(self, problem: Exception | None = None) -> None:
        assert self.unanswered is not None
        if problem is None:
            self.unanswered.set_result(None)
        else:
            self.unanswered.set_exception(problem)
        self.unanswered = None


@pytest.fixture
async def scene() -> Scene:
    return Scene()


async def turns(number: int = 10) -> None:
    """Let all run that can."""
    for _ in range(number):
        await asyncio.sleep(0)


async def settled(*tasks: asyncio.Task[None]) -> list[BaseException | None]:
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def test_all_that_wait_together_hold_it_together_and_see_what_the_others_decided(scene: Scene) -> None:
    scene.unanswered = asyncio.get_running_loop().create_future()
    members = [asyncio.create_task(scene.member(name)) for name in "abc"]
    await turns()
    assert scene.seen == []
    scene.tell()
    await turns()
    assert scene.seen == [("a", []), ("b", ["a"]), ("c", ["a", "b"])]
    scene.go.set()
    assert await settled(*members) == [None] * 3


async def test_who_comes_once_they_hold_it_waits_until_the_last_has_left_and_begins_anew(scene: Scene) -> None:
    first = asyncio.create_task(scene.member("a"))
    await turns()
    later = [asyncio.create_task(scene.alone("x")), asyncio.create_task(scene.member("b"))]
    await turns()
    assert scene.seen == [("a", [])]
    scene.go.set()
    await settled(first, *later)
    assert scene.seen == [("a", []), ("x", []), ("b", [])]


async def test_who_is_cancelled_takes_nobody_s_turn(scene: Scene) -> None:
    scene.unanswered = asyncio.get_running_loop().create_future()
    first = asyncio.create_task(scene.member("a"))
    await turns()
    first.cancel()
    await settled(first)
    second = asyncio.create_task(scene.member("b"))
    await turns()
    scene.tell()
    await turns()
    third = asyncio.create_task(scene.alone("x"))
    await turns()
    assert scene.seen == [("b", [])]  # and still holds it
    scene.go.set()
    await settled(second, third)
    assert scene.seen == [("b", []), ("x", [])]


async def test_a_turn_that_nobody_waits_for_any_more_ends(scene: Scene) -> None:
    scene.unanswered = asyncio.get_running_loop().create_future()
    gone = asyncio.create_task(scene.member("a"))
    await turns()
    gone.cancel()
    await settled(gone)
    scene.tell()
    await settled(asyncio.create_task(scene.alone("x")))
    assert scene.seen == [("x", [])]


async def test_all_are_told_why_there_was_no_turn_and_the_next_may_be(scene: Scene) -> None:
    scene.unanswered = asyncio.get_running_loop().create_future()
    members = [asyncio.create_task(scene.member(name)) for name in "ab"]
    await turns()
    scene.tell(Suspended("no answer"))
    assert [type(error) for error in await settled(*members)] == [Suspended, Suspended]
    scene.go.set()
    assert await settled(asyncio.create_task(scene.member("c"))) == [None]
    assert scene.seen == [("c", [])]
