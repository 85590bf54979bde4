"""Ticks of quotes: sequence, changes and flags."""

from __future__ import annotations

from dataclasses import replace as change
from math import nan

import pytest
from msgspec.structs import replace
from samples import QUOTE

from aegis.contracts.market import InstrumentId, Quote, Tick
from aegis.marketdata.domain.sequencer import Origin, Sequencer
from aegis_sdk.errors import ConfigurationError

ORIGIN = Origin(env="sim", feed="main", source="replay", session="s1", epoch=5)


def quote(
    symbol: str = "rb2505", *, at: int = 1, volume: int = 0, turnover: float = 0.0, day: str = "20250102"
) -> Quote:
    days = {"trading_day": day, "action_day": day}
    return replace(QUOTE, symbol=symbol, ts_exchange_ns=at, ts_received_ns=at, volume=volume, turnover=turnover, **days)


def stamped(sequencer: Sequencer, *quotes: Quote) -> list[Tick]:
    return [sequencer.stamp(each)[1] for each in quotes]


def test_a_tick_has_its_origin_and_subject() -> None:
    subject, tick = Sequencer(ORIGIN).stamp(quote("SP m2505&m2509"))
    assert subject == "tick.SHFE.SP=20m2505=26m2509"
    assert (tick.env, tick.feed, tick.source, tick.session, tick.epoch) == ("sim", "main", "replay", "s1", 5)


def test_every_field_of_a_quote_is_in_its_tick() -> None:
    fields = {name: index for index, name in enumerate(Quote.__struct_fields__) if name != "skipped"}
    fields |= {"flags": ("auction",), "trading_day": "a", "symbol": "s", "exchange": "E", "turnover": 0.5}
    tick = Sequencer(ORIGIN).stamp(Quote(**fields))[1]  # type: ignore[arg-type]
    assert {name: getattr(tick, name) for name in fields} == fields


def test_each_instrument_is_numbered_from_1() -> None:
    ticks = stamped(Sequencer(ORIGIN), quote("a"), quote("a"), quote("b"), quote("a"))
    assert [tick.sequence for tick in ticks] == [1, 2, 1, 3]


def test_a_dropped_quote_leaves_a_hole() -> None:
    sequencer = Sequencer(ORIGIN)
    sequencer.skip({InstrumentId("SHFE", "a"): 2})
    assert [tick.sequence for tick in stamped(sequencer, quote("a"), quote("b"))] == [3, 1]
    sequencer.skip({InstrumentId("SHFE", "a"): 1})
    assert [tick.sequence for tick in stamped(sequencer, quote("a"), quote("b"))] == [5, 2]


def test_a_quote_that_stands_for_others_leaves_a_hole_for_them() -> None:
    ticks = stamped(Sequencer(ORIGIN), replace(quote("a"), skipped=2), quote("b"), quote("a"))
    assert [tick.sequence for tick in ticks] == [3, 1, 4]


def test_volume_and_turnover_since_the_tick_before() -> None:
    ticks = stamped(
        Sequencer(ORIGIN),
        quote(at=1, volume=100, turnover=1000.0),
        quote(at=2, volume=103, turnover=1030.0),
        quote(at=3, volume=103, turnover=1030.0),
    )
    assert [(tick.volume_delta, tick.turnover_delta) for tick in ticks] == [(0, 0.0), (3, 30.0), (0, 0.0)]
    assert all(tick.flags == () for tick in ticks)


def test_a_volume_that_goes_back_is_a_reset() -> None:
    ticks = stamped(Sequencer(ORIGIN), quote(at=1, volume=100), quote(at=2, volume=3), quote(at=3, volume=5))
    assert [tick.flags for tick in ticks] == [(), ("reset",), ()]
    assert [tick.volume_delta for tick in ticks] == [0, 0, 2]


def test_a_new_trading_day_is_a_reset() -> None:
    ticks = stamped(Sequencer(ORIGIN), quote(volume=9, day="20250102"), quote(volume=20, day="20250103"))
    assert (ticks[1].flags, ticks[1].volume_delta) == (("reset",), 0)


def test_an_older_quote_is_stale_and_changes_nothing() -> None:
    """A snapshot of the past, sent again at a subscription, must not count its volume twice."""
    sequencer = Sequencer(ORIGIN)
    ticks = stamped(
        sequencer, quote(at=5, volume=10), quote(at=3, volume=7), quote(at=6, volume=12), quote(at=9, day="20250101")
    )
    assert [tick.flags for tick in ticks] == [(), ("stale",), (), ("stale",)]
    assert [tick.volume_delta for tick in ticks] == [0, 0, 2, 0]
    assert sequencer.stale == 2


def test_flags_of_the_feed_stay() -> None:
    sequencer = Sequencer(ORIGIN)
    flagged = replace(quote(volume=5), flags=("auction",))
    assert stamped(sequencer, flagged, replace(flagged, volume=4))[1].flags == ("auction", "reset")


def test_exact_duplicates_are_counted_and_kept() -> None:
    sequencer = Sequencer(ORIGIN)
    same = quote(volume=5)
    assert len(stamped(sequencer, same, replace(same, ts_received_ns=9), replace(same, last_price=2.0))) == 3
    assert sequencer.duplicates == 1


def test_a_new_session_goes_on_with_the_sequence() -> None:
    sequencer = Sequencer(ORIGIN)
    stamped(sequencer, quote(volume=1))
    sequencer.begin(change(ORIGIN, session="s2"))
    tick = stamped(sequencer, quote(volume=4))[0]
    assert (tick.session, tick.sequence, tick.volume_delta) == ("s2", 2, 3)


def test_a_new_epoch_begins_with_1_behind_the_ticks_of_the_one_before() -> None:
    latest = stamped(Sequencer(ORIGIN), quote(volume=1))
    sequencer = Sequencer(ORIGIN)
    sequencer.take_over(change(ORIGIN, epoch=6), latest, same_market=True)
    tick = stamped(sequencer, quote(volume=4))[0]
    assert (tick.epoch, tick.sequence, tick.volume_delta, tick.flags) == (6, 1, 3, ())


def test_a_repeated_quote_is_one_also_if_another_instance_published_the_first() -> None:
    latest = stamped(Sequencer(ORIGIN), quote(volume=1))
    sequencer = Sequencer(ORIGIN)
    sequencer.take_over(change(ORIGIN, epoch=6), latest, same_market=True)
    stamped(sequencer, quote(volume=1))
    assert sequencer.duplicates == 1


def test_another_market_is_not_compared_with_the_one_before() -> None:
    latest = stamped(Sequencer(ORIGIN), quote(at=100, volume=50))
    sequencer = Sequencer(ORIGIN)
    sequencer.take_over(change(ORIGIN, source="simulated", epoch=6), latest, same_market=False)
    ticks = stamped(sequencer, quote(at=2, volume=90, day="20240101"), quote(at=3, volume=91, day="20240101"))
    assert [(tick.sequence, tick.flags, tick.volume_delta) for tick in ticks] == [(1, ("reset",), 0), (2, (), 1)]


def test_a_turnover_that_is_no_number_does_not_spoil_the_next_tick() -> None:
    ticks = stamped(Sequencer(ORIGIN), quote(turnover=1.0), quote(turnover=nan), quote(turnover=3.0))
    assert ticks[2].turnover_delta == 2.0


@pytest.mark.parametrize("symbol", ["", "*", "x" * 129, "\udc80"])
def test_what_cannot_be_an_instrument_is_refused(symbol: str) -> None:
    with pytest.raises((ConfigurationError, ValueError)):
        Sequencer(ORIGIN).stamp(quote(symbol))


def test_a_dropped_quote_without_a_valid_symbol_is_no_error() -> None:
    Sequencer(ORIGIN).skip({InstrumentId("SHFE", "*"): 1})
