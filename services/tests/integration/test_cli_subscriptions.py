"""`aegis contracts`, `subscribe`, `unsubscribe` and `subscriptions`, against a desk that itself wants nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
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
