"""When the paper venue takes no orders, although it may take the same ones later; and from when on it does."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import cast

import pytest
from paper_stage import DAY, tick
from trading_desk import terms

from aegis.contracts.paper import PaperReports
from aegis.contracts.venue import Submit
from aegis.paper.adapters.catalogue import Catalogue
from aegis.paper.domain.applying import apply
from aegis.paper.domain.changes import Entered, Fill
from aegis.paper.domain.deciding import opening
from aegis.paper.domain.rates import read_rates
from aegis.paper.endpoints import Paper, service
from aegis.paper.settings import PaperSettings
from aegis_sdk.single_active import Committed
from aegis_sdk.single_active.writing import MAX_ENTRY_BYTES
from aegis_sdk.transport import Transport
from aegis_sdk.transport_memory.connection import MAX_PAYLOAD_BYTES


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


class Record:
    """The ledger and the bus of one account, which refuse what is too large."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.told: list[int] = []

    async def commit(self, change: bytes) -> None:
        assert len(change) <= MAX_ENTRY_BYTES
        self.paper.apply("P0", Committed(1, 1, "result", "", change))

    def publish(self, subject: str, payload: bytes) -> None:
        assert len(payload) <= MAX_PAYLOAD_BYTES
        self.told += [one.sequence for one in PaperReports.model_validate_json(payload).reports]


async def test_a_tick_that_fills_thousands_of_orders_is_stored_and_told(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(paper)
    monkeypatch.setattr(paper, "held", lambda key: record)
    paper.transport = cast("Transport", record)
    account = paper.accounts["P0"]
    apply(account, opening("P0", Decimal(10**9), DAY, 1))
    paper._depths["P0"] = {}
    many = MAX_ENTRY_BYTES // 80
    for number in range(many):
        ask = Submit(
            account="P0",
            client_order_id=f"{number:05}-".ljust(36, "x"),
            instrument="SHFE.rb2605",
            side="buy",
            offset="open",
            hedge="speculation",
            type="limit",
            price=Decimal(2990),
            volume=1,
        )
        apply(account, Entered(ts_ns=1, order=ask, number=number + 1, hold_price=Decimal(2990), terms=terms()))
    said = account.opened.reports_made
    paper._live.add("P0")
    price = 2980
    paper.market.show(tick("SHFE.rb2605", (price, 1), (price + 1, 10**6), price, 1, feed="main", trading_day=DAY), 1)
    await paper._match("P0", "SHFE.rb2605")
    assert not account.waiting
    await asyncio.sleep(0)
    assert record.told == list(range(said + 1, said + 2 * many + 1))


async def test_a_new_day_does_not_wait_for_a_contract_that_has_ended_and_nothing_is_held_of_it(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Record(paper)
    monkeypatch.setattr(paper, "held", lambda key: record)
    account = paper.accounts["P0"]
    apply(account, opening("P0", Decimal(10**6), DAY, 1))
    ask = Submit(
        account="P0",
        client_order_id="one",
        instrument="SHFE.rb2605",
        side="buy",
        offset="open",
        hedge="speculation",
        type="limit",
        price=Decimal(2),
        volume=1,
    )
    fill = Fill(client_order_id="one", price=Decimal(2), lots=1)
    apply(account, Entered(ts_ns=1, order=ask, hold_price=Decimal(2), terms=terms(expiry_day=DAY), fills=[fill]))
    show(paper, DAY)
    paper.market.show(tick("DCE.m2605", (1, 1), (2, 1), 1, 1, feed="main", trading_day="20251202"), time.time_ns())
    await paper._begin_day("P0")
    book = account.opened.book
    assert (book.trading_day, book.holdings) == ("20251202", {})
