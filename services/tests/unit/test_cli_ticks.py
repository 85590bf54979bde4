"""What `aegis ticks` selects and shows."""

from __future__ import annotations

import msgspec
import pytest

from aegis.cli.tick_lines import TickLines
from aegis.cli.tick_output import latest_that_fit
from aegis.cli.tick_patterns import select
from aegis.contracts.market import InstrumentId, Level, Tick
from aegis_sdk.errors import ConfigurationError

TICK = Tick(
    env="sim",
    feed="main",
    source="simulated",
    session="s",
    epoch=1,
    sequence=1,
    exchange="SHFE",
    symbol="rb2505",
    trading_day="20250102",
    action_day="20250102",
    ts_exchange_ns=1_735_781_400_500_000_000,  # 2025-01-02 09:30:00.5 in Shanghai
    ts_received_ns=0,
    last_price=3310.0,
    open_price=3300.0,
    high_price=3320.0,
    low_price=3290.0,
    pre_close_price=3300.0,
    pre_settlement_price=3300.0,
    settlement_price=None,
    upper_limit_price=3500.0,
    lower_limit_price=3100.0,
    volume=12_345,
    turnover=0.0,
    volume_delta=0,
    turnover_delta=0.0,
    open_interest=67_890.0,
    pre_open_interest=None,
    bids=(Level(3309.0, 12),),
    asks=(Level(3310.0, 3),),
)


def of(symbol: str, **changes: object) -> Tick:
    return msgspec.structs.replace(TICK, symbol=symbol, **changes)


@pytest.mark.parametrize(
    ("patterns", "subscriptions"),
    [
        ([], ["*.*"]),
        (["SHFE.rb2505"], ["SHFE.rb2505"]),
        (["SHFE.rb*"], ["SHFE.*"]),
        (["SHFE"], ["SHFE.*"]),
        (["rb*"], ["*.*"]),
        (["rb2505"], ["*.rb2505"]),
        (["SHFE.*", "SHFE.rb2505", "DCE.m2505"], ["DCE.m2505", "SHFE.*"]),
        (["SHFE.*", "*.*"], ["*.*"]),
        (["CZCE.SP m2505&m2509"], ["CZCE.SP m2505&m2509"]),
    ],
)
def test_no_tick_is_subscribed_twice(patterns: list[str], subscriptions: list[str]) -> None:
    assert list(select(patterns).subscriptions) == subscriptions


def test_a_glob_is_finished_on_our_side() -> None:
    wanted = select(["SHFE.rb25*", "IF*"]).wanted
    assert wanted(InstrumentId("SHFE", "rb2505"))
    assert wanted(InstrumentId("CFFEX", "IF2503"))
    assert not wanted(InstrumentId("SHFE", "rb2605"))
    assert not wanted(InstrumentId("DCE", "rb2505"))
    assert not wanted(InstrumentId("SHFE", "RB2505"))


@pytest.mark.parametrize("pattern", ["shfe.rb2505", "SHFE.", ".rb2505"])
def test_a_pattern_that_can_match_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match="pattern"):
        select([pattern])


def test_a_tick_is_one_line() -> None:
    assert TickLines(coloured=False).line(TICK).split() == (
        ["09:30:00.500", "SHFE.rb2505", "3310", "+10", "+0.30", "3309×12", "3310×3", "12345", "67890"]
    )


def test_what_is_missing_is_a_dash_and_flags_are_told() -> None:
    line = TickLines(coloured=False).line(of("x", last_price=None, bids=(), asks=(), flags=("auction", "reset")))
    assert line.split()[2:7] == ["-", "-", "-", "-×-", "-×-"]
    assert line.endswith("  auction reset")


def test_red_rises_and_green_falls() -> None:
    lines = TickLines(coloured=True)
    assert "\033[31m     +10  +0.30\033[0m" in lines.line(TICK)
    assert "\033[32m     -10  -0.30\033[0m" in lines.line(of("x", last_price=3290.0))
    assert "\033" not in lines.line(of("x", last_price=3300.0))


def test_lines_and_header_stand_in_columns_and_never_wrap() -> None:
    lines = TickLines(coloured=False)
    header, line = lines.header(), lines.line(TICK)
    for title, value in (("LAST", "3310 "), ("CHANGE", "+10"), ("BID", "3309"), ("VOLUME", "12345")):
        assert header.index(title) + len(title) == line.index(value) + len(value.strip())
    assert max(len(lines.line(TICK, width)) for width in (60, 80)) == 80
    assert len(lines.header(60)) == 60


def test_a_long_name_widens_its_column_for_good() -> None:
    lines = TickLines(coloured=False)
    lines.line(of("SP m2505&m2509"))
    assert lines.line(TICK).index("3310") == lines.line(of("SP m2505&m2509")).index("3310")


def test_a_batch_that_fits_is_shown_as_it_is() -> None:
    batch = [of("a"), of("a"), of("b")]
    assert latest_that_fit(batch, 3) == batch


def test_of_a_batch_that_does_not_fit_the_latest_of_each_instrument_is_shown() -> None:
    batch = [of("a", sequence=1), of("b", sequence=1), of("a", sequence=2), of("c", sequence=1)]
    assert [(one.symbol, one.sequence) for one in latest_that_fit(batch, 3)] == [("b", 1), ("a", 2), ("c", 1)]
    assert [(one.symbol, one.sequence) for one in latest_that_fit(batch, 2)] == [("a", 2), ("c", 1)]
