"""A simulated CTP counter with a market that a test moves, and the CTP venue logged in there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctp_counter import trading_at
from venue_stage import Heard

from aegis.ctp.attempts import Patience
from aegis.trading.adapters.ctp import CtpVenue, Pace, VenueOptions
from ctpsim.access import Access, read_access
from ctpsim.control import Control

OPTIONS = VenueOptions(
    patience=Patience(first_pause_s=0.05, longest_pause_s=0.2, attempts=3), pace=Pace(interval_s=0.03)
)


@dataclass
class CtpHouse:
    """A counter, and how many of its users a test has had."""

    access: Access
    used: int = 0


@contextmanager
def ctp_house(accounts: int) -> Generator[CtpHouse]:
    """A counter with so many users of a million yuan each."""
    with tempfile.TemporaryDirectory(prefix="aegis-test-ctpsim-") as made:
        directory = Path(made)
        users = [
            {
                "broker_id": "9999",
                "user_id": f"C{number}",
                "password": "of-a-test",
                "app_id": "client_test_1.0",
                "auth_code": "0000000000000000",
                "balance": 1_000_000.0,
            }
            for number in range(accounts)
        ]
        (directory / "users.json").write_text(json.dumps(users))
        command = (
            *(sys.executable, "-m", "ctpsim", "serve", "--directory", made, "--parent", str(os.getpid())),
            *("--market", "load", "--day", "20251128", "--query-interval-ms", "20"),
            *("--users", str(directory / "users.json")),
        )
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "the counter did not start: make setup"
            yield CtpHouse(read_access(directory))
        finally:
            process.terminate()
            process.wait(30)


class CtpStage:
    """See `venue_stage.Stage`."""

    rebar, meal = "SHFE.rb2605", "DCE.m2605"

    def __init__(self, house: CtpHouse, control: Control) -> None:
        self._control = control
        self.account = house.access.users[house.used].user_id
        self.heard = Heard()
        self.venue = CtpVenue(trading_at(house.access, house.used), OPTIONS, known=tuple)

    async def quote(
        self, instrument: str, bid: tuple[int, int], ask: tuple[int, int], last: int | None = None, traded: int = 0
    ) -> None:
        """Nothing is traded by volume here: what waits is filled as far as the other side of the book goes."""
        symbol = instrument.partition(".")[2]
        shown = {"bids": [bid], "asks": [ask], "last_price": last or bid[0]}
        await self._control.send("tick", symbol=symbol, hold=True, **shown)

    async def interrupt(self) -> None:
        """The front closes the connection."""
        await self._control.send("drop", side="trader", reason=0x1001)
        await self.heard.until(lambda: [one.state for one in self.heard.reports if one.state][1:] == ["down", "ready"])


@asynccontextmanager
async def ctp_stage(house: CtpHouse) -> AsyncGenerator[CtpStage]:
    """The venue with an account that no test had before."""
    async with Control(house.access) as control:
        stage = CtpStage(house, control)
        house.used += 1
        try:
            await stage.venue.open(stage.heard)
            await stage.venue.confirm_settlement(stage.account)
            yield stage
        finally:
            await stage.venue.close()
