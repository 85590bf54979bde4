"""How old ticks are when they are known to be stored, and what the feed's session went through."""

from __future__ import annotations

from aegis.marketdata.adapters.bus.ages import StoreAges
from aegis.marketdata.domain.subscriptions import Totals
from aegis.marketdata.metrics import feed_figures
from aegis.marketdata.ports import FeedState

SECOND_NS = 10**9


def test_a_hand_over_is_timed_once_its_first_tick_is_known_to_be_stored() -> None:
    ages = StoreAges()
    ages.accepted(1, 100 * SECOND_NS)
    ages.accepted(11, 101 * SECOND_NS)
    ages.settled(0, 102 * SECOND_NS)
    assert ages.histogram.count == 0
    ages.settled(10, 102 * SECOND_NS)
    assert (ages.histogram.count, ages.histogram.total) == (1, 2.0)
    ages.settled(30, 104 * SECOND_NS)
    ages.settled(30, 200 * SECOND_NS)
    assert (ages.histogram.count, ages.histogram.total) == (2, 5.0)


def test_a_long_outage_keeps_no_more_than_a_bounded_number_of_samples() -> None:
    ages = StoreAges()
    for position in range(100_000):
        ages.accepted(position, SECOND_NS + position * 1_000_000)
    ages.settled(100_000, 200 * SECOND_NS)
    assert ages.histogram.count == 4_096


def test_no_more_than_one_in_a_millisecond_is_timed_whatever_the_clock_does() -> None:
    ages = StoreAges()
    for position, milliseconds in enumerate((10.0, 10.1, 10.9, 11.0, 11.5, 5.0, 5.2, 6.1)):
        ages.accepted(position, SECOND_NS + int(milliseconds * 1_000_000))
    ages.settled(100, 2 * SECOND_NS)
    assert ages.histogram.count == 4


def test_a_clock_that_was_set_back_makes_nothing_younger_than_it_can_be() -> None:
    ages = StoreAges()
    ages.accepted(1, 2 * SECOND_NS)
    ages.settled(1, SECOND_NS)
    assert (ages.histogram.count, ages.histogram.total) == (1, 0.0)


def test_a_session_that_is_ready_again_has_reconnected() -> None:
    def reconnects(opened: int) -> float:
        [_, found, _] = feed_figures(FeedState.READY, opened, 0, Totals(wanted=0, subscribed=0, ticking=0, refused=0))
        return found.samples[0].value

    assert [reconnects(opened) for opened in (0, 1, 2, 5)] == [0, 0, 1, 4]
