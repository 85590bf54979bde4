"""CTP's habits, one test each. All prices are invented."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

import pytest

from aegis.contracts.market import Level, Quote
from aegis.exchanges.sessions import NIGHT_2300
from aegis.marketdata.adapters.ctp_fields import (
    DEPTH_FIELDS,
    DepthConverter,
    Facts,
    RecordError,
    depth_record,
    resolve_days,
)

DBL_MAX = 1.7976931348623157e308
SHANGHAI = timezone(timedelta(hours=8))
QUIET = dict.fromkeys(DEPTH_FIELDS, DBL_MAX) | {name: 0 for name in DEPTH_FIELDS if "Volume" in name}
REBAR = QUIET | {
    "TradingDay": "20250307",
    "ActionDay": "20250307",
    "InstrumentID": "rb2505",
    "ExchangeID": "SHFE",
    "UpdateTime": "10:00:00",
    "UpdateMillisec": 500,
    "LastPrice": 3301.0,
    "OpenPrice": 3290.0,
    "HighestPrice": 3310.0,
    "LowestPrice": 3288.0,
    "PreClosePrice": 3295.0,
    "PreSettlementPrice": 3294.0,
    "UpperLimitPrice": 3492.0,
    "LowerLimitPrice": 3096.0,
    "Volume": 41000,
    "Turnover": 1.353e9,
    "OpenInterest": 150000.0,
    "PreOpenInterest": 149000.0,
    "BidPrice1": 3300.0,
    "BidVolume1": 12,
    "AskPrice1": 3301.0,
    "AskVolume1": 7,
}
APPLES = REBAR | {"InstrumentID": "AP505", "ExchangeID": "CZCE", "UpdateMillisec": 0}
SPREAD = QUIET | {
    "TradingDay": "20250307",
    "ActionDay": "20250307",
    "InstrumentID": "SP m2505&m2509",
    "ExchangeID": "DCE",
    "UpdateTime": "10:00:00",
    "UpdateMillisec": 0,
    "LastPrice": 0.0,
    "OpenPrice": 0.0,
    "Turnover": 0.0,
    "OpenInterest": 0.0,
}


def quote_of(template: Mapping[str, object], **fields: object) -> Quote:
    return DepthConverter().quote(depth_record({**template, **fields}))


def shanghai(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 10**9, SHANGHAI):%Y-%m-%d %H:%M:%S}.{ts_ns // 10**6 % 1000:03}"


def test_a_full_record_becomes_a_quote():
    quote = quote_of(REBAR)
    assert (quote.exchange, quote.symbol, quote.trading_day, quote.action_day) == (
        "SHFE", "rb2505", "20250307", "20250307",
    )  # fmt: skip
    assert shanghai(quote.ts_exchange_ns) == "2025-03-07 10:00:00.500"
    assert (quote.last_price, quote.open_price, quote.high_price, quote.low_price) == (3301.0, 3290.0, 3310.0, 3288.0)
    assert (quote.pre_close_price, quote.pre_settlement_price, quote.settlement_price) == (3295.0, 3294.0, None)
    assert (quote.upper_limit_price, quote.lower_limit_price) == (3492.0, 3096.0)
    assert (quote.volume, quote.turnover, quote.open_interest, quote.pre_open_interest) == (41000, 1.353e9, 15e4, 149e3)
    assert quote.bids == (Level(3300.0, 12),)
    assert quote.asks == (Level(3301.0, 7),)
    assert isinstance(quote.bids[0], Level)


def test_text_gives_the_same_quote_as_numbers():
    as_text = {name: str(value) for name, value in REBAR.items()}
    assert quote_of(as_text) == quote_of(REBAR)


def test_the_time_of_receipt_is_the_exchange_s_unless_it_is_given():
    assert quote_of(REBAR).ts_received_ns == quote_of(REBAR).ts_exchange_ns
    assert DepthConverter().quote(depth_record(REBAR), 42).ts_received_ns == 42


@pytest.mark.parametrize(
    "missing", [DBL_MAX, "1.7976931348623157e+308", "1.79769e+308", "", 0, 0.0, "0.00", "nan", "inf"]
)
def test_dbl_max_blank_and_zero_are_missing_prices(missing: object):
    names = ("LastPrice", "OpenPrice", "HighestPrice", "LowestPrice", "PreClosePrice", "PreSettlementPrice")
    quote = quote_of(REBAR, **dict.fromkeys(names, missing), UpperLimitPrice=missing, BidPrice1=missing)
    assert quote.last_price is quote.open_price is quote.high_price is quote.low_price is None
    assert quote.pre_close_price is quote.pre_settlement_price is quote.upper_limit_price is None
    assert quote.bids == ()
    assert quote.asks == (Level(3301.0, 7),)


def test_czce_writes_zero_for_most_missing_values():
    quote = quote_of(
        APPLES,
        HighestPrice="0.00", LowestPrice="0.00", SettlementPrice="1.7976931348623157e+308", Volume="0", Turnover="0.00",
        BidPrice1="0.00", BidVolume1="0", AskPrice1="0.00", AskVolume1="0", BidPrice2="0.00", BidVolume2="0",
    )  # fmt: skip
    assert quote.high_price is quote.low_price is quote.settlement_price is None
    assert quote.bids == quote.asks == ()
    assert quote.last_price == 3301.0


def test_missing_amounts_are_zero_except_that_of_the_day_before():
    quote = quote_of(REBAR, OpenInterest=DBL_MAX, Turnover="", PreOpenInterest="")
    assert (quote.open_interest, quote.turnover, quote.pre_open_interest) == (0.0, 0.0, None)
    assert quote_of(REBAR, PreOpenInterest=0).pre_open_interest == 0.0


def test_levels_2_to_5_of_dbl_max_are_absent():
    assert len(quote_of(REBAR).bids) == 1


def test_a_five_level_book_is_best_level_first():
    levels = {f"BidPrice{n}": 3301.0 - n for n in range(1, 6)} | {f"BidVolume{n}": n for n in range(1, 6)}
    quote = quote_of(REBAR, **levels)
    assert quote.bids == tuple(Level(3301.0 - n, n) for n in range(1, 6))
    assert quote_of({n: str(v) for n, v in (REBAR | levels).items()}).bids == quote.bids


def test_a_one_sided_book_at_the_limit_has_no_other_side():
    quote = quote_of(REBAR, AskPrice1=0.0, AskVolume1=0, BidPrice1=3492.0)
    assert quote.bids == (Level(3492.0, 12),)
    assert quote.asks == ()


def test_an_empty_book_is_two_empty_sides():
    quote = quote_of(REBAR, AskPrice1=0.0, AskVolume1=0, BidPrice1=DBL_MAX, BidVolume1=0)
    assert quote.bids == quote.asks == ()


def test_a_level_without_lots_stays_if_it_has_a_price():
    assert quote_of(REBAR, AskVolume1=0).asks == (Level(3301.0, 0),)


class TestCombinations:
    def test_a_price_of_zero_with_lots_behind_it_is_real(self):
        quote = quote_of(SPREAD, BidPrice1=-3.0, BidVolume1=5, AskPrice1=0.0, AskVolume1=2)
        assert quote.bids == (Level(-3.0, 5),)
        assert quote.asks == (Level(0.0, 2),)
        assert quote_of(SPREAD, AskPrice1="0.00", AskVolume1="2").asks == (Level(0.0, 2),)

    def test_a_price_of_zero_without_lots_is_missing(self):
        assert quote_of(SPREAD, AskPrice1=0.0, AskVolume1=0).asks == ()

    def test_a_last_price_of_zero_is_real_once_the_day_has_volume(self):
        assert quote_of(SPREAD).last_price is None
        quote = quote_of(SPREAD, Volume=3)
        assert (quote.last_price, quote.open_price, quote.high_price) == (0.0, 0.0, None)

    def test_a_limit_of_zero_is_real_while_the_other_is_given(self):
        quote = quote_of(SPREAD, UpperLimitPrice=400.0, LowerLimitPrice=0.0)
        assert (quote.upper_limit_price, quote.lower_limit_price) == (400.0, 0.0)
        quote = quote_of(SPREAD, UpperLimitPrice=0.0, LowerLimitPrice=0.0)
        assert quote.upper_limit_price is quote.lower_limit_price is None

    def test_its_book_alone_is_enough(self):
        assert quote_of(SPREAD, BidPrice1=-3.0, BidVolume1=5).volume == 0


def test_prices_that_rarely_change_are_read_again_when_they_do():
    converter = DepthConverter()
    assert converter.quote(depth_record(REBAR)).high_price == 3310.0
    assert converter.quote(depth_record(REBAR)).high_price == 3310.0
    assert converter.quote(depth_record(REBAR | {"HighestPrice": 3311.0})).high_price == 3311.0


@pytest.mark.parametrize(
    ("symbol", "exchange"),
    [
        ("ru1901", "SHFE"),
        ("AP010", "CZCE"),
        ("sc2304", "INE"),
        ("IF2301", "CFFEX"),
        ("lc2501", "GFEX"),
        ("m2505", "DCE"),
    ],
)
def test_a_blank_exchange_follows_from_the_product(symbol: str, exchange: str):
    assert quote_of(REBAR, InstrumentID=symbol, ExchangeID="").exchange == exchange


def test_an_instrument_without_exchange_and_known_product_is_refused():
    with pytest.raises(RecordError, match="the exchange of 'zz2501'") as refused:
        quote_of(REBAR, InstrumentID="zz2501", ExchangeID="")
    assert refused.value.reason == "unknown_instrument"


def test_an_unknown_product_passes_without_flags_of_its_session():
    assert quote_of(REBAR, InstrumentID="zz2501", UpdateTime="03:00:00").flags == ("snapshot",)


def test_an_unknown_product_of_czce_is_refused_because_its_turnover_would_be_wrong():
    with pytest.raises(RecordError, match="the multiplier of 'ZZ501'"):
        quote_of(APPLES, InstrumentID="ZZ501")


def test_the_turnover_of_czce_is_multiplied_and_passed_on_when_it_goes_back():
    converter = DepthConverter(lambda exchange, symbol: Facts("CZCE", 10, NIGHT_2300))
    turnovers = [
        converter.quote(depth_record(APPLES | {"Volume": volume, "Turnover": turnover})).turnover
        for volume, turnover in [(100, 330_000.0), (101, 329_900.0)]
    ]
    assert turnovers == [3_300_000.0, 3_299_000.0]


def test_the_turnover_of_the_others_is_in_yuan_already():
    assert quote_of(REBAR, Turnover="1.353e+09").turnover == 1.353e9


def test_six_significant_digits_are_what_they_say():
    quote = quote_of(REBAR, OpenInterest="2.30948e+06", Turnover="4.00311e+10", Volume="1.51547e+06")
    assert (quote.open_interest, quote.turnover, quote.volume) == (2309480.0, 40031100000.0, 1515470)


@pytest.mark.parametrize(
    ("written", "meant"), [(5, 5), (50, 50), (500, 500), ("000", 0), ("5", 5), ("", 0), ("500.0", 500)]
)
def test_milliseconds_mean_what_they_say_however_wide(written: object, meant: int):
    assert quote_of(REBAR, UpdateMillisec=written).ts_exchange_ns // 10**6 % 1000 == meant


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
