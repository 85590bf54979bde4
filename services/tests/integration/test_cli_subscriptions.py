"""Contracts, wishes, the snapshot and main contracts on the command line, against a desk that itself wants nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desks import Desk, desk_in, until

MARKETDATA = {
    "service": "marketdata",
    "instance": "marketdata-1",
    "command": [sys.executable, "-m", "aegis.marketdata"],
    "environment": {"AEGIS_WANTED": "nothing", "AEGIS_RATE": "200"},
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_in(tmp_path_factory.mktemp("desk"), [MARKETDATA]) as made:
        made.up()
        yield made


def read(desk: Desk, *arguments: str, code: int = 0, stdin: str = "") -> Any:
    """The JSON that a command printed."""
    done = desk.aegis(*arguments, "--json", stdin=stdin)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_contracts_are_listed(desk: Desk) -> None:
    found = read(desk, "contracts", "--product", "rb")
    assert {(one["product"], one["kind"], one["multiplier"]) for one in found} == {("rb", "future", 10)}
    shown = desk.aegis("contracts", "-p", "rb", "--expiry", found[0]["expiry_day"]).stdout.splitlines()
    assert shown[0].startswith("INSTRUMENT")
    assert [line.split()[0] for line in shown[1:]] == [found[0]["instrument"]]


def test_a_wish_is_made_seen_and_taken_back(desk: Desk) -> None:
    months = [one["instrument"] for one in read(desk, "contracts", "--product", "rb")]
    asked = ("subscribe", months[0], "-", "--as", "scanner", "--expires", "600")
    made = read(desk, *asked, stdin=f"{months[1]}\n\nSHFE.none\n", code=1)
    assert made["accepted"] == months[:2]
    assert [one["what"] for one in made["rejected"]] == ["SHFE.none"]
    assert read(desk, "subscribe", "--product", "rb")["accepted"] == ["all rb futures"]
    until(lambda: read(desk, "subscriptions")["totals"]["ticking"] == len(months))

    found = read(desk, "subscriptions", "--each", "--as", "scanner")
    wanted_by = {one["instrument"]: one["wanted_by"] for one in found["instruments"]}
    assert wanted_by == {name: ["operator", "scanner"] for name in months[:2]}
    assert {wish["consumer"]: bool(wish["expires_at"]) for wish in found["wishes"]} == {
        "operator": False,
        "scanner": True,
    }
    shown = desk.aegis("subscriptions").stdout
    assert "all rb futures" in shown
    assert f"{len(months)} wanted, {len(months)} subscribed" in shown

    assert read(desk, "unsubscribe", "--as", "scanner", "--all")["still_wanted"] == 2
    gone = desk.aegis("unsubscribe", "--product", "rb", "--exchange", "SHFE")
    assert (gone.returncode, "operator does not ask for it" in gone.stdout) == (1, True)
    gone = desk.aegis("unsubscribe", "--product", "rb")
    assert (gone.returncode, gone.stdout) == (0, "1 accepted, 0 rejected; nobody wants it now\n")


def test_the_desk_s_own_wish_cannot_be_changed_so(desk: Desk) -> None:
    done = desk.aegis("subscribe", "--futures", "--as", "desk")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("aegis: rejected: what desk wants is the setting AEGIS_WANTED")


def test_the_snapshot_shows_the_latest_tick_of_each_instrument_that_fits(desk: Desk) -> None:
    months = [one["instrument"] for one in read(desk, "contracts", "--product", "ag")]
    read(desk, "subscribe", "--product", "ag", "--as", "looker")
    until(lambda: len(read(desk, "snapshot", "ag*")) == len(months))
    ticks = read(desk, "snapshot", "SHFE.ag*")
    assert [f"{tick['exchange']}.{tick['symbol']}" for tick in ticks] == months
    header, *lines = desk.aegis("snapshot", months[0]).stdout.splitlines()
    assert header.split() == ["INSTRUMENT", "LAST", "CHANGE", "VOLUME", "OPEN", "INT", "BID", "ASK", "AGE"]
    assert [line.split()[0] for line in lines] == [months[0]]
    read(desk, "unsubscribe", "--as", "looker", "--all")


def test_main_contracts_come_from_a_recording_and_are_told_with_their_rolls(desk: Desk, tmp_path: Path) -> None:
    rows = ["TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec,ActionDay"]
    for day, near, far in (("20230615", 900, 100), ("20230616", 500, 800)):
        for symbol, price, interest in (("rb2310", 3700, near), ("rb2401", 3650, far)):
            rows.append(f"{day},{symbol},SHFE,{price},10,{interest},15:00:00,0,{day}")
    path = tmp_path / "two_days.csv"
    path.write_text("\n".join(rows) + "\n")

    done = desk.aegis("continuous", "rb")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no main contract of rb is known" in done.stderr

    assert read(desk, "continuous", "--backfill", str(path)) == {"days": ["20230615", "20230616"]}
    [main] = read(desk, "contracts", "--main", "--product", "rb")
    assert main["revision"] > 0
    told = (main["main"], main["second"], main["since"], main["decided_day"], main["rule"])
    assert told == ("SHFE.rb2401", "", "20230619", "20230616", 1)
    found = read(desk, "continuous", "rb")
    rolls = [(one["from_day"], one["contract"], one["old_price"], one["new_price"]) for one in found["rolls"]]
    assert rolls == [("20230616", "SHFE.rb2310", None, 3700.0), ("20230619", "SHFE.rb2401", 3700.0, 3650.0)]
    shown = desk.aegis("continuous", "rb").stdout.splitlines()
    assert shown[-1].split() == ["20230619", "SHFE.rb2401", "SHFE.rb2310", "3700", "3650", "-50"]
