"""Who should hold a key: everybody computes the same, by weight, and nobody's keys move without need."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk.errors import ConfigurationError
from aegis_sdk.placement import Candidate, Placement, ranking

ANYWHERE = Placement()
KEYS = [f"account-{n}" for n in range(20_000)]
instances = st.lists(
    st.builds(Candidate, st.text("abcdef", min_size=1, max_size=3), st.sampled_from(["", "x", "y"]), st.integers(0, 5)),
    unique_by=lambda candidate: candidate.instance,
)


def test_keys_are_shared_by_weight() -> None:
    candidates = [Candidate("a", "", 100), Candidate("b", "", 200), Candidate("c", "", 300)]
    first = Counter(ranking("s", key, candidates, ANYWHERE)[0] for key in KEYS)
    for instance, share in (("a", 1 / 6), ("b", 2 / 6), ("c", 3 / 6)):
        assert first[instance] / len(KEYS) == pytest.approx(share, abs=0.01)


def test_only_the_keys_of_one_that_leaves_move_and_they_go_to_all_others() -> None:
    candidates = [Candidate(name, "", 100) for name in "abcd"]
    moved_to: Counter[str] = Counter()
    for key in KEYS[:4000]:
        before = ranking("s", key, candidates, ANYWHERE)
        after = ranking("s", key, candidates[1:], ANYWHERE)
        assert after == [name for name in before if name != "a"]
        if before[0] == "a":
            moved_to[after[0]] += 1
    assert min(moved_to[name] for name in "bcd") > 250


def test_preferred_instances_come_first_then_the_zone_then_all_others() -> None:
    candidates = [Candidate("a", "x", 9), Candidate("b", "y", 1), Candidate("c", "x", 1), Candidate("d", "y", 9)]
    placement = Placement(prefer=("d", "gone", "a"), zone="x")
    for key in KEYS[:100]:
        assert ranking("s", key, candidates, placement) == ["d", "a", "c", "b"]


def test_one_without_weight_never_gets_a_key_even_where_it_is_preferred() -> None:
    assert ranking("s", "k", [Candidate("a", "x", 0)], Placement(prefer=("a",), zone="x")) == []


def test_no_more_standbys_than_the_placement_says_are_ranked() -> None:
    candidates = [Candidate(name, "", 100) for name in "abcde"]
    everybody = ranking("s", "k", candidates, ANYWHERE)
    assert len(everybody) == 5
    assert ranking("s", "k", candidates, Placement(standbys=2)) == everybody[:3]


def test_fewer_than_no_standbys_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"placement.standbys: -1"):
        Placement(standbys=-1)


def test_a_ranking_is_the_same_on_every_machine() -> None:
    candidates = [Candidate(name, "", 100) for name in ("a", "b", "c")]
    ranked = ["".join(ranking("s", key, candidates, ANYWHERE)) for key in ("k1", "k2", "k3")]
    assert ranked == ["bac", "bca", "cba"]


@given(instances, st.text("kl", min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_in_which_candidates_are_known_does_not_matter(candidates, key, random) -> None:
    shuffled = candidates.copy()
    random.shuffle(shuffled)
    placement = Placement(prefer=("a", "b"), zone="x")
    assert ranking("s", key, candidates, placement) == ranking("s", key, shuffled, placement)
    assert set(ranking("s", key, candidates, placement)) == {c.instance for c in candidates if c.weight}
