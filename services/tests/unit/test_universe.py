"""The universe: what a scope means, what instruments are, and what changes from one session to the next."""

from __future__ import annotations

import pytest
from universes import MARKET, NAMES, instrument, universe

from aegis.contracts.subscriptions import Scope
from aegis.marketdata.domain.universe import EMPTY, Universe, compare, kind_of


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("rb2505", "future"),
        ("SR505", "future"),
        ("l2605F", "future"),
        ("m2505-C-3000", "option"),
        ("SR505C5000", "option"),
        ("SR505MSC5000", "option"),
        ("IO2505-P-4000", "option"),
        ("m2505-MS-C-3000", "option"),
        ("SP m2505&m2509", "combination"),
        ("sc2506TAS", "other"),
        ("", "other"),
    ],
)
def test_the_symbol_tells_what_it_stands_for(symbol: str, kind: str) -> None:
    assert kind_of(symbol) == kind


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (Scope(), ["SHFE.rb2505", "SHFE.ag2506", "DCE.m2505"]),
        (Scope(kind=None), list(NAMES)),
        (Scope(exchange="SHFE"), ["SHFE.rb2505", "SHFE.ag2506"]),
        (Scope(product="rb"), ["SHFE.rb2505"]),
        (Scope(product="rb", kind=None), ["SHFE.rb2505", "SHFE.rb2505C3000"]),
        (Scope(exchange="DCE", kind="option"), ["DCE.m2505-P-2800"]),
        (Scope(exchange="DCE", product="rb"), []),
    ],
)
def test_a_scope_stands_for_all_that_fits_it(scope: Scope, names: list[str]) -> None:
    assert {str(one) for one in MARKET.matching(scope)} == set(names)
    assert [name for name, _ in MARKET.select(scope)] == sorted(names)
    assert [name for name in MARKET.names if MARKET.covers(scope, name)] == sorted(names)


def test_an_option_belongs_to_the_product_of_its_underlying_whatever_its_feed_calls_it() -> None:
    made = Universe([instrument("SHFE.rb2505C3000", product="rb_o"), instrument("SHFE.zz2505", product="zz")])
    assert len(made.matching(Scope(product="rb", kind="option"))) == 1
    assert len(made.matching(Scope(product="zz"))) == 1


def test_a_selection_goes_on_behind_a_name_and_may_be_of_one_expiry() -> None:
    made = Universe([instrument("SHFE.rb2505", "20250515"), instrument("SHFE.rb2506", "20250616")])
    assert [name for name, _ in made.select(Scope(), after="SHFE.rb2505")] == ["SHFE.rb2506"]
    assert [name for name, _ in made.select(Scope(), expiry="202505")] == ["SHFE.rb2505"]
    assert [name for name, _ in made.select(Scope(), expiry="2025")] == ["SHFE.rb2505", "SHFE.rb2506"]


def test_what_is_gone_is_expired_or_missing() -> None:
    before = Universe(
        [instrument("SHFE.rb2504", "20250415"), instrument("SHFE.rb2505"), instrument("DCE.m2505", "20250516")]
    )
    after = Universe([instrument("SHFE.rb2505"), instrument("SHFE.rb2604", "20260415")])
    change = compare(before, after)
    assert (change.new, change.expired, change.missing) == (("SHFE.rb2604",), ("SHFE.rb2504",), ("DCE.m2505",))
    assert change
    assert not compare(after, after)


def test_what_has_no_expiry_is_never_taken_to_be_expired() -> None:
    change = compare(Universe([instrument("SHFE.x1", None)]), universe("SHFE.rb2505"))
    assert change.missing == ("SHFE.x1",)


def test_the_first_universe_is_new_as_a_whole() -> None:
    assert len(compare(EMPTY, MARKET).new) == len(MARKET)
