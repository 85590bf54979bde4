"""vnpy's words and ours: what an order becomes, and contracts and ticks."""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

pytest.importorskip("vnpy", reason="vnpy comes with CTP, which needs a C++ compiler")

import numpy
from msgspec.structs import replace
from samples import TICK
from vnpy.trader.constant import Direction, Exchange, Offset, OrderType, Product, Status
from vnpy.trader.object import OrderRequest

from aegis.bridge import words
from aegis.bridge.market import contract_of, tick_of
from aegis.bridge.settings import DEFAULTS, BridgeSettings
from aegis.contracts import market, orders
from aegis.contracts.market import Level
from aegis.contracts.marketdata import InstrumentView
from aegis_sdk.errors import ConfigurationError


def request(**other: Any) -> OrderRequest:
    facts: dict[str, Any] = {
        "symbol": "rb2605",
        "exchange": Exchange.SHFE,
        "direction": Direction.LONG,
        "type": OrderType.LIMIT,
        "volume": 2.0,
        "price": 3000.0,
        "offset": Offset.OPEN,
        "reference": "CtaStrategy_突破",
    }
    return OrderRequest(**{**facts, **other})


class TestAnOrder:
    def test_is_what_the_desk_is_asked_for(self) -> None:
        assert words.order_arguments(request()) == {
            "instrument": "SHFE.rb2605",
            "side": "buy",
            "volume": 2,
            "price": Decimal(3000),
            "offset": "open",
            "type": "limit",
            "strategy_id": "CtaStrategy___",
        }

    @pytest.mark.parametrize("offset", [one for one in Offset if one is not Offset.NONE])
    @pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
    def test_keeps_its_direction_and_offset_there_and_back(self, direction: Direction, offset: Offset) -> None:
        asked = words.order_arguments(request(direction=direction, offset=offset))
        assert words.DIRECTIONS[asked["side"]] is direction
        assert words.OFFSETS[asked["offset"]] is offset

    @pytest.mark.parametrize("of_vnpy", [OrderType.LIMIT, OrderType.MARKET, OrderType.FAK, OrderType.FOK])
    def test_keeps_its_type_there_and_back(self, of_vnpy: OrderType) -> None:
        assert words.TYPES[words.order_arguments(request(type=of_vnpy))["type"]] is of_vnpy

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"direction": Direction.NET}, "direction NET is not possible; these are: LONG, SHORT"),
            ({"direction": None}, "direction None"),
            ({"offset": Offset.NONE}, "offset NONE is not possible; these are: OPEN, CLOSE, CLOSETODAY"),
            ({"type": OrderType.STOP}, "order type STOP is not possible; these are: LIMIT, MARKET, FAK, FOK"),
            ({"type": OrderType.RFQ}, "order type RFQ"),
            ({"type": OrderType.ETF}, "order type ETF"),
            ({"exchange": Exchange.SSE}, "SSE is no exchange of Aegis; these are: SHFE"),
            ({"symbol": "*"}, r"'\*' is no symbol of SHFE"),
            ({"symbol": ">"}, "'>' is no symbol"),
            ({"volume": 0}, "a volume of 0 lots"),
            ({"volume": 1.5}, "a volume of 1.5 lots"),
            ({"volume": float("nan")}, "a volume of nan lots"),
            ({"volume": float("inf")}, "a volume of inf lots"),
            ({"price": float("nan")}, "nan is no price"),
            ({"price": float("inf")}, "inf is no price"),
            ({"price": None}, "None is no price"),
            ({"price": sys.float_info.max}, "1.797.* is no price"),
        ],
    )
    def test_is_refused_where_it_cannot_be(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            words.order_arguments(request(**wrong))

    @pytest.mark.parametrize(
        ("of_vnpy", "ours"),
        [
            (0.1 + 0.2, "0.3"),
            (3111.6, "3111.6"),
            (0.005, "0.005"),
            (-12.5, "-12.5"),
            (0.0, "0"),
            (97.1234567, "97.123457"),
        ],
    )
    def test_has_its_price_to_the_digit(self, of_vnpy: float, ours: str) -> None:
        assert words.order_arguments(request(price=of_vnpy))["price"] == Decimal(ours)

    def test_may_be_made_of_numpy_s_numbers(self) -> None:
        """Strategies count with numpy, whose numbers do not print as Python's do."""
        asked = words.order_arguments(request(price=numpy.float64(3111.6), volume=numpy.float64(2)))
        assert (asked["price"], asked["volume"]) == (Decimal("3111.6"), 2)
        assert type(asked["volume"]) is int

    @pytest.mark.parametrize("price", [0.0, 3000.0, sys.float_info.max])
    def test_at_any_price_has_none(self, price: float) -> None:
        assert words.order_arguments(request(type=OrderType.MARKET, price=price))["price"] is None


def test_each_status_of_ours_has_one_of_vnpy() -> None:
    assert set(words.STATUSES) == set(get_args(orders.OrderStatus))
    working = {word for word, status in words.STATUSES.items() if status is Status.SUBMITTING}
    assert working == {"pending", "unknown"}  # what is not known is not said to be refused


def test_each_word_of_ours_has_one_of_vnpy() -> None:
    assert set(words.DIRECTIONS) == set(get_args(orders.Side))
    assert set(words.DIRECTIONS_OF_POSITIONS) == set(get_args(orders.Direction))
    assert set(words.OFFSETS) == set(get_args(orders.Offset))
    assert set(words.TYPES) == set(get_args(orders.OrderType))
    assert set(words.EXCHANGES) == set(market.Exchange)


def test_a_missing_price_is_0_in_vnpy() -> None:
    assert (words.number_of(None), words.number_of(Decimal("3111.6")), words.number_of(2.5)) == (0.0, 3111.6, 2.5)


@pytest.mark.parametrize("symbol", ["rb2605", "SP m2505&m2509", "m2505-C-3000", "SR501C5000"])
def test_an_instrument_goes_there_and_back(symbol: str) -> None:
    assert words.split_instrument(words.instrument_of(symbol, Exchange.DCE)) == (symbol, Exchange.DCE)


def test_times_are_shanghai_s_to_the_microsecond() -> None:
    found = words.moment(1_764_295_200_123_456_789)
    assert found.isoformat() == "2025-11-28T10:00:00.123456+08:00"
    assert found.tzinfo is not None
    assert str(found.tzinfo) == "Asia/Shanghai"


def test_a_tick_has_all_that_vnpy_s_has() -> None:
    ours = replace(
        TICK,
        ts_exchange_ns=1_764_295_200_500_000_000,
        ts_received_ns=1_764_295_200_502_000_000,
        last_price=3310.5,
        open_price=3300.0,
        high_price=3320.0,
        low_price=3290.0,
        pre_close_price=3305.0,
        upper_limit_price=3600.0,
        lower_limit_price=3000.0,
        volume=1000,
        turnover=33e6,
        volume_delta=7,
        open_interest=5000.0,
        bids=tuple(Level(3310.0 - level, 10 + level) for level in range(5)),
        asks=tuple(Level(3311.0 + level, 20 + level) for level in range(5)),
    )
    tick = tick_of(ours, "螺纹钢2505", "AEGIS")
    assert (tick.vt_symbol, tick.name, tick.gateway_name) == ("rb2505.SHFE", "螺纹钢2505", "AEGIS")
    assert tick.datetime.isoformat() == "2025-11-28T10:00:00.500000+08:00"
    assert tick.localtime is not None
    assert tick.localtime - tick.datetime == timedelta(milliseconds=2)
    assert (tick.last_price, tick.last_volume, tick.volume, tick.turnover) == (3310.5, 7, 1000, 33e6)
    assert (tick.limit_up, tick.limit_down, tick.open_interest, tick.pre_close) == (3600.0, 3000.0, 5000.0, 3305.0)
    assert (tick.open_price, tick.high_price, tick.low_price) == (3300.0, 3320.0, 3290.0)
    for level in range(1, 6):
        assert getattr(tick, f"bid_price_{level}") == 3311.0 - level
        assert getattr(tick, f"bid_volume_{level}") == 9 + level
        assert getattr(tick, f"ask_price_{level}") == 3310.0 + level
        assert getattr(tick, f"ask_volume_{level}") == 19 + level


def test_what_a_tick_lacks_is_0() -> None:
    tick = tick_of(replace(TICK, last_price=None, bids=(Level(3300.0, 1),)), "rb2505", "AEGIS")
    assert (tick.last_price, tick.limit_up, tick.limit_down, tick.open_price) == (0, 0, 0, 0)
    assert (tick.bid_price_1, tick.bid_price_2, tick.ask_price_1, tick.ask_volume_1) == (3300.0, 0, 0, 0)


def view(**other: Any) -> InstrumentView:
    facts: dict[str, Any] = {
        "instrument": "DCE.m2605",
        "product": "m",
        "kind": "future",
        "name": "豆粕2605",
        "multiplier": 10,
        "price_tick": 1.0,
        "expiry_day": "20260515",
    }
    return InstrumentView(**{**facts, **other})


def test_a_contract_is_told_with_what_vnpy_trades_by() -> None:
    contract = contract_of(view(), "AEGIS")
    assert contract is not None
    assert (contract.vt_symbol, contract.name, contract.product) == ("m2605.DCE", "豆粕2605", Product.FUTURES)
    assert (contract.size, contract.pricetick, contract.net_position, contract.history_data) == (10, 1.0, False, False)


@pytest.mark.parametrize(
    "lacks", [{"multiplier": None}, {"price_tick": None}, {"kind": "other"}, {"instrument": "XXX.m2605"}]
)
def test_a_contract_that_vnpy_cannot_have_is_left_out(lacks: dict[str, Any]) -> None:
    assert contract_of(view(**lacks), "AEGIS") is None


class TestSettings:
    def test_take_what_aegis_env_prints(self, tmp_path: Any) -> None:
        (tmp_path / "password").write_text("s3cret")
        printed = {
            "AEGIS_NATS_URL": "nats://127.0.0.1:4333",
            "AEGIS_NATS_USER": "desk",
            "AEGIS_NATS_PASSWORD_FILE": str(tmp_path / "password"),
            "AEGIS_NATS_REPLICAS": "1",
        }
        settings = BridgeSettings.from_vnpy({**printed, "AEGIS_ACCOUNT": "a1", "AEGIS_TIMEOUT_S": 2.0})
        assert (settings.account, settings.timeout_s, settings.nats.nats_user) == ("a1", 2.0, "desk")
        assert settings.nats.nats_password.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(settings)

    def test_take_a_password_from_a_program_that_has_it_from_elsewhere(self) -> None:
        settings = BridgeSettings.from_vnpy({"AEGIS_NATS_PASSWORD": "s3cret"})
        assert settings.nats.nats_password.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(settings)

    def test_have_defaults_that_are_valid_and_no_password(self) -> None:
        settings = BridgeSettings.from_vnpy({})
        assert (settings.account, settings.timeout_s) == ("paper", 5.0)
        assert not [name for name in DEFAULTS if name.endswith("PASSWORD")]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"AEGIS_NATS_URL": "http://somewhere"},
            {"AEGIS_NATS_PASSWORD_FILE": "/does/not/exist"},
            {"AEGIS_ACCOUNT": "a.b"},
            {"AEGIS_TIMEOUT_S": "soon"},
            {"AEGIS_TIMEOUT_S": 1000},
        ],
    )
    def test_name_what_is_wrong(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            BridgeSettings.from_vnpy(wrong)
