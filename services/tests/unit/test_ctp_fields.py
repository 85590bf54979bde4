"""CTP's habits, one test each. All prices are invented."""

import pytest
from ctp_depth import APPLES, DBL_MAX, REBAR, SPREAD, quote_of, shanghai

from aegis.contracts.market import Level
from aegis.exchanges.sessions import NIGHT_2300
from aegis.marketdata.adapters.ctp_fields import (
    DepthConverter,
    Facts,
    RecordError,
    depth_record,
)


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
