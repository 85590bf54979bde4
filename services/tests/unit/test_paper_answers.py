"""What the port asks the paper venue, and what it says of a call that ended without the venue's word."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from aegis.contracts.paper import MOST_ORDERS, SubmitReply, SubmitRequest
from aegis.contracts.venue import Submit, Submitted
from aegis.trading.adapters.paper import PaperVenue
from aegis.trading.adapters.paper.venue import unanswered
from aegis_sdk.active_call import Answer
from aegis_sdk.errors import (
    AegisError,
    ConnectionUnavailable,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NotExecuted,
    OutcomeUnknown,
    Rejected,
)
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotExecuted("nobody was there"), "not_sent"),
        (InvalidRequest("no such account"), "refused"),
        (Rejected("no"), "refused"),
        (OutcomeUnknown("it may be stored"), "unknown"),
        (DeadlineExceeded("too late"), "unknown"),
        (InternalError("it failed"), "unknown"),
        (ConnectionUnavailable("gone"), "unknown"),
    ],
)
def test_nothing_is_called_done_that_may_not_be(error: AegisError, outcome: str) -> None:
    answer = unanswered(error)
    assert (answer.outcome, answer.text) == (outcome, str(error))


def test_an_error_of_any_length_fits() -> None:
    assert len(unanswered(NotExecuted("x" * 1000)).text) == 256


class Asked:
    """A venue that answers each order with its name, or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: AegisError | None = None) -> None:
        self.calls: list[tuple[str, list[str]]] = []
        self.venue = PaperVenue(MemoryTransport(MemoryBroker()), ["P0", "P1"])
        self.is_asked = asyncio.Event()
        self._error = error
        monkeypatch.setattr(self.venue._client, "call_active", self._call)

    async def _call(self, _: Any, key: str, request: SubmitRequest, *, timeout: float) -> Answer[SubmitReply]:
        names = [order.client_order_id for order in request.orders]
        self.calls.append((key, names))
        await asyncio.sleep(0)
        if self._error is not None:
            raise self._error
        answers = [Submitted(outcome="accepted", venue_order_id=name) for name in names]
        return Answer(SubmitReply(answers=answers), 1, 1, False, "")

    async def silent(self, *_: Any, **__: Any) -> None:
        """A call without an answer."""
        self.is_asked.set()
        await asyncio.Event().wait()

    def submit(self, name: str, account: str = "P0") -> asyncio.Task[Submitted]:
        order = Submit(
            account=account,
            client_order_id=name,
            instrument="SHFE.rb2605",
            side="buy",
            offset="open",
            hedge="speculation",
            type="limit",
            price=Decimal(3000),
            volume=1,
        )
        return asyncio.create_task(self.venue.submit(order))


async def test_orders_of_one_turn_of_the_loop_are_one_call_of_each_account(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    sent = [asked.submit("a"), asked.submit("b"), asked.submit("c", "P1")]
    assert [one.venue_order_id for one in await asyncio.gather(*sent)] == ["a", "b", "c"]
    await asked.submit("d")
    assert asked.calls == [("P0", ["a", "b"]), ("P1", ["c"]), ("P0", ["d"])]


async def test_a_call_has_no_more_orders_than_the_venue_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    await asyncio.gather(*(asked.submit(f"o{number}") for number in range(MOST_ORDERS + 1)))
    assert [len(names) for _, names in asked.calls] == [MOST_ORDERS, 1]


async def test_who_does_not_wait_any_more_when_the_call_is_made_is_not_part_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch)
    gone, stays = asked.submit("gone"), asked.submit("stays")
    asyncio.get_running_loop().call_soon(gone.cancel)  # behind both have asked, before the call
    await stays
    assert gone.cancelled()
    assert asked.calls == [("P0", ["stays"])]


async def test_orders_of_a_call_that_fails_are_all_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, OutcomeUnknown("it may be stored"))
    answers = await asyncio.gather(asked.submit("a"), asked.submit("b"))
    assert [answer.outcome for answer in answers] == ["unknown", "unknown"]


async def test_orders_whose_call_is_given_up_by_a_close_are_told_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch)
    monkeypatch.setattr(asked.venue._client, "call_active", asked.silent)
    sent = [asked.submit("a"), asked.submit("b")]
    await asked.is_asked.wait()
    await asked.venue.close()
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*sent)
    assert [(answer.outcome, answer.reason) for answer in answers] == [("unknown", "no_answer")] * 2
