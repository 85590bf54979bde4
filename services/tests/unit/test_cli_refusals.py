"""What people are told of an order that was refused."""

from typing import get_args

import pytest

from aegis.cli.refusals import WORDS, explained, in_words
from aegis.contracts.trading import OrderRejected
from aegis.trading.domain.situation import Reason


def test_each_reason_of_a_check_has_its_sentence() -> None:
    assert set(WORDS) == set(get_args(Reason))


@pytest.mark.parametrize(
    ("details", "said"),
    [
        (
            {"reason": "above_limit", "price": "3400", "limit": "3291"},
            "REFUSED: the price is above the day's upper limit (3400 above 3291) [above_limit]",
        ),
        ({"reason": "price_missing"}, "REFUSED: it needs a price [price_missing]"),
        ({"reason": "of a later version"}, "REFUSED: of a later version: no"),
    ],
)
def test_a_refusal_is_a_sentence_with_its_figures(details: dict[str, str], said: str) -> None:
    assert explained(OrderRejected("of a later version: no", **details)) == said


def test_a_position_that_is_not_closed_is_told_like_an_order() -> None:
    assert in_words("closed", "") == "its market is closed, or has a break [closed]"
    assert in_words("of a later version", "no") == "of a later version (no) [of a later version]"
