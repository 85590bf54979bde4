"""Who is asked what somebody wants, and how much of it is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import SubscriptionsReply, SubscriptionsRequest, SubscriptionView
from aegis.management.live import sources as module
from aegis.management.live.sources import Sources
from aegis.management.live.topic import Topic

PAGE = 2


def wanted(name: str, **change: Any) -> SubscriptionView:
    return SubscriptionView(**{"instrument": name, "state": "ticking", "why": None, "wanted_by": ["desk"], **change})


class Desk:
    """Market data, in pages, and the leases of its feed sets."""

    def __init__(self, said: dict[str, list[SubscriptionView]], *leases: tuple[str, str, str]) -> None:
        self.said = said
        self.leases = leases
        self.asked: list[str] = []

    def rows(self) -> list[dict[str, Any]]:
        return [{"service": service, "key": key, "holder": holder} for service, key, holder in self.leases]

    async def call(self, _: object, asked: SubscriptionsRequest, *, instance: str, timeout: float) -> Any:
        self.asked.append(instance)
        behind = [one for one in self.said[instance] if one.instrument > asked.after]
        following = behind[PAGE - 1].instrument if len(behind) > PAGE else ""
        return SubscriptionsReply(subscriptions=behind[:PAGE], next=following)


async def told(desk: Desk) -> dict[str, SubscriptionView]:
    """The rows of the topic, once they are known."""
    source = Sources(None, desk, desk).find("coverage")  # type: ignore[arg-type]
    assert source is not None
    topic = Topic("coverage", "o")
    filling = asyncio.ensure_future(source.fill(topic))
    while topic.state.state != "live":  # noqa: ASYNC110 (it tells nobody)
        await asyncio.sleep(0)
    filling.cancel()
    return {key: topic._rows[key] for key in sorted(topic._rows)}


async def test_each_feed_set_is_asked_by_who_publishes_it_page_by_page() -> None:
    refused = wanted("SHFE.c", state="refused", why=Reason("not_listed"))
    main = [wanted("SHFE.a"), wanted("SHFE.b"), refused]
    leases = (("marketdata", "main", "m1"), ("marketdata", "other", "m2"), ("trading", "paper", "t1"))
    desk = Desk({"m1": main, "m2": [wanted("DCE.x")]}, *leases)
    assert await told(desk) == {one.instrument: one for one in [wanted("DCE.x"), *main]}
    assert desk.asked == ["m1", "m1", "m2"]


async def test_where_nobody_publishes_anybody_is_asked() -> None:
    desk = Desk({"": [wanted("SHFE.a", state="waiting")]}, ("marketdata", "main", ""))
    assert [one.state for one in (await told(desk)).values()] == ["waiting"]


async def test_no_more_is_asked_than_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WANTED", 3)
    desk = Desk({"m1": [wanted(f"SHFE.{letter}") for letter in "abcdefgh"]}, ("marketdata", "main", "m1"))
    assert [*await told(desk)] == ["SHFE.a", "SHFE.b", "SHFE.c"]
    assert len(desk.asked) == 2
