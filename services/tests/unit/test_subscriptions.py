"""What is to be asked of a feed, and what became of each instrument."""

from __future__ import annotations

import pytest

from aegis.contracts.market import InstrumentId
from aegis.contracts.reasons import Reason
from aegis.marketdata.domain.subscriptions import reconcile, state_of

WHY, NO_SESSION = Reason("counter_silent"), Reason("no_session_yet")
A, B, C = (InstrumentId("SHFE", symbol) for symbol in ("a", "b", "c"))


def test_what_is_wanted_is_subscribed_and_what_nobody_wants_is_unsubscribed() -> None:
    plan = reconcile({A, B}, {A, B, C}, {B, C})
    assert (plan.subscribe, plan.unsubscribe) == ((A,), (C,))


def test_what_is_so_already_asks_for_nothing() -> None:
    assert not reconcile({A}, {A}, {A})


def test_what_is_not_listed_or_was_refused_is_not_asked_for() -> None:
    assert reconcile({A, B, C}, {A, B}, set(), {B}).subscribe == (A,)


def test_what_is_no_longer_listed_is_left_subscribed_while_it_is_wanted() -> None:
    assert not reconcile({A}, set(), {A})


@pytest.mark.parametrize(
    ("instrument", "waiting_for", "expected"),
    [
        (A, None, ("ticking", None)),
        (B, None, ("subscribed", None)),
        (C, None, ("refused", WHY)),
        (InstrumentId("SHFE", "d"), None, ("waiting", None)),
        (InstrumentId("SHFE", "e"), None, ("refused", Reason("not_listed"))),
        (InstrumentId("SHFE", "e"), NO_SESSION, ("waiting", NO_SESSION)),
    ],
)
def test_each_instrument_is_in_one_state(
    instrument: InstrumentId, waiting_for: Reason | None, expected: tuple[str, Reason | None]
) -> None:
    found = state_of(
        instrument,
        listed={A, B, C, InstrumentId("SHFE", "d")},
        subscribed={A, B},
        unproven={B},
        refused={C: WHY},
        waiting_for=waiting_for,
    )
    assert found == expected
