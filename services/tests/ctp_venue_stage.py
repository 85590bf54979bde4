"""The CTP venue logged in at a simulated counter that a test harms, and its orders there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ctp_counter import trading_at
from venue_sink import RecordingVenueSink

from aegis.contracts.venue import Cancel, Submit
from aegis.ctp.attempts import Patience
from aegis.trading.adapters.ctp import CtpVenue, Limits, Pace, VenueOptions
from ctpsim.testing import RunningFront, front

DAY = "20251128"
REBAR = "SHFE.rb2605"  # its book at the counter: bids from 3079 down, offers from 3081 up, 10, 20, ... lots
QUICK = VenueOptions(
    limits=Limits(answer_s=30.0, silent_s=30.0, stop_s=30.0),  # a busy machine is no fault
    patience=Patience(first_pause_s=0.05, longest_pause_s=0.2, attempts=3),
    pace=Pace(interval_s=0.03, answer_s=30.0),
    order_s=30.0,
    again_s=600.0,
)
IMPATIENT = replace(
    QUICK, limits=Limits(answer_s=30.0, silent_s=2.0, stop_s=1.0), pace=Pace(interval_s=0.03, answer_s=2.0)
)


@asynccontextmanager
async def counter(**options: Any) -> AsyncIterator[RunningFront]:
    async with front(**{"market": "load", "day": DAY, "limits": {"query_interval_ms": 20}, **options}) as running:
        yield running


@asynccontextmanager
async def open_venue(
    running: RunningFront,
    sink: RecordingVenueSink,
    options: VenueOptions = QUICK,
    known: Callable[[], Iterable[str]] = tuple,
) -> AsyncIterator[CtpVenue]:
    venue = CtpVenue(trading_at(running.access), options, known=known)
    try:
        await venue.open(sink)
        yield venue
    finally:
        await venue.close()


def order(running: RunningFront, name: str, price: str | None, volume: int, **other: Any) -> Submit:
    given = {
        "account": running.user.user_id,
        "client_order_id": name,
        "instrument": REBAR,
        "side": "buy",
        "offset": "open",
        "hedge": "speculation",
        "type": "limit",
        "price": price and Decimal(price),
        "volume": volume,
    }
    return Submit.model_validate({**given, **other})


def cancelling(running: RunningFront, name: str = "", number: str = "") -> Cancel:
    return Cancel(account=running.user.user_id, instrument=REBAR, client_order_id=name, venue_order_id=number)
