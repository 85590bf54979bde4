"""Frames between a CTP session's process and the service."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from samples import QUOTE

from aegis.contracts.market import Level
from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.frames import Alive, Ended, FrontAddresses, Login, Reached, Reassembly, encoded
from aegis.marketdata.adapters.ctp.frames import Quotes, Ready, Start, Subscribe, from_session, to_session
from aegis_sdk.errors import CodecError

LOGIN = Login(broker_id="9999", user_id="u1", password="secret-1", app_id="app", auth_code="secret-2")
SAYS = Reason.of("counter_says", error=7, text="还没有初始化")
FRAMES = [
    Alive(),
    Reached(Step.AUTHENTICATE),
    Quotes([QUOTE, QUOTE]),
    Ready("20250102", ("a.so",)),
    Ended(Failure(step=Step.LOGIN_TRADER, kind=Kind.OTHER, cause=SAYS)),
    Ended(),
]


@given(st.lists(st.integers(1, 200), min_size=1))
def test_frames_are_whole_however_the_socket_cuts_them(cuts: list[int]) -> None:
    stream, incoming, heard = b"".join(map(encoded, FRAMES)), Reassembly(), []
    start = 0
    for cut in cuts * (len(stream) // sum(cuts) + 1):
        heard += [from_session.decode(body) for body in incoming.take(stream[start : start + cut])]
        start += cut
    assert heard == FRAMES


def test_a_quote_keeps_all_that_it_says() -> None:
    import msgspec

    quote = msgspec.structs.replace(QUOTE, bids=(Level(3310.0, 4),), flags=("auction",), skipped=3)
    [body] = Reassembly().take(encoded(Quotes([quote])))
    assert from_session.decode(body) == Quotes([quote])


def test_a_session_is_told_its_login_and_shows_no_secret() -> None:
    start = Start(login=LOGIN, fronts=FrontAddresses(market=("tcp://a:1",), trader=("tcp://b:2",)), production=True)
    [body] = Reassembly().take(encoded(start))
    assert to_session.decode(body) == start
    assert "secret" not in repr(start)
    assert "secret" not in pretty_repr(start), "as tracebacks show variables"
    [body] = Reassembly().take(encoded(Subscribe(["rb2505"], wanted=False)))
    assert to_session.decode(body) == Subscribe(["rb2505"], wanted=False)


def test_what_claims_to_be_longer_than_any_frame_is_refused() -> None:
    with pytest.raises(CodecError):
        list(Reassembly().take(b"\xff\xff\xff\xff"))
