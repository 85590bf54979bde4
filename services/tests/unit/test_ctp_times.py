"""The days, times and phases of CTP's records: which are corrected, and which are refused."""

from datetime import datetime

import pytest
from ctp_depth import APPLES, DBL_MAX, REBAR, SHANGHAI, quote_of, shanghai

from aegis.marketdata.adapters.ctp_fields import (
    DepthConverter,
    RecordError,
    depth_record,
    resolve_days,
)


# 2025-03-07 is a Friday, 2025-03-10 the Monday after it.
@pytest.mark.parametrize(
    ("exchange", "trading_day", "action_day", "clock", "expected"),
    [
        ("SHFE", "20250307", "20250307", "10:00", ("20250307", "20250307")),
        ("SHFE", "20250307", "", "10:00", ("20250307", "20250307")),
        ("SHFE", "20250310", "20250307", "15:00", ("20250310", "20250307")),
        ("SHFE", "20250310", "20250307", "21:00", ("20250310", "20250307")),
        ("SHFE", "20250310", "20250308", "00:30", ("20250310", "20250308")),
        ("SHFE", "20250310", "", "21:00", ("20250310", "20250307")),
        ("SHFE", "20250310", "", "00:30", ("20250310", "20250308")),
        ("SHFE", "20250307", "", "00:30", ("20250307", "20250307")),
        ("SHFE", "20250307", "", "23:59", ("20250307", "20250306")),
        ("DCE", "20250310", "20250310", "21:00", ("20250310", "20250307")),
        ("DCE", "20250310", "20250310", "00:30", ("20250310", "20250308")),
        ("DCE", "20250307", "20250307", "22:00", ("20250307", "20250306")),
        ("CZCE", "20250307", "20250307", "21:00", ("20250310", "20250307")),
        ("CZCE", "20250307", "", "21:00", ("20250310", "20250307")),
        ("CZCE", "20250308", "20250308", "00:30", ("20250310", "20250308")),
        ("CZCE", "20250307", "20250307", "00:30", ("20250307", "20250307")),
        ("CZCE", "20250310", "20250307", "21:00", ("20250310", "20250307")),
        ("CZCE", "20250310", "20250307", "19:29", ("20250310", "20250307")),
        ("SHFE", "20250310", "20250308", "23:59", ("20250310", "20250307")),  # sent after midnight, by a front's clock
        ("DCE", "20250307", "20250307", "23:59", ("20250307", "20250306")),
        ("SHFE", "20251010", "", "21:00", ("20251010", "20251009")),  # the first night after the National Day
        ("INE", "20251010", "20251009", "23:59", ("20251010", "20251009")),
        ("INE", "20251010", "20251010", "00:30", ("20251010", "20251010")),
        ("GFEX", "20251009", "", "10:00", ("20251009", "20251009")),
        ("CFFEX", "20251009", "20251009", "09:29", ("20251009", "20251009")),
        ("CZCE", "20251009", "20251009", "21:00", ("20251010", "20251009")),
        ("DCE", "20251009", "20251009", "21:00", ("20251009", "20250930")),  # no such session: still no holiday's night
        ("CZCE", "20250930", "20250930", "21:00", ("20251009", "20250930")),
    ],
)
def test_both_days_are_resolved(
    exchange: str, trading_day: str, action_day: str, clock: str, expected: tuple[str, str]
):
    second = int(clock[:2]) * 3600 + int(clock[3:]) * 60
    assert resolve_days(exchange, trading_day, action_day, second) == expected


def test_dce_s_action_day_at_night_is_corrected_in_the_time():
    quote = quote_of(
        REBAR,
        InstrumentID="m2505",
        ExchangeID="DCE",
        TradingDay="20250310",
        ActionDay="20250310",
        UpdateTime="21:00:01",
    )
    assert (quote.trading_day, quote.action_day) == ("20250310", "20250307")
    assert shanghai(quote.ts_exchange_ns) == "2025-03-07 21:00:01.500"


def test_czce_s_trading_day_at_night_is_corrected():
    quote = quote_of(APPLES, InstrumentID="SR505", UpdateTime="21:00:01")
    assert (quote.trading_day, quote.action_day) == ("20250310", "20250307")


def test_midnight_passes_within_a_session():
    before = quote_of(REBAR, InstrumentID="ag2506", TradingDay="20250310", ActionDay="20250307", UpdateTime="23:59:59")
    after = quote_of(
        REBAR,
        InstrumentID="ag2506",
        TradingDay="20250310",
        ActionDay="20250308",
        UpdateTime="00:00:00",
        UpdateMillisec=0,
    )
    assert after.ts_exchange_ns - before.ts_exchange_ns == 500_000_000
    assert before.trading_day == after.trading_day
    assert after.flags == ("snapshot",)


def test_the_first_record_of_an_instrument_is_a_snapshot():
    converter = DepthConverter()
    assert converter.quote(depth_record(REBAR)).flags == ("snapshot",)
    assert converter.quote(depth_record(REBAR)).flags == ()
    assert converter.quote(depth_record(REBAR | {"InstrumentID": "rb2510"})).flags == ("snapshot",)


@pytest.mark.parametrize(
    ("symbol", "clock", "flags"),
    [
        ("rb2505", "20:59:00", ("auction",)),
        ("rb2505", "08:59:00", ("auction",)),
        ("IF2503", "09:29:00", ("auction",)),
        ("rb2505", "07:48:30", ("out_of_session",)),
        ("rb2505", "15:00:00", ()),
        ("rb2505", "15:43:32", ("out_of_session",)),
        ("rb2505", "19:29:00", ("out_of_session",)),
    ],
)
def test_the_session_gives_the_flags(symbol: str, clock: str, flags: tuple[str, ...]):
    converter = DepthConverter()
    converter.quote(depth_record(REBAR | {"InstrumentID": symbol, "ExchangeID": ""}))
    record = depth_record(REBAR | {"InstrumentID": symbol, "ExchangeID": "", "UpdateTime": clock, "ActionDay": ""})
    assert converter.quote(record).flags == flags


def test_hours_of_the_time_give_the_flags_of_an_old_record():
    record = REBAR | {
        "InstrumentID": "IF1501",
        "ExchangeID": "CFFEX",
        "TradingDay": "20141225",
        "ActionDay": "20141225",
    }
    assert quote_of(record, UpdateTime="09:14:00").flags == ("snapshot", "auction")


def test_a_book_that_overtook_the_state_of_the_day_is_refused():
    names = (
        "LastPrice",
        "OpenPrice",
        "PreSettlementPrice",
        "UpperLimitPrice",
        "LowerLimitPrice",
        "Volume",
        "OpenInterest",
    )
    with pytest.raises(RecordError, match="before its day's state") as refused:
        quote_of(REBAR, **dict.fromkeys(names, 0))
    assert refused.value.reason == "no_state"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"LastPrice": "x"}, "LastPrice is 'x'"),
        ({"Volume": "x"}, "Volume is 'x'"),
        ({"Volume": -1}, "Volume is -1"),
        ({"BidVolume1": "-1"}, "BidVolume1 is '-1'"),
        ({"Volume": DBL_MAX}, "Volume is 1.79"),
        ({"UpdateMillisec": 1000}, "UpdateMillisec is 1000"),
        ({"UpdateTime": ""}, "UpdateTime is ''"),
        ({"UpdateTime": "9:00:00"}, "UpdateTime is '9:00:00'"),
        ({"UpdateTime": "24:00:00"}, "UpdateTime is '24:00:00'"),
        ({"UpdateTime": "10:00-00"}, "UpdateTime is '10:00-00'"),
        ({"TradingDay": ""}, "TradingDay is ''"),
        ({"TradingDay": "20250230"}, "TradingDay is '20250230'"),
        ({"TradingDay": "2025W011"}, "TradingDay is '2025W011'"),
        ({"ActionDay": "0"}, "ActionDay is '0'"),
        ({"InstrumentID": ""}, "InstrumentID is empty"),
        ({"ExchangeID": "XSHG"}, "ExchangeID is 'XSHG'"),
        ({"Turnover": "1" * 30 + "x" * 900}, "Turnover is '1111"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(fields: dict[str, object], problem: str):
    with pytest.raises(RecordError) as refused:
        quote_of(REBAR, **fields)
    assert str(refused.value).startswith(problem)
    assert len(str(refused.value)) < 100
    assert refused.value.reason == "malformed_row"


def test_a_refused_record_leaves_no_trace():
    converter = DepthConverter()
    with pytest.raises(RecordError):
        converter.quote(depth_record(REBAR | {"Volume": "x"}))
    assert converter.quote(depth_record(REBAR)).flags == ("snapshot",)


def test_the_memory_of_times_is_bounded():
    converter = DepthConverter()
    for second in range(5000):
        clock = f"{9 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        converter.quote(depth_record(REBAR | {"UpdateTime": clock}))
    assert len(converter._stamps) <= 4096


@pytest.mark.parametrize(
    ("day", "clock", "why"),
    [
        ("20250308", "10:00:00", "a test of the exchanges on a Saturday"),
        ("20251001", "10:00:00", "a holiday"),
        ("20251009", "21:30:00", "the evening before the National Day, by DCE's habit"),
        ("20200205", "21:30:00", "a cancelled night"),
    ],
)
def test_what_comes_on_a_day_without_a_session_is_out_of_session(day: str, clock: str, why: str):
    quote = quote_of(REBAR, InstrumentID="m2505", ExchangeID="DCE", TradingDay=day, ActionDay=day, UpdateTime=clock)
    assert "out_of_session" in quote.flags, why


def test_a_tick_of_before_midnight_that_is_received_after_it_keeps_its_time():
    fields = {"InstrumentID": "ag2506", "TradingDay": "20250310", "ActionDay": "20250308", "UpdateTime": "23:59:59"}
    received_ns = int(datetime(2025, 3, 8, 0, 0, 0, 200_000, SHANGHAI).timestamp() * 1000) * 10**6
    late = DepthConverter().quote(depth_record(REBAR | fields), received_ns)
    assert (late.trading_day, late.action_day) == ("20250310", "20250307")
    assert shanghai(late.ts_exchange_ns) == "2025-03-07 23:59:59.500"
    assert late.ts_exchange_ns < late.ts_received_ns == received_ns
