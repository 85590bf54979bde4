"""What is to be asked of a feed, and what became of each instrument."""

from __future__ import annotations

import pytest

from aegis.contracts.market import InstrumentId
from aegis.marketdata.domain.subscriptions import NOT_LISTED, reconcile, state_of

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
        (A, "", ("ticking", "")),
        (B, "", ("subscribed", "")),
        (C, "", ("refused", "why")),
        (InstrumentId("SHFE", "d"), "", ("waiting", "")),
        (InstrumentId("SHFE", "e"), "", ("refused", NOT_LISTED)),
        (InstrumentId("SHFE", "e"), "no session", ("waiting", "no session")),
    ],
)
def test_each_instrument_is_in_one_state(instrument: InstrumentId, waiting_for: str, expected: tuple[str, str]) -> None:
    found = state_of(
        instrument,
        listed={A, B, C, InstrumentId("SHFE", "d")},
        subscribed={A, B},
        unproven={B},
        refused={C: "why"},
        waiting_for=waiting_for,
    )
    assert found == expected
