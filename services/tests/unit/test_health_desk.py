"""To whom a feed set is failed over."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aegis.contracts.health import InstanceView
from aegis.contracts.marketdata import FeedStatus
from aegis.contracts.reasons import Reason
from aegis.marketdata.health.desk import Desk, Publisher
from aegis.marketdata.health.domain.repairs import Kind, Repair
from aegis_sdk.single_active.operations import Handover


def instance(name: str, status: str, subscribed: int, *, has_key: bool = False, refused: int = 0) -> Publisher:
    view = InstanceView(instance=name, status=status, holds=has_key, session="1", state="ready", why=[])
    said = FeedStatus.model_construct(wanted=800, subscribed=subscribed, refused=refused)
    return Publisher(view=view, status=said, has_key=has_key)


class Calls:
    """A client that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Handover, str]] = []

    async def call(self, _: object, request: Handover, *, instance: str, timeout: float) -> None:
        self.asked.append((request, instance))


async def failed_over(*found: Publisher) -> tuple[tuple[str, Reason | None], list[tuple[Handover, str]]]:
    client = Calls()
    desk = Desk(cast("Any", client), cast("Any", None), "main")

    async def publishers() -> tuple[list[Publisher], bool]:
        return list(found), False

    desk.publishers = publishers  # type: ignore[method-assign]
    return await desk.do(Repair(kind=Kind.FAIL_OVER), "marketdata-1"), client.asked


HOLDER = instance("marketdata-1", "ACTIVE", 800, has_key=True)


async def test_the_key_goes_to_the_one_that_has_subscribed_most() -> None:
    """Not to the first, which is logged in and has subscribed nothing, and not to one without a session."""
    found = (
        HOLDER,
        instance("marketdata-2", "STANDBY", 0),
        instance("marketdata-3", "STANDBY", 790, refused=10),
        instance("marketdata-4", "UNHEALTHY", 800),
    )
    outcome, asked = await failed_over(*found)
    assert outcome == ("done", Reason.of("given_up", holder="marketdata-1", feed="main"))
    assert asked == [(Handover(key="main", to="marketdata-3"), "marketdata-1")]


@pytest.mark.parametrize("subscribed", [0, 719])
async def test_one_that_covers_too_little_takes_nothing_over(subscribed: int) -> None:
    outcome, asked = await failed_over(HOLDER, instance("marketdata-2", "STANDBY", subscribed))
    little = Reason.of("taker_covers_little", instance="marketdata-2", subscribed=subscribed, wanted=800)
    assert outcome == ("not_possible", little)
    assert asked == []
