"""The book of ticks that are not yet known to be stored."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from random import Random

from hypothesis import example, given
from hypothesis import strategies as st

from aegis.marketdata.adapters.bus.republish_ring import RepublishRing
from aegis.marketdata.ports import Outgoing


def tick(subject: str, sequence: int) -> Outgoing:
    return subject, f"{subject}{sequence}".encode(), sequence


def ticks(subject: str, *sequences: int) -> list[Outgoing]:
    return [tick(subject, sequence) for sequence in sequences]


def send(ring: RepublishRing, count: int) -> None:
    """Send `count` as one batch, with its marker."""
    ring.opened(ring.take(count)[0])
    ring.close_batch()


def test_a_full_ring_loses_the_oldest_that_wait_and_counts_them_by_subject() -> None:
    ring = RepublishRing(5, keep_s=0)
    ring.add([*ticks("a", 1, 2), *ticks("b", 1, 2, 3)])
    send(ring, 1)
    ring.add(ticks("c", 1, 2))
    assert ring.lost == {"a": 1, "b": 1}
    assert list(ring.waiting) == [*ticks("b", 2, 3), *ticks("c", 1, 2)]
    assert len(ring) == 5


def test_what_was_lost_before_it_was_sent_was_not_handed_over() -> None:
    ring = RepublishRing(5, keep_s=0)
    ring.add(ticks("a", *range(1, 9)))
    send(ring, 2)
    assert (ring.accepted, ring.lost, ring.handed_over) == (8, {"a": 3}, 2)
    ring.give_up()
    ring.add(ticks("a", 9))
    send(ring, 1)
    assert ring.handed_over == 3


def test_what_is_sent_again_is_handed_over_once() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3))
    send(ring, 2)
    ring.doubt()
    ring.resolve({b"a1", b"a2"}, 3, delivered=False)
    send(ring, 3)
    assert ring.handed_over == 3


def test_a_proven_batch_leaves_the_ring() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3))
    send(ring, 2)
    assert ring.in_flight == ticks("a", 1, 2)
    ring.prove(sequence=3, now=1)
    assert (ring.stored, ring.sent, len(ring)) == (2, 0, 1)


def test_what_is_missing_waits_again_before_all_else() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3, 4, 5))
    send(ring, 2)
    ring.opened(ring.take(2)[0])
    ring.doubt()
    assert ring.resolve({b"a3", b"a4"}, 3, delivered=False) == 2
    assert list(ring.waiting) == ticks("a", 3, 4, 5)
    assert (ring.stored, ring.sent, ring.sequence) == (2, 0, 3)


def test_a_tick_overtaken_by_its_successor_is_lost() -> None:
    """Sent again it would become the latest of its subject, which it is not."""
    ring = RepublishRing(9, keep_s=0)
    ring.add([*ticks("a", 1, 2), *ticks("b", 1)])
    send(ring, 3)
    ring.doubt()
    assert ring.resolve({b"a1", b"b1"}, 2, delivered=False) == 1
    assert list(ring.waiting) == ticks("b", 1)
    assert ring.lost == {"a": 1}


def test_what_could_not_be_sent_is_first_again() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3))
    ring.returned(ring.take(2)[0], delivered=False)
    assert list(ring.waiting) == ticks("a", 1, 2, 3)


def test_giving_up_loses_all_that_is_left() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3))
    send(ring, 1)
    ring.opened(ring.take(1)[0])
    ring.give_up()
    assert (ring.lost, ring.lost_sent, len(ring)) == ({"a": 3}, 2, 0)


def test_a_proven_tick_stays_for_a_moment() -> None:
    """A server that acknowledges before it writes may forget it."""
    ring = RepublishRing(9, keep_s=1)
    ring.add(ticks("a", 1, 2, 3))
    for sequence, now in ((2, 10.0), (4, 10.5), (6, 11.2)):
        send(ring, 1)
        ring.prove(sequence, now)
    assert ring.stored == 3
    ring.doubt()
    assert (ring.in_doubt, ring.sequence) == (ticks("a", 2, 3), 2)
    assert ring.resolve({b"a3"}, 7, delivered=False) == 1
    assert (list(ring.waiting), ring.stored, ring.sequence) == (ticks("a", 3), 2, 7)


def test_proven_ticks_take_at_most_a_quarter_of_the_ring() -> None:
    ring = RepublishRing(8, keep_s=100)
    ring.add(ticks("a", 1, 2, 3))
    for sequence in (2, 4, 6):
        send(ring, 1)
        ring.prove(sequence, now=1)
    ring.doubt()
    assert ring.in_doubt == ticks("a", 2, 3)


def test_what_is_in_doubt_stays_while_the_ring_overflows() -> None:
    ring = RepublishRing(8, keep_s=100)
    ring.add(ticks("a", 1, 2, 3))
    send(ring, 1)
    ring.prove(sequence=2, now=1)
    send(ring, 1)
    ring.doubt()
    ring.add(ticks("b", *range(1, 10)))
    assert ring.in_doubt == ticks("a", 1, 2)
    assert ring.lost == {"a": 1, "b": 2}


def test_what_live_subscribers_have_had_is_for_the_stream_alone() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.add(ticks("a", 1, 2, 3))
    assert ring.undelivered(2) == ticks("a", 1, 2)
    ring.deliver(2)
    assert (ring.undelivered(9), ring.handed_over) == (ticks("a", 3), 2)
    taken = ring.take(9)
    assert taken == (ticks("a", 1, 2), True)
    ring.returned(taken[0], delivered=True)
    ring.opened(ring.take(9)[0])
    assert ring.take(9) == (ticks("a", 3), False)
    assert ring.handed_over == 2


def test_what_another_instance_publishes_is_left_to_it() -> None:
    ring = RepublishRing(9, keep_s=1)
    ring.add(ticks("a", 1, 2, 3, 4))
    send(ring, 1)
    ring.prove(2, now=1)
    send(ring, 1)
    ring.leave(cut=())
    assert (ring.stored, ring.left, len(ring), ring.lost.total()) == (1, 3, 0, 0)


def test_what_is_left_is_told_apart_by_whether_live_subscribers_have_had_it() -> None:
    ring = RepublishRing(9, keep_s=1)
    ring.add(ticks("a", 1, 2, 3, 4))
    send(ring, 1)
    ring.deliver(1)
    assert ring.leave(cut=()) == (ticks("a", 1, 2), ticks("a", 3, 4), 0)
    ring.add(ticks("a", 5, 6))
    send(ring, 1)
    ring.doubt()
    assert ring.leave(cut=ring.cut()) == ([], ticks("a", 5, 6), 0), (
        "a connection that broke may have brought them or not"
    )


def test_what_is_adopted_is_for_the_stream_alone_also_when_the_connection_breaks() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.adopt(ticks("a", 1, 2, 3), after=None)
    ring.add(ticks("b", 1))
    send(ring, 1)
    ring.doubt()
    assert ring.cut() == []
    assert ring.resolve({b"a1"}, 3, delivered=False) == 1
    assert [ring.take(9), ring.take(9)] == [(ticks("a", 1, 2, 3), True), (ticks("b", 1), False)]


def test_of_what_is_adopted_in_doubt_only_what_is_missing_waits() -> None:
    ring = RepublishRing(9, keep_s=0)
    ring.adopt(ticks("a", 1, 2), after=7)
    assert (ring.sequence, ring.accepted, ring.sent) == (7, 2, 2)
    assert ring.resolve({b"a2"}, 9, delivered=True) == 1
    assert ring.take(9) == (ticks("a", 2), True)
    assert (ring.stored, ring.handed_over, ring.adopted) == (1, 2, 2)


def test_what_was_proven_and_is_missing_is_for_the_stream_alone_also_when_the_connection_breaks() -> None:
    """A killed server may forget what it had acknowledged; live subscribers have had that."""
    ring = RepublishRing(12, keep_s=1)
    ring.add(ticks("a", 1, 2, 3))
    send(ring, 2)
    ring.prove(3, now=1)
    send(ring, 1)
    ring.doubt()
    assert ring.cut() == ticks("a", 3)
    assert ring.resolve({b"a2", b"a3"}, 4, delivered=False) == 2
    assert [ring.take(9), ring.take(9)] == [(ticks("a", 2), True), (ticks("a", 3), False)]


@example(["add", "doubt", "send", "prove", "doubt", "send"], 0, 0)
@given(
    st.lists(st.sampled_from(["add", "send", "prove", "doubt", "deliver"]), max_size=60),
    st.integers(0, 9),
    st.integers(0, 2**32),
)
def test_each_tick_ends_once_and_in_order(steps: list[str], adopted: int, seed: int) -> None:
    """Whatever part of the ticks in doubt a stream has, each is stored once, in order, or lost; so it is delivered."""
    random = Random(seed)
    ring, stream, sequences = RepublishRing(12, keep_s=2), list[Outgoing](), Counter[str]()
    in_flight: list[list[Outgoing]] = []
    anothers = ticks("a", *range(1, adopted + 1))
    ring.adopt(anothers, after=None)
    sequences["a"] = adopted
    added = set(anothers)
    handed_over = set(anothers)
    live = [*anothers]
    for now, step in enumerate(steps):
        if step == "add":
            subject = random.choice("ab")
            sequences[subject] += 3
            three = ticks(subject, *range(sequences[subject] - 2, sequences[subject] + 1))
            ring.add(three)
            added.update(three)
        elif step == "send" and ring.waiting and not in_flight:
            batch, delivered = ring.take(3)
            ring.opened(batch)
            ring.close_batch()
            in_flight.append(batch)
            handed_over.update(batch)
            live += () if delivered else batch
        elif step == "deliver":
            fresh = ring.undelivered(2)
            ring.deliver(len(fresh))
            handed_over.update(fresh)
            live += fresh
        elif step == "prove" and in_flight:
            stream.extend(in_flight.pop(0))
            ring.prove(len(stream), now)
        elif step == "doubt":
            ring.doubt()
            doubtful = ring.in_doubt
            there = [each for each in doubtful if random.random() < 0.5]
            stream = [each for each in stream if each not in doubtful] + there
            in_flight.clear()
            missing = {payload for _, payload, _ in doubtful} - {payload for _, payload, _ in there}
            cut = random.random() < 0.5
            if cut:  # the connection broke: some that was sent died, and all behind it
                past_stream = set(islice(ring.waiting, ring.delivered)).difference(anothers)
                died = past_stream.union(each for each in ring.cut() if each[1] in missing)
                live = live[: next((place for place, each in enumerate(live) if each in died), len(live))]
            ring.resolve(missing, len(stream), delivered=not cut)
        assert len(ring) <= 12 + 12 // 4
        assert ring.handed_over == len(handed_over)
        assert ring.accepted == len(ring) + ring.stored + ring.lost.total()
        lost = added.difference(stream, ring.waiting, *in_flight)
        assert (ring.lost.total(), ring.lost_sent) == (len(lost), len(lost & handed_over))
    assert ring.stored == len(stream) == len(set(stream))
    for subject in "ab":
        order = [sequence for name, _, sequence in stream if name == subject]
        assert order == sorted(order)
        delivery = [sequence for name, _, sequence in live if name == subject]
        assert delivery == sorted(set(delivery))
