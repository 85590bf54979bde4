"""What the paper venue is told: accounts, whose ticks, and what products cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from paper_stage import tick

from aegis.contracts.marketdata import InstrumentView
from aegis.paper.bootstrap import build
from aegis.paper.domain.market import shown
from aegis.paper.domain.rates import read_rates, terms_of
from aegis.paper.settings import PaperSettings
from aegis_sdk.errors import ConfigurationError

GIVEN = {"AEGIS_PAPER_ACCOUNTS": "P1=1000000, P2=5000.50", "AEGIS_PAPER_TICKS": "live"}


def test_accounts_are_names_with_balances() -> None:
    settings = PaperSettings.from_environment(GIVEN)
    assert settings.accounts == {"P1": Decimal(1000000), "P2": Decimal("5000.50")}
    assert (settings.ticks, settings.feed, settings.stale_s) == ("live", "main", 10)


@pytest.mark.parametrize("accounts", ["", "P1", "P1=", "=5", "P1=5,P1=6", "P.1=5", "P1=-1", "P1=NaN", "P1=0.001"])
def test_what_is_no_list_of_accounts_is_refused_by_name(accounts: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PaperSettings.from_environment({**GIVEN, "AEGIS_PAPER_ACCOUNTS": accounts})
    assert caught.value.field.startswith("AEGIS_PAPER_ACCOUNTS")


def test_whose_ticks_it_takes_has_no_default() -> None:
    with pytest.raises(ConfigurationError) as caught:
        PaperSettings.from_environment({"AEGIS_PAPER_ACCOUNTS": "P1=5"})
    assert caught.value.field == "AEGIS_PAPER_TICKS"


def test_a_product_has_its_own_rates_and_others_the_default() -> None:
    table = read_rates()
    assert table.of("SHFE", "rb").margin == Decimal("0.11")
    assert table.of("SHFE", "cu").margin == table.of("SHFE", "never").margin == Decimal("0.12")
    assert table.of("SHFE", "ru").by_volume == (3, 3, 18)


def test_rates_of_a_file_replace_those_of_their_products() -> None:
    table = read_rates().replaced("[SHFE.rb]\nmargin = 0.2\nby_volume = [1, 2, 3]\n")
    assert (table.of("SHFE", "rb").margin, table.of("SHFE", "rb").by_volume) == (Decimal("0.2"), (1, 2, 3))
    assert table.of("SHFE", "hc").margin == Decimal("0.11")


@pytest.mark.parametrize("text", ["[SHFE.rb", "[SHFE.rb]\nmargin = 2\n", "[SHFE.rb]\nfee = 1\n", "SHFE = 3\n"])
def test_a_file_that_is_no_table_of_rates_is_refused_by_its_setting(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rates.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        build({**GIVEN, "AEGIS_PAPER_RATES": str(file)})
    assert caught.value.field == "AEGIS_PAPER_RATES"


def test_terms_are_what_market_data_the_day_and_the_rates_say() -> None:
    facts = InstrumentView(
        instrument="SHFE.rb2605",
        product="rb",
        kind="future",
        name="rb2605",
        multiplier=10,
        price_tick=1.0,
        expiry_day="20260515",
    )
    now = shown(tick("SHFE.rb2605", (2999, 1), (3001, 1), 3000, 1))
    terms = terms_of(facts, now, read_rates())
    assert terms is not None
    assert (terms.upper_limit_price, terms.pre_settlement_price, terms.larger_side) == (3300, 3000, True)
    assert terms.margin["speculation"].long.by_money == Decimal("0.11")
    assert terms_of(facts.model_copy(update={"multiplier": None}), now, read_rates()) is None


@pytest.mark.parametrize(
    ("instrument", "expiry_day", "month"),
    [
        ("SHFE.rb2605", "20260515", "202605"),
        ("INE.sc2606", "20260529", "202606"),  # its last day is in the month before
        ("CZCE.SR601", "20260115", "202601"),
        ("CZCE.ZC001", "20291228", "203001"),
        ("SHFE.rb2605", None, None),
    ],
)
def test_the_delivery_month_is_that_of_the_symbol(instrument: str, expiry_day: str | None, month: str | None) -> None:
    """So that trading lets nobody open in it."""
    product = instrument.split(".")[1].rstrip("0123456789")
    of = {"instrument": instrument, "product": product, "name": "", "kind": "future", "expiry_day": expiry_day}
    facts = InstrumentView.model_validate({**of, "multiplier": 10, "price_tick": 1.0})
    terms = terms_of(facts, shown(tick(instrument, (2999, 1), (3001, 1), 3000, 1)), read_rates())
    assert terms is not None
    assert terms.delivery_month == month
