"""What is told of a move of keys that does not come to its end: whether anything was begun."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aegis_sdk import key_moves
from aegis_sdk.errors import DeadlineExceeded, Unavailable
from aegis_sdk.lease_view import KeyState, NotDone
from aegis_sdk.ledger import StoredLease
from aegis_sdk.ledger.records import Lease, LeaseState


class Instance:
    """The holder, which answers, or not."""

    answer: Exception | None = None

    def __init__(self, transport: object) -> None:
        pass

    async def call(self, *_: object, **__: object) -> None:
        if self.answer is not None:
            raise self.answer


async def never(*_: object) -> None:
    raise TimeoutError


def view_of(*, claimed: bool = True) -> Any:
    """Two instances; `a` holds the key, and what comes after it `claimed` has claimed and never serves."""
    before, after = (
        StoredLease("words", "k", Lease(state=LeaseState.ACTIVE, holder=holder, incarnation=holder), epoch, 0)
        for holder, epoch in (("a", 1), ("b", 2))
    )
    latest = {before.name: before}

    async def claims(*_: object) -> None:
        latest[before.name] = after

    living = SimpleNamespace(record=SimpleNamespace(service="words", instance="a", incarnation="a"))
    return SimpleNamespace(
        leases=SimpleNamespace(latest=latest, wait_for=claims if claimed else never),
        directory=SimpleNamespace(wait_for=never, instances=lambda _: [living]),
        state=lambda _: KeyState.ACTIVE,
        takers=lambda *_: ["b"],
    )


@pytest.mark.parametrize(
    ("answer", "claimed", "was_asked"),
    [
        (Unavailable("gone"), True, False),
        (DeadlineExceeded("late"), True, True),
        (None, False, True),
        (None, True, True),
    ],
)
async def test_who_has_been_asked_for_a_key_may_have_given_it(
    monkeypatch: pytest.MonkeyPatch, answer: Exception | None, claimed: bool, was_asked: bool
) -> None:
    monkeypatch.setattr(key_moves, "Client", type("Holder", (Instance,), {"answer": answer}))
    with pytest.raises(NotDone) as refused:
        await key_moves.hand_over(None, view_of(claimed=claimed), "words", "k", "")  # type: ignore[arg-type]
    assert refused.value.was_asked is was_asked


@pytest.mark.parametrize(("answer", "was_asked"), [(Unavailable("gone"), False), (DeadlineExceeded("late"), True)])
async def test_who_has_been_asked_to_leave_may_leave(
    monkeypatch: pytest.MonkeyPatch, answer: Exception, was_asked: bool
) -> None:
    monkeypatch.setattr(key_moves, "Client", type("Holder", (Instance,), {"answer": answer}))
    with pytest.raises(NotDone) as refused:
        await key_moves.drain(None, view_of(), "a", "words", 1.0)  # type: ignore[arg-type]
    assert refused.value.was_asked is was_asked
