"""The table of products, and what symbols mean."""

from __future__ import annotations

import csv
from collections import Counter

import pytest
import recorded_ticks

from aegis.contracts.market import Exchange
from aegis.exchanges.calendar import WEEKDAYS
from aegis.exchanges.products import PRODUCTS, product_of
from aegis.marketdata.domain.instruments import (
    contract_month,
    expiry_day,
    instrument_of,
    listed_instruments,
    listed_months,
    symbol_of,
)


def test_every_exchange_has_its_products_and_no_code_stands_twice() -> None:
    per_exchange = Counter(exchange for exchange, _ in PRODUCTS)
    assert set(per_exchange) == {exchange.value for exchange in Exchange}
    assert sum(per_exchange.values()) >= 85
    assert len({code for _, code in PRODUCTS}) == len(PRODUCTS)


def test_codes_are_written_as_their_exchange_writes_them() -> None:
    for exchange, code in PRODUCTS:
        assert code == (code.upper() if exchange in ("CZCE", "CFFEX") else code.lower())


@pytest.mark.parametrize(
    ("exchange", "symbol", "code"),
    [
        ("SHFE", "rb2505", "rb"),
        ("CZCE", "SR505", "SR"),
        ("CFFEX", "T2503", "T"),
        ("GFEX", "lc2507", "lc"),
        ("DCE", "m2505-C-3000", "m"),
        ("DCE", "m2505-MS-P-3000", "m"),
        ("DCE", "l2605F", "l"),
        ("CZCE", "SR501C5000", "SR"),
        ("SHFE", "cu2505P70000", "cu"),
        ("CFFEX", "IO2506-C-4000", "IO"),
        ("DCE", "SP m2505&m2509", "m"),
        ("CZCE", "IPS SF501&SM501", "SF"),
        ("", "rb2505", "rb"),
        ("", "AP010", "AP"),
    ],
)
def test_a_symbol_belongs_to_a_product(exchange: str, symbol: str, code: str) -> None:
    product = product_of(exchange, symbol)
    assert product is not None
    assert product.code == code


@pytest.mark.parametrize(
    ("exchange", "symbol"), [("SHFE", "RB2505"), ("DCE", "rb2505"), ("SHFE", "rb"), ("SSE", "600000"), ("", "xx2505")]
)
def test_a_symbol_that_is_none_of_a_product_is_not_guessed(exchange: str, symbol: str) -> None:
    assert product_of(exchange, symbol) is None


@pytest.mark.parametrize(
    ("symbol", "reference_day", "month"),
    [
        ("rb2505", "20250102", "202505"),
        ("SR501", "20241230", "202501"),
        ("SR501", "20240116", "202501"),  # on the day of its listing
        ("AP010", "20200803", "202010"),
        ("AP101", "20200803", "202101"),
        ("SR912", "20200105", "201912"),
        ("SR001", "20291101", "203001"),
        ("SR501C5000", "20241101", "202501"),
        ("SR513", "20241101", None),
        ("gold", "20241101", None),
    ],
)
def test_a_one_digit_year_is_the_nearest_to_the_reference_day(
    symbol: str, reference_day: str, month: str | None
) -> None:
    assert contract_month(symbol, reference_day) == month


@pytest.mark.parametrize(
    ("exchange", "code", "month", "day"),
    [
        ("SHFE", "rb", "202505", "20250515"),
        ("SHFE", "rb", "202506", "20250616"),  # the 15th is a Sunday
        ("INE", "sc", "202506", "20250530"),
        ("CFFEX", "IF", "202506", "20250620"),
        ("CFFEX", "T", "202506", "20250613"),
        ("CZCE", "SR", "202509", "20250912"),
        ("DCE", "eg", "202508", "20250826"),
        ("INE", "ec", "202508", "20250825"),
    ],
)
def test_the_last_trading_day_follows_the_rule_of_the_product(exchange: str, code: str, month: str, day: str) -> None:
    assert expiry_day(PRODUCTS[exchange, code], month) == day


def test_a_holiday_moves_the_last_trading_day() -> None:
    product = PRODUCTS["CZCE", "SR"]
    assert expiry_day(product, "202501") == "20250115"
    assert expiry_day(product, "202501", WEEKDAYS) == "20250114"


def test_the_listed_months_are_those_of_the_exchange() -> None:
    assert listed_months(PRODUCTS["CFFEX", "IF"], "20250102") == ["202501", "202502", "202503", "202506"]
    assert listed_months(PRODUCTS["CFFEX", "T"], "20250102") == ["202503", "202506", "202509"]
    assert listed_months(PRODUCTS["DCE", "c"], "20250102") == [
        *("202501", "202503", "202505"),
        *("202507", "202509", "202511"),
    ]
    assert listed_months(PRODUCTS["SHFE", "rb"], "20250102")[-1] == "202512"


def test_the_front_month_goes_when_its_last_trading_day_is_over() -> None:
    product = PRODUCTS["SHFE", "rb"]
    assert listed_months(product, "20250515")[0] == "202505"
    assert listed_months(product, "20250516")[0] == "202506"


def test_an_instrument_has_the_facts_of_its_product() -> None:
    instrument = instrument_of(PRODUCTS["CZCE", "SR"], "202505")
    assert (instrument.symbol, instrument.product, instrument.name) == ("SR505", "SR", "白糖2505")
    assert (instrument.multiplier, instrument.price_tick, instrument.expiry_day) == (10, 1, "20250519")


def test_all_listed_futures_have_names_of_their_own() -> None:
    instruments = listed_instruments("20250102")
    assert len({instrument.id for instrument in instruments}) == len(instruments) > 500
    for instrument in instruments:
        product = product_of(instrument.exchange, instrument.symbol)
        assert product is not None
        month = contract_month(instrument.symbol, "20250102")
        assert month is not None
        assert symbol_of(product, month) == instrument.symbol


def test_the_table_agrees_with_the_contracts_recorded_in_2022() -> None:
    """Two differ: TSR 20 rubber, whose night that source takes to end at 02:30, and the 2-year bond's later tick."""
    path = recorded_ticks.file("../reference/instruments_20220218_derived.csv")
    hours = {"FD0900": "day", "FN2300": "night_2300", "FN0100": "night_0100", "FN0230": "night_0230"}
    with path.open() as lines:
        for row in csv.DictReader(lines):
            product = product_of(row["ExchangeID"], row["InstrumentID"])
            assert product is not None
            assert product.code == row["ProductID"]
            assert product.multiplier == int(row["VolumeMultiple"])
            if product.code != "TS":
                assert product.price_tick == float(row["PriceTick"])
            if row["WtSession"] in hours and product.code != "nr":
                assert product.hours.name == hours[row["WtSession"]], product
