"""What the port says of a call to the paper venue that ended without the venue's word."""

from __future__ import annotations

import pytest

from aegis.trading.adapters.paper.venue import unanswered
from aegis_sdk.errors import (
    AegisError,
    ConnectionUnavailable,
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    NotExecuted,
    OutcomeUnknown,
    Rejected,
)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotExecuted("nobody was there"), "not_sent"),
        (InvalidRequest("no such account"), "refused"),
        (Rejected("no"), "refused"),
        (OutcomeUnknown("it may be stored"), "unknown"),
        (DeadlineExceeded("too late"), "unknown"),
        (InternalError("it failed"), "unknown"),
        (ConnectionUnavailable("gone"), "unknown"),
    ],
)
def test_nothing_is_called_done_that_may_not_be(error: AegisError, outcome: str) -> None:
    answer = unanswered(error)
    assert (answer.outcome, answer.text) == (outcome, str(error))


def test_an_error_of_any_length_fits() -> None:
    assert len(unanswered(NotExecuted("x" * 1000)).text) == 256
