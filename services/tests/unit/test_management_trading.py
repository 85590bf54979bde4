"""What the management service makes of many orders that are cancelled at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from aegis.contracts.trading import ORDERS, CancelRefused, VenueUnavailable
from aegis.management.access.roles import Role
from aegis.management.audit import Caller, Trail
from aegis.management.endpoints import trading
from aegis.management.endpoints.trading import CancelAllReply, Ticket
from aegis.management.problems import Problem
from aegis_sdk.errors import AegisError, DeadlineExceeded
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

AWAY, LATE = VenueUnavailable("away"), DeadlineExceeded("late")
DONE = CancelRefused("the venue refuses", reason="order_is_done")


class _Told(Trail):
    """Keeps what it would write."""

    async def record(self, caller: Any, action: str, on: str, result: Any, code: str, details: Any) -> None:
        self.told = (result, code, dict(details))


@pytest.fixture
def trail() -> _Told:
    return _Told(MemoryTransport(MemoryBroker()), "management-1")


class _Client:
    """Of an account with orders of these names, a page for each; some cannot be cancelled."""

    def __init__(self, names: str, failing: dict[str, AegisError]) -> None:
        self._names, self._failing = names, failing

    async def call_active(self, method: Any, key: str, request: Any, **_: Any) -> Any:
        assert (key, request.account) == ("g1", "a1")
        if method is ORDERS:
            found = [name for name in self._names if name > request.after][:1]
            orders = [SimpleNamespace(client_order_id=name) for name in found]
            return SimpleNamespace(value=SimpleNamespace(orders=orders, next="".join(found)))
        if error := self._failing.get(request.client_order_id):
            raise error
        return SimpleNamespace(value=None)


async def cancelled(trail: Trail, patch: pytest.MonkeyPatch, failing: dict[str, AegisError]) -> CancelAllReply:
    """Orders a and b, of which some fail."""

    async def key_of(*_: object) -> str:
        return "g1"

    patch.setattr(trading, "key_of", key_of)
    at: Any = SimpleNamespace(trail=trail, client=_Client("ab", failing), transport=None, view=None)
    return await trading.cancel_all_orders("a1", Caller("anna", Role.TRADER, "", "::1"), at)


async def test_what_could_not_be_cancelled_is_named_in_answer_and_trail(
    trail: _Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await cancelled(trail, monkeypatch, {"a": DONE})
    assert (told.asked, [one.client_order_id for one in told.failed]) == (["b"], ["a"])
    assert (told.failed[0].problem.code, told.failed[0].problem.reason) == ("cancel_refused", "order_is_done")
    assert trail.told == ("done", "", {"asked": 1, "failed": ["a"]})


@pytest.mark.parametrize(
    ("failing", "result", "code"),
    [
        ({"a": AWAY, "b": AWAY}, "failed", "venue_unavailable"),
        ({"a": AWAY, "b": LATE}, "unknown", "outcome_unknown"),
    ],
)
async def test_where_no_order_could_be_cancelled_nothing_was_done(
    trail: _Told, monkeypatch: pytest.MonkeyPatch, failing: dict[str, AegisError], result: str, code: str
) -> None:
    with pytest.raises(Problem) as refused:
        await cancelled(trail, monkeypatch, failing)
    assert (refused.value.code, refused.value.body.details["failed"]) == (code, ["a", "b"])
    assert trail.told == (result, code, {"asked": 0, "failed": ["a", "b"]})


def test_a_ticket_for_a_market_order_with_a_price_is_none_before_anything_is_called() -> None:
    """The trading service takes no such request, and what a call cannot be made of would be a failure of ours."""
    asked = {"instrument": "DCE.m2605", "side": "buy", "volume": 1, "type": "market"}
    assert Ticket(**asked).price is None
    with pytest.raises(ValidationError, match="a market order has no price"):
        Ticket(**asked, price="3000")
