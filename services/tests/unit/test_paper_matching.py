"""What orders get of a market that does not know of them: docs/paper.md, sentence by sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_desk import PaperDesk
from trading_desk import REBAR

from aegis.contracts.market import Level
from aegis.paper.domain.account import snapshot
from aegis.paper.domain.matching import Depth


@pytest.fixture
def desk() -> PaperDesk:
    desk = PaperDesk()
    desk.quote((2999, 10), (3001, 10))
    return desk


def test_an_order_that_comes_takes_the_levels_that_it_reaches_best_first(desk: PaperDesk) -> None:
    asks = (Level(3001.0, 2), Level(3002.0, 3), Level(3004.0, 9))
    desk.quote((2999, 10), (3001, 2), asks=asks)
    order = desk.send("buy", 9, 3002)
    assert desk.fills("o1") == [(3001, 2), (3002, 3)]
    assert (order.status, order.left) == ("partly_filled", 4)


def test_two_orders_share_what_one_tick_shows(desk: PaperDesk) -> None:
    assert desk.send("buy", 7, 3001).traded == 7
    assert desk.send("buy", 7, 3001).traded == 3


def test_a_level_that_was_taken_comes_back_as_lots_are_traded(desk: PaperDesk) -> None:
    desk.send("buy", 10, 3001)
    desk.quote((2999, 10), (3001, 10))
    assert desk.send("buy", 5, 3001).traded == 0
    desk.quote((2999, 10), (3001, 10), 3001, traded=4)
    assert desk.order("o2").traded == 4


def test_a_level_that_left_the_book_is_whole_when_it_is_there_again(desk: PaperDesk) -> None:
    desk.send("buy", 10, 3001)
    desk.quote((2999, 10), (3002, 10))
    desk.quote((2999, 10), (3001, 10))
    assert desk.send("buy", 5, 3001).traded == 5


def test_an_order_that_waits_gets_its_own_price_when_the_book_reaches_it(desk: PaperDesk) -> None:
    desk.send("sell", 5, 3005)
    desk.quote((3007, 3), (3009, 10))
    assert desk.fills("o1") == [(3005, 3)]


def test_prices_that_went_beyond_an_order_fill_as_many_lots_as_were_traded(desk: PaperDesk) -> None:
    desk.send("buy", 5, 2998)
    desk.quote((2999, 10), (3001, 10), last=2997, traded=3)
    assert desk.fills("o1") == [(2998, 3)]


def test_a_trade_at_the_price_of_an_order_that_waits_fills_nothing(desk: PaperDesk) -> None:
    """It stands at the end of a queue that nobody can see."""
    desk.send("buy", 5, 2998)
    desk.quote((2998, 10), (3001, 10), last=2998, traded=50)
    assert desk.fills("o1") == []


def test_what_was_traded_before_an_order_came_does_not_fill_it(desk: PaperDesk) -> None:
    desk.quote((2999, 10), (3001, 10), last=2990, traded=50)
    desk.send("buy", 5, 2998)
    desk.match()
    desk.quote((2999, 10), (3001, 10), last=2990, traded=0)
    assert desk.fills("o1") == []


def test_the_better_price_comes_first_then_the_older_order(desk: PaperDesk) -> None:
    for price in (2997, 2998, 2998):
        desk.send("buy", 2, price)
    desk.quote((2990, 10), (2996, 3))
    assert [desk.order(name).traded for name in ("o1", "o2", "o3")] == [0, 2, 1]


@pytest.mark.parametrize("flag", ["snapshot", "auction", "out_of_session", "stale"])
def test_a_tick_of_no_trading_fills_nothing(desk: PaperDesk, flag: str) -> None:
    desk.send("buy", 5, 2998)
    desk.quote((2990, 10), (2996, 10), last=2996, traded=10, flags=(flag,))
    assert desk.order("o1").status == "accepted"
    assert desk.send("buy", 1, 3001, type="fak").reason == "closed"
    assert desk.send("buy", 1, 3001).status == "accepted"


@pytest.mark.parametrize("other", [{"env": "live"}, {"feed": "main"}, {"trading_day": "20251128"}])
def test_ticks_of_another_env_feed_or_day_fill_nothing(desk: PaperDesk, other: dict[str, str]) -> None:
    desk.send("buy", 5, 2998)
    desk.quote((2990, 10), (2996, 10), last=2996, traded=10, **other)
    assert desk.order("o1").status == "accepted"


def test_a_tick_of_an_earlier_day_hides_no_market(desk: PaperDesk) -> None:
    """As of a replay that is started again."""
    desk.quote((2990, 10), (2996, 10), trading_day="20251128")
    assert desk.send("buy", 1, 3001).status == "filled"


def test_a_tick_too_old_is_not_fresh(desk: PaperDesk) -> None:
    now = desk.market.latest("SHFE.rb2605")
    assert now is not None
    assert now.is_fresh(now.ts_received_ns + 10, 10)
    assert not now.is_fresh(now.ts_received_ns + 11, 10)


def test_fill_or_kill_counts_all_levels_that_it_reaches(desk: PaperDesk) -> None:
    desk.quote((2999, 10), (3001, 2), asks=(Level(3001.0, 2), Level(3002.0, 3)))
    assert desk.send("buy", 6, 3002, type="fok").status == "cancelled"
    assert desk.send("buy", 5, 3002, type="fok").status == "filled"


_LEVELS = st.lists(st.tuples(st.integers(2990, 3010), st.integers(0, 9)), max_size=5, unique_by=lambda level: level[0])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), _LEVELS, st.integers(2988, 3012), st.integers(0, 9)),
        st.tuples(st.just("send"), st.sampled_from(["buy", "sell"]), st.integers(2988, 3012), st.integers(1, 9)),
    ),
    max_size=30,
)


class _Walked(Depth):
    """Looks at all who wait with every tick."""

    def gives(self, bid: object, ask: object) -> bool:
        return True


@settings(deadline=None)
@given(_STEPS)
def test_who_waits_gets_the_same_though_a_tick_that_reaches_no_best_price_looks_at_nobody(
    steps: list[tuple[str, object, int, int]],
) -> None:
    ours, walked = PaperDesk(), PaperDesk()
    walked.depths[REBAR] = _Walked()
    for desk in (ours, walked):
        desk.quote((2999, 2), (3001, 2))
        for step in steps:
            _play(desk, *step)
    assert snapshot(ours.account) == snapshot(walked.account)


@given(_STEPS)
def test_nobody_gets_a_worse_price_or_more_than_the_market_had(steps: list[tuple[str, object, int, int]]) -> None:
    """Between two ticks an account gets at most what the tick shows, and what was traded."""
    desk = PaperDesk()
    desk.quote((2999, 0), (3001, 0))
    had = 0
    for kind, what, price, lots in steps:
        before = _lots(desk)
        if isinstance(what, list):
            had = sum(size for _, size in what) * 2 + lots * 2
        _play(desk, kind, what, price, lots)
        had -= _lots(desk) - before
        assert had >= 0
    for order in desk.account.opened.book.orders.values():
        for at, _ in desk.fills(order.client_order_id):
            assert order.price is not None
            assert at <= order.price if order.is_buy else at >= order.price
        assert order.traded == sum(lots for _, lots in desk.fills(order.client_order_id)) <= order.volume


def _play(desk: PaperDesk, kind: str, what: object, price: int, lots: int) -> None:
    if kind == "quote":
        assert isinstance(what, list)
        bids = tuple(Level(float(p - 11), s) for p, s in sorted(what, reverse=True))
        asks = tuple(Level(float(p + 11), s) for p, s in sorted(what))
        desk.quote((0, 0), (0, 0), last=price, traded=lots, bids=bids, asks=asks)
    else:
        desk.send(str(what), lots, price)


def _lots(desk: PaperDesk) -> int:
    return sum(trade.volume for trade in desk.account.opened.book.trades.values())
