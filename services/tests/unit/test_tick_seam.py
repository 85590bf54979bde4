"""Where stored and live ticks meet, in every order in which they can arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from samples import TICK

from aegis.contracts.market import Tick
from aegis.tick_seam import Epochs, Seam

SUBJECT = "tick.SHFE.rb2505"
OTHER = "tick.SHFE.ag2506"


def tick(sequence: int, epoch: int = 1, feed: str = "main") -> Tick:
    return replace(TICK, sequence=sequence, epoch=epoch, feed=feed)


class Consumer:
    """Feeds a seam, keeps what it delivers."""

    def __init__(self, held_limit: int = 100) -> None:
        self.seam = Seam(held_limit)
        self.read = Epochs()
        self.got: list[tuple[int, int]] = []

    def live(self, *ticks: Tick, subject: str = SUBJECT) -> None:
        for each in ticks:
            if self.seam.live(subject, each):
                self._take([each])

    def stored(self, *ticks: Tick, subject: str = SUBJECT, epoch: int = 0) -> None:
        """`epoch`: under which they were stored, where that is not theirs."""
        for each in ticks:
            self._take(self.seam.stored(subject, each, epoch or each.epoch, self.read))

    def begin(self) -> None:
        self.read = Epochs()  # the stream is read anew
        self._take(self.seam.begin())

    def end(self) -> None:
        self._take(self.seam.end())

    def _take(self, ticks: list[Tick]) -> None:
        self.got += [(each.epoch, each.sequence) for each in ticks]

    @property
    def sequences(self) -> list[int]:
        return [sequence for _, sequence in self.got]


def test_the_latest_tick_and_then_the_live_ones() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(6), tick(7))
    assert consumer.sequences == [5, 6, 7]


def test_a_live_tick_that_was_read_already_is_dropped_and_counted() -> None:
    consumer = Consumer()
    consumer.stored(tick(5), tick(6))
    consumer.live(tick(5), tick(6), tick(7))
    assert consumer.sequences == [5, 6, 7]
    assert consumer.seam.duplicates == 2


def test_a_live_tick_before_the_latest_needs_no_latest() -> None:
    consumer = Consumer()
    consumer.live(tick(6))
    consumer.stored(tick(8))
    consumer.live(tick(7), tick(8))
    assert consumer.sequences == [6, 7, 8]


def test_ticks_that_are_in_neither_at_first_are_waited_for() -> None:
    """6 and 7 were published before we subscribed and stored after we looked."""
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(8), tick(9))
    assert consumer.sequences == [5]
    consumer.stored(tick(6))
    consumer.live(tick(10))
    consumer.stored(tick(7), tick(8))
    consumer.live(tick(11))
    assert consumer.sequences == [5, 6, 7, 8, 9, 10, 11]


def test_a_hole_that_is_a_dropped_tick_stays_a_hole() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(8), tick(9))
    consumer.stored(tick(8))
    assert consumer.sequences == [5, 8, 9]
    assert consumer.seam.unfilled == 0


def test_a_hole_within_live_ticks_is_delivered_at_once() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(6), tick(9))
    assert consumer.sequences == [5, 6, 9]


def test_a_live_tick_that_was_read_already_shows_that_live_ticks_are_complete() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(5), tick(8))
    assert consumer.sequences == [5, 8]


def test_when_the_seam_ends_what_is_held_is_delivered() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(8), tick(9))
    consumer.end()
    consumer.live(tick(12))
    assert consumer.sequences == [5, 8, 9, 12]
    assert consumer.seam.unfilled == 1


def test_a_lower_epoch_is_dropped_and_counted() -> None:
    consumer = Consumer()
    consumer.live(tick(5, epoch=2), tick(6, epoch=1), tick(6, epoch=2))
    consumer.live(tick(1, epoch=3), tick(7, epoch=2))
    assert consumer.got == [(2, 5), (2, 6), (3, 1)]
    assert consumer.seam.stale == 2


def test_an_instrument_of_two_feed_sets_has_the_ticks_of_both() -> None:
    """Each counts by itself: the higher epoch of the one says nothing of the other's."""
    consumer = Consumer()
    consumer.stored(tick(7, epoch=12, feed="live"))
    for number in (1, 2):
        consumer.live(tick(number, epoch=40, feed="sim"), tick(7 + number, epoch=12, feed="live"))
    assert consumer.got == [(12, 7), (40, 1), (12, 8), (40, 2), (12, 9)]
    assert (consumer.seam.stale, consumer.seam.duplicates) == (0, 0)


def test_an_epoch_that_one_instrument_shows_ends_the_one_before_for_all_of_its_feed() -> None:
    """The deposed feed still sends ticks of an instrument that has not ticked in the new epoch yet."""
    consumer = Consumer()
    consumer.live(tick(5))
    consumer.live(tick(1, epoch=2), subject=OTHER)
    consumer.live(tick(6))
    assert consumer.got == [(1, 5), (2, 1)]
    assert consumer.seam.stale == 1
    consumer.live(tick(1, epoch=2), tick(7), tick(2, epoch=2))
    assert consumer.got == [(1, 5), (2, 1), (2, 1), (2, 2)]
    assert consumer.seam.stale == 2


def test_a_marker_ends_the_epochs_before_it() -> None:
    consumer = Consumer()
    consumer.live(tick(5, epoch=2))
    consumer.seam.begun("main", 3)
    consumer.seam.begun("main", 1)  # late, of the deposed one
    consumer.live(tick(6, epoch=2), tick(1, epoch=3))
    assert consumer.got == [(2, 5), (3, 1)]
    assert consumer.seam.stale == 1


def test_another_feed_set_has_epochs_of_its_own() -> None:
    consumer = Consumer()
    consumer.live(tick(1, epoch=9, feed="second"), subject=OTHER)
    consumer.live(tick(5, epoch=2), tick(6, epoch=2))
    assert consumer.sequences == [1, 5, 6]
    assert consumer.seam.stale == 0


def test_what_was_stored_before_the_new_epoch_began_is_still_the_latest() -> None:
    """The other instrument has ticked since the takeover, live and stored; this one has not."""
    consumer = Consumer()
    consumer.live(tick(1, epoch=2), subject=OTHER)
    consumer.stored(tick(5))
    consumer.stored(tick(2, epoch=2), subject=OTHER)
    assert consumer.got == [(2, 1), (1, 5)]
    assert consumer.seam.stale == 0


def test_what_a_deposed_feed_stored_after_the_new_epoch_began_is_void() -> None:
    consumer = Consumer()
    consumer.stored(tick(1, epoch=2), subject=OTHER)
    consumer.stored(tick(5))
    assert consumer.got == [(2, 1)]
    assert consumer.seam.stale == 1


def test_what_the_holder_of_a_new_epoch_stored_for_the_one_before_is_good() -> None:
    consumer = Consumer()
    consumer.stored(tick(1, epoch=2), subject=OTHER)
    consumer.stored(tick(5), epoch=2)
    consumer.end()
    consumer.live(tick(6), tick(1, epoch=2))
    assert consumer.got == [(2, 1), (1, 5), (2, 1)]
    assert consumer.seam.stale == 1


def test_a_stored_tick_of_a_new_epoch_ends_the_one_before_when_the_seam_has_ended() -> None:
    """Until then live ticks from before the takeover may be on their way: they are no hole."""
    consumer = Consumer()
    consumer.live(tick(5))
    consumer.stored(tick(1, epoch=2), subject=OTHER)
    consumer.live(tick(6))
    consumer.end()
    consumer.live(tick(7))
    assert consumer.got == [(1, 5), (2, 1), (1, 6)]
    assert consumer.seam.stale == 1


def test_the_first_ticks_of_a_new_epoch_are_waited_for_too() -> None:
    consumer = Consumer()
    consumer.stored(tick(50, epoch=1))
    consumer.live(tick(3, epoch=2))
    consumer.stored(tick(1, epoch=2), tick(2, epoch=2), tick(3, epoch=2))
    assert consumer.got == [(1, 50), (2, 1), (2, 2), (2, 3)]


def test_after_a_reconnect_nothing_goes_back_or_repeats() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(6), tick(7))
    consumer.begin()
    consumer.stored(tick(6))
    consumer.stored(tick(20))
    consumer.live(tick(19), tick(20), tick(21))
    assert consumer.sequences == [5, 6, 7, 20, 21]


def test_a_reconnect_delivers_what_was_held_before() -> None:
    consumer = Consumer()
    consumer.stored(tick(5))
    consumer.live(tick(8))
    consumer.begin()
    consumer.stored(tick(9))
    assert consumer.sequences == [5, 8, 9]


def test_no_more_is_held_than_the_limit() -> None:
    consumer = Consumer(held_limit=2)
    consumer.stored(tick(1))
    consumer.live(tick(5), tick(6), tick(7))
    consumer.end()
    assert consumer.sequences == [1, 6, 7]
    assert consumer.seam.dropped == 1


@dataclass
class World:
    """One publisher, a stream that stores later, and a subscriber that joins in the middle, and again."""

    random: Random
    published: list[Tick]
    consumer: Consumer = field(default_factory=Consumer)
    sent: int = 0
    stored: int = 0
    live_from: int | None = None
    live_at: int = 0
    read_at: int | None = None

    def step(self) -> None:
        moves = [self.send, self.store, self.hear, self.read, self.look]
        self.random.choice(moves)()

    def send(self) -> None:
        self.sent = min(self.sent + self.random.randint(1, 3), len(self.published))

    def store(self) -> None:
        self.stored = min(self.stored + self.random.randint(1, 3), self.sent)

    def subscribe(self) -> None:
        self.live_from = self.live_at = self.sent

    def look(self) -> None:
        """The latest stored tick, once in a seam and only after the subscription."""
        if self.live_from is not None and self.read_at is None:
            self.read_at = max(self.stored - 1, 0)

    def hear(self) -> None:
        if self.live_from is not None and self.live_at < self.sent:
            self.consumer.live(self.published[self.live_at])
            self.live_at += 1

    def read(self) -> None:
        if self.read_at is not None and self.read_at < self.stored:
            self.consumer.stored(self.published[self.read_at])
            self.read_at += 1

    def run_out(self) -> None:
        """All is sent, stored, heard and read."""
        self.look()
        self.sent = self.stored = len(self.published)
        while self.live_from is not None and self.live_at < self.sent:
            self.hear()
        while self.read_at is not None and self.read_at < self.stored:
            self.read()


def history(random: Random) -> list[Tick]:
    """Ticks of an instrument with dropped ones and takeovers among them."""
    ticks, epoch, sequence = list[Tick](), 1, 0
    for _ in range(random.randint(1, 60)):
        if random.random() < 0.1:
            epoch, sequence = epoch + random.randint(1, 3), 0
        sequence += 1 if random.random() < 0.8 else random.randint(2, 4)
        ticks.append(tick(sequence, epoch))
    return ticks


@settings(max_examples=400)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 80))
def test_from_the_first_tick_on_nothing_is_left_out_or_repeated(seed: int, before: int, after: int) -> None:
    world = World(random := Random(seed), history(random))
    for _ in range(before):
        world.step()
    world.subscribe()
    for _ in range(after):
        world.step()
    world.run_out()
    world.consumer.end()
    got, published = world.consumer.got, [(each.epoch, each.sequence) for each in world.published]
    assert got == published[len(published) - len(got) :]
    assert got, "at least the latest tick is delivered"


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_through_reconnects_it_never_goes_back_and_always_ends_with_the_latest(seed: int, rounds: list[int]) -> None:
    world = World(random := Random(seed), history(random))
    for steps in rounds:
        world.subscribe()
        world.read_at = None
        for _ in range(steps):
            world.step()
        world.live_from = None
        world.consumer.begin()
        for _ in range(random.randint(0, 5)):
            world.step()
    world.subscribe()
    world.read_at = None
    world.run_out()
    world.consumer.end()
    got = world.consumer.got
    assert got == sorted(set(got))
    assert got[-1] == (world.published[-1].epoch, world.published[-1].sequence)
