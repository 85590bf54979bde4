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
    month = found[0]["expiry_day"][:6]
    assert [one["instrument"] for one in read(desk, "contracts", "-p", "rb", "--expiry", month)] == [
        found[0]["instrument"]
    ]
    shown = desk.aegis("contracts", "--exchange", "CFFEX").stdout
    assert shown.startswith("INSTRUMENT")
    assert "CFFEX.IF" in shown
    assert "No contract fits." in desk.aegis("contracts", "--kind", "option").stdout


def test_a_wish_is_made_seen_and_taken_back(desk: Desk) -> None:
    [first, second, *_] = (one["instrument"] for one in read(desk, "contracts", "--product", "rb"))
    made = read(
        desk, "subscribe", first, "-", "--as", "scanner", "--expires", "600", stdin=f"{second}\n\nSHFE.none\n", code=1
    )
    assert made["accepted"] == [first, second]
    assert [one["what"] for one in made["rejected"]] == ["SHFE.none"]
    assert read(desk, "subscribe", "--product", "rb")["accepted"] == ["all rb futures"]
    until(lambda: read(desk, "subscriptions")["totals"]["ticking"] == 7)
    found = read(desk, "subscriptions", "--each", "--as", "scanner")
    assert [(one["instrument"], one["wanted_by"]) for one in found["instruments"]] == [
        (name, ["operator", "scanner"]) for name in sorted((first, second))
    ]
    assert {wish["consumer"]: bool(wish["expires_at"]) for wish in found["wishes"]} == {
        "operator": False,
        "scanner": True,
    }
    shown = desk.aegis("subscriptions").stdout
    assert "all rb futures" in shown
    assert "7 wanted, 7 subscribed" in shown

    assert read(desk, "unsubscribe", "--as", "scanner", "--all")["still_wanted"] == 2
    gone = desk.aegis("unsubscribe", "--product", "rb")
    assert (gone.returncode, gone.stdout.splitlines()[-1]) == (0, "1 accepted, 0 rejected; nobody wants it now")
    again = desk.aegis("unsubscribe", "--product", "rb")
    assert (again.returncode, "operator does not ask for it" in again.stdout) == (1, True)
    until(lambda: read(desk, "subscriptions")["totals"]["subscribed"] == 0)


def test_the_desk_s_own_wish_cannot_be_changed_so(desk: Desk) -> None:
    done = desk.aegis("subscribe", "--futures", "--as", "desk")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("aegis: rejected: what desk wants is the setting AEGIS_WANTED")
