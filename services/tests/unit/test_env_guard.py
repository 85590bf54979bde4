"""To which env a feed set belongs, and who is refused there."""

from __future__ import annotations

from msgspec.structs import replace
from samples import TICK

from aegis.marketdata.domain.env_guard import EnvGuard


def test_a_feed_is_refused_where_the_latest_epoch_of_its_set_is_of_another_env() -> None:
    guard = EnvGuard("main", "live")
    told = [guard.look(replace(TICK, env=env, epoch=epoch)) for env, epoch in (("live", 2), ("sim", 3), ("sim", 3))]
    assert told == [False, True, False]
    assert str(guard.refusal).startswith("the feed set main is sim, and this feed is live")


def test_a_feed_is_accepted_again_once_its_set_is_of_its_env_and_what_is_older_says_nothing() -> None:
    guard = EnvGuard("main", "sim")
    told = [guard.look(replace(TICK, env=env, epoch=epoch)) for env, epoch in (("live", 2), ("sim", 3), ("live", 1))]
    assert told == [True, True, False]
    assert guard.refusal is None
