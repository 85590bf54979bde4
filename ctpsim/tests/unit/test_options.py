"""What `ctpsim serve` may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegis.exchanges.sessions import to_utc_ns
from aegis_sdk.errors import ConfigurationError
from ctpsim.options import ServeOptions, moment_ns, random_user


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"market": "replay"}, "a replay needs one"),
        ({"path": Path("ticks.csv")}, "nothing else takes one"),
        ({"speed": 0.0}, "no speed of this market"),
        ({"speed": float("nan")}, "no speed of this market"),
        ({"market": "load", "begin": "2025-11-28T20:00"}, "only the simulated market"),
        ({"market": "load", "record": Path("ticks.csv")}, "not written down"),
        ({"rate": 0.0}, "not above 0"),
        ({"fronts": 9}, "not between 1 and 4"),
        ({"instruments": 0}, "less than 1"),
    ],
)
def test_options_that_do_not_fit_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        ServeOptions(directory=Path(), **given)


def test_a_moment_is_shanghais() -> None:
    assert moment_ns("2025-11-28T20:30") == to_utc_ns("20251128", 20 * 3600 + 1800)
    with pytest.raises(ConfigurationError, match="'soon' is not written as"):
        moment_ns("soon")


def test_a_user_shows_no_secrets_and_is_another_one_each_time() -> None:
    user, other = random_user(), random_user()
    assert user.password not in repr(user)
    assert user.auth_code not in repr(user)
    assert (user.password, user.auth_code) != (other.password, other.auth_code)
    assert len(user.auth_code) <= 16
