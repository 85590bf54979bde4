"""Full collections stay short, however much a service comes to hold."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from aegis_sdk import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    callbacks = [*gc.callbacks]
    yield
    gc.callbacks[:] = callbacks
    gc.unfreeze()


def looked_at() -> int:
    """How many objects a full collection looks at."""
    return len(gc.get_objects())


def test_what_a_start_has_made_is_not_looked_at_again() -> None:
    made = [[number] for number in range(10_000)]
    garbage.settle()
    assert looked_at() < len(made)


def test_what_outlives_a_long_collection_is_not_looked_at_again() -> None:
    garbage.settle(limit_s=0.0)
    kept = [[number] for number in range(10_000)]
    assert looked_at() > len(kept)
    gc.collect()
    assert looked_at() < len(kept)


def test_what_outlives_a_short_one_is() -> None:
    """Else cycles that fall dead would never be freed."""
    garbage.settle(limit_s=60.0)
    kept = [[number] for number in range(10_000)]
    gc.collect()
    assert looked_at() > len(kept)


def test_only_full_collections_count() -> None:
    garbage.settle(limit_s=0.0)
    kept = [[number] for number in range(10_000)]
    gc.collect(1)
    assert looked_at() > len(kept)


def test_the_latest_limit_counts() -> None:
    garbage.settle(limit_s=0.0)
    before = len(gc.callbacks)
    garbage.settle(limit_s=60.0)
    assert len(gc.callbacks) == before
    kept = [[number] for number in range(10_000)]
    gc.collect()
    assert looked_at() > len(kept)
