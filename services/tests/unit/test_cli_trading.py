"""How commands that trade end, and what they say."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from typer.testing import CliRunner

from aegis.cli import trading
from aegis.contracts.trading import CancelRefused, OrderExpired, OrderRejected, VenueUnavailable
from aegis.order_calls import CancelsAsked
from aegis_sdk.errors import NotExecuted, OutcomeUnknown, RpcError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OrderRejected("halted", reason="halted", detail=""), 1, "REFUSED: the account is halted"),
        (CancelRefused("the venue refuses", reason="order_is_done"), 1, "REFUSED: the venue refuses"),
        (VenueUnavailable("the cancel was not sent: not_connected"), 3, "NOT EXECUTED: the cancel was not sent"),
        (NotExecuted("nobody has it"), 3, "NOT EXECUTED: nobody has it"),
        (OutcomeUnknown("no answer"), 4, "UNKNOWN: no answer. Ask again: the same"),
        (OrderExpired("one has ended"), 4, "UNKNOWN: one has ended. Its day has ended: see the venue's statement"),
    ],
)
def test_a_cancel_that_came_to_nothing_ends_so(
    monkeypatch: pytest.MonkeyPatch, error: RpcError, code: int, said: str
) -> None:
    def failing(work: Coroutine[Any, Any, None]) -> None:
        work.close()
        raise error

    monkeypatch.setattr(trading, "run", failing)
    ended = CliRunner().invoke(trading.order_app, ["cancel", "one"])
    assert (ended.exit_code, said in ended.output) == (code, True), ended.output


def test_cancels_that_were_not_asked_for_are_named_and_end_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = CancelsAsked(["a"], {"b": VenueUnavailable("the cancel was not sent: not_connected")})

    def done(work: Coroutine[Any, Any, None]) -> CancelsAsked:
        work.close()
        return asked

    monkeypatch.setattr(trading, "run", done)
    ended = CliRunner().invoke(trading.order_app, ["cancel-all"])
    assert ended.exit_code == 1
    assert ended.output.splitlines() == [
        "paper: 1 orders asked to be cancelled",
        "NOT b: the cancel was not sent: not_connected",
    ]
    asked.failed.clear()  # type: ignore[attr-defined]
    assert CliRunner().invoke(trading.order_app, ["cancel-all"]).exit_code == 0
