"""How a CTP session comes up, answer by answer."""

from __future__ import annotations

import pytest

from aegis.contracts.reasons import Reason
from aegis.ctp.failures import Failure, Kind, Step
from aegis.ctp.login import (
    Authenticated,
    Error,
    Event,
    FrontConnected,
    FrontDisconnected,
    InstrumentsRead,
    InstrumentsWanted,
    Listed,
    LoggedIn,
    Login,
    Reached,
    Ready,
    Request,
    Side,
    Unlisted,
    step,
    trading_login,
)

TRADER, MARKET = Side.TRADER, Side.MARKET
READ = InstrumentsRead(known=800)
WELL: list[Event] = [
    FrontConnected(TRADER),
    Authenticated(),
    LoggedIn(TRADER, trading_day="20250102"),
    FrontConnected(MARKET),
    LoggedIn(MARKET),
    READ,
]


def after(*events: Event) -> Login:
    login = Login()
    for event in events:
        step(login, event)
    return login


def failed(login: Login, event: Event) -> Failure:
    [failure] = step(login, event)
    assert isinstance(failure, Failure)
    return failure


def test_it_asks_for_one_thing_after_the_other_and_is_ready_in_the_end() -> None:
    login = Login()
    assert [step(login, event) for event in WELL] == [
        (Reached(Step.CONNECT_TRADER), Request.AUTHENTICATE),
        (Reached(Step.AUTHENTICATE), Request.LOGIN_TRADER),
        (Reached(Step.LOGIN_TRADER), Request.QUERY_INSTRUMENTS),
        (Reached(Step.CONNECT_MARKET), Request.LOGIN_MARKET),
        (Reached(Step.LOGIN_MARKET),),
        (Reached(Step.QUERY_INSTRUMENTS), Ready("20250102")),
    ]


def test_it_is_ready_whichever_side_comes_last() -> None:
    login = after(*WELL[:3], READ, FrontConnected(MARKET))
    assert step(login, LoggedIn(MARKET)) == (Reached(Step.LOGIN_MARKET), Ready("20250102"))


@pytest.mark.parametrize(
    ("code", "kind"), [(3, Kind.CREDENTIALS), (63, Kind.CREDENTIALS), (7, Kind.NOT_READY), (12345, Kind.OTHER)]
)
def test_a_refused_login_says_what_to_do_about_it(code: int, kind: Kind) -> None:
    failure = failed(after(*WELL[:2]), LoggedIn(TRADER, Error(code, "CTP:不合法的登录")))
    assert failure == Failure(
        step=Step.LOGIN_TRADER, kind=kind, cause=Reason.of("counter_says", error=code, text="CTP:不合法的登录")
    )
    assert str(failure) == f"could not log in at the trader front: the counter says (error {code}): CTP:不合法的登录"


def test_each_step_names_itself_when_it_fails() -> None:
    refused = Error(99, "no")
    assert failed(after(*WELL[:1]), Authenticated(refused)).step is Step.AUTHENTICATE
    assert failed(after(*WELL[:4]), LoggedIn(MARKET, refused)).step is Step.LOGIN_MARKET
    assert failed(after(*WELL[:5]), InstrumentsRead(refused)).step is Step.QUERY_INSTRUMENTS
    assert failed(Login(), FrontDisconnected(TRADER, 0x1001)).step is Step.CONNECT_TRADER
    assert failed(after(*WELL[:1]), FrontDisconnected(TRADER, 0x1001)).step is Step.AUTHENTICATE


def test_a_query_that_came_too_soon_is_asked_again() -> None:
    login = after(*WELL[:5])
    assert step(login, InstrumentsRead(Error(90, "CTP:查询未就绪"))) == (Request.QUERY_AGAIN,)
    assert step(login, READ)[-1] == Ready("20250102")


def test_a_counter_that_lists_no_contracts_is_not_ready_yet() -> None:
    failure = failed(after(*WELL[:5]), InstrumentsRead())
    assert (failure.step, failure.kind) == (Step.QUERY_INSTRUMENTS, Kind.NOT_READY)
    login = after(*WELL, InstrumentsWanted())
    assert step(login, InstrumentsRead()) == [Unlisted(failure)]
    assert not login.failed


def test_once_ready_only_the_market_data_front_matters() -> None:
    login = after(*WELL)
    assert step(login, FrontDisconnected(TRADER, 0x1001)) == ()
    assert list(step(login, FrontConnected(TRADER))) == []
    failure = failed(login, FrontDisconnected(MARKET, 0x2001))
    closed = Reason.of("front_closed", error=0x2001)
    assert (failure.step, failure.kind, failure.cause) == (Step.FLOW, Kind.NOT_READY, closed)


def test_once_ready_instruments_are_queried_again_when_they_are_wanted() -> None:
    login = after(*WELL)
    assert step(login, InstrumentsWanted()) == [Request.QUERY_INSTRUMENTS]
    assert step(login, READ) == [Listed()]
    assert step(after(*WELL[:5]), InstrumentsWanted()) == (), "they are on their way"


def test_behind_a_lost_connection_another_login_comes_before_the_query() -> None:
    login = after(*WELL, FrontDisconnected(TRADER, 0x1001))
    assert step(login, InstrumentsWanted()) == [], "the front is not there"
    assert step(login, FrontConnected(TRADER))[-1] == Request.AUTHENTICATE
    assert step(login, Authenticated())[-1] == Request.LOGIN_TRADER
    assert step(login, LoggedIn(TRADER, trading_day="20250103"))[-1] == Request.QUERY_INSTRUMENTS
    assert step(login, READ) == [Listed()]
    step(login, FrontDisconnected(TRADER, 0x1001))
    assert step(login, FrontConnected(TRADER)) == [], "nothing is wanted of it"


@pytest.mark.parametrize(
    ("answers", "again"),
    [
        ([InstrumentsRead(Error(7, "not initialised"))], Request.QUERY_INSTRUMENTS),
        ([FrontDisconnected(TRADER, 1), FrontConnected(TRADER), Authenticated(Error(63, "no"))], Request.AUTHENTICATE),
    ],
)
def test_a_query_that_fails_once_ready_ends_nothing_and_is_tried_again(answers: list[Event], again: Request) -> None:
    login = after(*WELL, InstrumentsWanted(), *answers[:-1])
    [unlisted] = step(login, answers[-1])
    assert isinstance(unlisted, Unlisted)
    assert not login.failed
    assert step(login, InstrumentsWanted()) == [again]


def test_nothing_more_is_done_after_a_failure() -> None:
    login = after(*WELL[:1], Authenticated(Error(63, "no")))
    assert [step(login, event) for event in WELL] == [()] * len(WELL)


def test_a_session_that_trades_needs_the_trader_front_alone_and_ends_with_its_connection() -> None:
    login = trading_login()
    trader = [FrontConnected(TRADER), Authenticated(), LoggedIn(TRADER, trading_day="20250102")]
    assert [step(login, event) for event in trader] == [
        (Reached(Step.CONNECT_TRADER), Request.AUTHENTICATE),
        (Reached(Step.AUTHENTICATE), Request.LOGIN_TRADER),
        (Reached(Step.LOGIN_TRADER), Ready("20250102")),
    ]
    lost = failed(login, FrontDisconnected(TRADER, 0x1001))
    assert (lost.step, lost.kind) == (Step.TRADE, Kind.NOT_READY)
