"""Which lots a close takes, and how one intent becomes orders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.accounting.offsets import Free, Leg, held_back, split
from aegis.contracts.trading import SplitPolicy

LOTS = st.integers(0, 20)
POLICIES: tuple[SplitPolicy, ...] = ("today_first", "yesterday_first", "lock")


@pytest.mark.parametrize(
    ("exchange", "policy", "lots", "legs"),
    [
        ("SHFE", "today_first", 2, [Leg("close_today", 2)]),
        ("SHFE", "today_first", 5, [Leg("close_today", 3), Leg("close_yesterday", 2)]),
        ("INE", "yesterday_first", 5, [Leg("close_yesterday", 4), Leg("close_today", 1)]),
        ("INE", "yesterday_first", 4, [Leg("close_yesterday", 4)]),
        ("SHFE", "lock", 4, [Leg("close_yesterday", 4)]),
        ("SHFE", "lock", 6, [Leg("close_yesterday", 4), Leg("open", 2)]),
        ("SHFE", "today_first", 8, []),
        ("DCE", "today_first", 7, [Leg("close", 7)]),
        ("DCE", "yesterday_first", 8, []),
        ("DCE", "lock", 6, [Leg("open", 6)]),
    ],
)
def test_an_intent_is_split_by_policy(exchange: str, policy: SplitPolicy, lots: int, legs: list[Leg]) -> None:
    assert split(exchange, policy, lots, Free(today=3, yesterday=4)) == legs


def test_a_lock_closes_where_days_are_not_told_apart_as_long_as_nothing_was_opened_today() -> None:
    """Else the close would pay as one of today's lots, which a lock is to save."""
    assert split("DCE", "lock", 6, Free(today=0, yesterday=4)) == [Leg("close", 4), Leg("open", 2)]
    assert split("CFFEX", "lock", 1, Free(today=1, yesterday=4)) == [Leg("open", 1)]


@given(
    st.sampled_from(["SHFE", "DCE", "CFFEX"]),
    st.sampled_from(POLICIES),
    st.integers(1, 30),
    st.builds(Free, LOTS, LOTS),
)
def test_a_split_loses_no_lot_and_each_of_its_orders_finds_its_lots(
    exchange: str, policy: SplitPolicy, lots: int, free: Free
) -> None:
    legs = split(exchange, policy, lots, free)
    assert len(legs) <= 2
    assert all(leg.lots > 0 for leg in legs)
    if not legs:
        assert policy != "lock"
        assert lots > sum(free)
        return
    assert sum(leg.lots for leg in legs) == lots
    for offset, count in legs:
        if offset != "open":
            taken = held_back(exchange, offset, count, free)
            assert sum(taken) == count
            assert taken.today == 0 or policy != "lock"
            free = Free(free.today - taken.today, free.yesterday - taken.yesterday)
            assert min(free) >= 0


def test_only_shfe_and_ine_tell_the_days_apart() -> None:
    free = Free(today=3, yesterday=4)
    assert held_back("SHFE", "close", 5, free) == Free(0, 4)
    assert held_back("SHFE", "close_today", 5, free) == Free(3, 0)
    for offset in ("close", "close_today", "close_yesterday"):
        assert held_back("DCE", offset, 5, free) == Free(1, 4)
