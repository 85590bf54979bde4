"""The comparison of what subscribers had with what the counter sent: it sees each way in which they can differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from samples import TICK

from aegis.cli.bench import feed_pair
from aegis.cli.bench.feed_pair import FeedPair
from aegis.cli.bench.feed_record import Comparison, Heard, Likeness, Sent, compare, read
from aegis.contracts.market import Level


def like(volume: int, bid_lots: int = 1) -> Likeness:
    return Likeness(100, volume, "10.0", "9.0", str(bid_lots), "11.0", "1")


def sent(*likes: Likeness) -> dict[str, list[Sent]]:
    return {"a": [Sent(at, one) for at, one in enumerate(likes)]}


def had(*likes: Likeness, holes: Sequence[int] = (), is_snapshot: bool = False) -> dict[str, list[Heard]]:
    found = [Heard(one, hole, is_snapshot) for one, hole in zip(likes, [*holes, *[0] * len(likes)], strict=False)]
    return {"a": found}


ONE, TWO, THREE, FOUR = map(like, (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        (had(ONE, TWO, THREE, FOUR), Comparison(4, 0, 0, 0)),
        (had(TWO, THREE, FOUR), Comparison(3, 0, 0, 0)),  # it began to listen behind the first
        (had(ONE, TWO, FOUR), Comparison(3, 1, 0, 0)),
        (had(ONE, TWO, FOUR, holes=(0, 0, 1)), Comparison(3, 0, 0, 1)),
        (had(ONE, THREE, FOUR, holes=(0, 0, 1)), Comparison(3, 1, 0, 0, 1)),  # a hole elsewhere excuses nothing
        (had(ONE, TWO, FOUR, holes=(0, 7, 7)), Comparison(3, 0, 0, 1, 13)),  # it tells of what nobody sent
        (had(ONE, TWO, THREE), Comparison(3, 1, 0, 0)),  # lost at the end
        (had(ONE, TWO, TWO, THREE, FOUR), Comparison(5, 0, 1, 0)),
        (had(ONE, THREE, TWO, FOUR), Comparison(4, 1, 1, 0)),
        (had(ONE, TWO, like(9), THREE, FOUR), Comparison(5, 0, 1, 0)),
        (had(ONE, TWO, like(3, 2), FOUR), Comparison(4, 1, 1, 0)),  # another book
        ({}, Comparison(0, 3, 0, 0)),  # of a contract never heard counts what was sent since the listener began
    ],
)
def test_what_is_lost_and_what_is_repeated(heard: dict[str, list[Heard]], expected: Comparison) -> None:
    assert compare(heard, sent(ONE, TWO, THREE, FOUR), [1]) == [expected]


def test_which_of_two_that_are_alike_was_left_out_its_hole_tells() -> None:
    """Of one second, a quote may differ from the one before in what the record does not have."""
    sends = sent(ONE, TWO, TWO, THREE, FOUR)
    assert compare(had(ONE, TWO, THREE, FOUR, holes=(0, 1)), sends, [0]) == [Comparison(4, 0, 0, 1)]
    assert compare(had(ONE, TWO, THREE, FOUR, holes=(0, 0, 1)), sends, [0]) == [Comparison(4, 0, 0, 1)]
    assert compare(had(ONE, TWO, THREE, FOUR), sends, [0]) == [Comparison(4, 1, 0, 0)]


def test_each_difference_counts_in_the_part_of_the_record_in_which_it_is() -> None:
    heard = had(ONE, TWO, TWO, FOUR, like(6), holes=(0, 0, 0, 0, 1))
    sends = sent(ONE, TWO, THREE, FOUR, like(5), like(6), like(7))
    assert compare(heard, sends, [0, 2, 4, 6]) == [
        Comparison(3, 0, 1, 0),
        Comparison(1, 1, 0, 0),
        Comparison(1, 0, 0, 1),
        Comparison(0, 1, 0, 0),
    ]


def test_the_state_before_the_first_tick_was_never_sent_as_one() -> None:
    begin = had(like(0), is_snapshot=True)["a"]
    assert compare({"a": begin + had(ONE, TWO)["a"]}, sent(ONE, TWO), [0]) == [Comparison(2, 0, 0, 0)]
    assert compare({"a": had(ONE)["a"] + begin + had(TWO)["a"]}, sent(ONE, TWO), [0]) == [Comparison(3, 0, 1, 0)]


def test_a_tick_is_like_its_line_of_the_record(tmp_path: Path) -> None:
    tick = replace(
        TICK, symbol="a", ts_exchange_ns=100_500_000_000, volume=7, last_price=10.5, bids=(Level(10.0, 3),), asks=()
    )
    (tmp_path / "sent.csv").write_text("a,100000000000,7,10.5,10.0,3,,\nb,1,2,None,,,,\n")
    record = read(tmp_path / "sent.csv")
    assert [one.likeness for one in record["a"]] == [Heard.of(tick, 0).likeness]
    assert record["b"][0].at == len("a,100000000000,7,10.5,10.0,3,,\n")


async def test_a_round_begins_once_all_is_published_that_was_held_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next fault befalls one that still has what nobody else has."""
    held = [7, 3, 0]

    async def statuses(_: FeedPair) -> dict[str, SimpleNamespace]:
        ready = {"state": "ready", "wanted": 5, "subscribed": 5}
        return {
            "primary": SimpleNamespace(role="active", held=held.pop(0), **ready),
            "backup": SimpleNamespace(role="standby", held=9, **ready),
        }

    monkeypatch.setattr(FeedPair, "statuses", statuses)
    monkeypatch.setattr(feed_pair, "_POLL_S", 0)
    assert await FeedPair.settled(FeedPair.__new__(FeedPair)) == "primary"
    assert not held
