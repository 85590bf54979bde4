"""When the paper venue takes no orders, although it may take the same ones later; and from when on it does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from paper_stage import DAY, tick

from aegis.paper.adapters.catalogue import Catalogue
from aegis.paper.domain.applying import apply
from aegis.paper.domain.deciding import opening
from aegis.paper.domain.rates import read_rates
from aegis.paper.endpoints import Paper, service
from aegis.paper.settings import PaperSettings


@pytest.fixture
def paper() -> Paper:
    catalogue = Catalogue()
    catalogue.loaded = True
    settings = PaperSettings.from_environment({"AEGIS_PAPER_ACCOUNTS": "P0=5", "AEGIS_PAPER_TICKS": "sim"})
    return Paper(settings, read_rates(), catalogue)


def show(paper: Paper, day: str) -> None:
    paper.market.show(tick("SHFE.rb2605", (1, 1), (2, 1), 1, 1, feed="main", trading_day=day), 1)


def unready(paper: Paper) -> str:
    return paper._unready(paper.accounts["P0"])


def test_a_venue_waits_for_the_trading_day_its_settlement_and_the_instruments(paper: Paper) -> None:
    assert unready(paper) == "no_trading_day"
    show(paper, DAY)
    assert unready(paper) == "no_trading_day"
    apply(paper.accounts["P0"], opening("P0", Decimal(5), DAY, 1))
    assert unready(paper) == ""
    show(paper, "20251202")
    assert unready(paper) == "settling"


def test_a_venue_that_has_heard_no_tick_since_its_start_takes_nothing(paper: Paper) -> None:
    apply(paper.accounts["P0"], opening("P0", Decimal(5), DAY, 1))
    assert unready(paper) == "no_trading_day"


def test_instruments_are_to_be_known_before_one_is_refused_as_unknown(paper: Paper) -> None:
    apply(paper.accounts["P0"], opening("P0", Decimal(5), DAY, 1))
    show(paper, DAY)
    paper._catalogue.loaded = False
    assert unready(paper) == "instruments_unknown"


def test_names_are_bounded(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(paper.accounts["P0"], opening("P0", Decimal(5), DAY, 1))
    show(paper, DAY)
    monkeypatch.setattr(service, "MOST_NAMES", 2)
    paper.accounts["P0"].opened.names |= {"a": DAY}
    assert unready(paper) == ""
    assert paper._unready(paper.accounts["P0"], coming=1) == "names_used_up"
    paper.accounts["P0"].opened.names |= {"a": DAY, "b": DAY}
    assert unready(paper) == "names_used_up"
