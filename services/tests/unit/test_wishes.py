"""Wishes are merged, whatever the order in which their parts are heard of."""

from __future__ import annotations

from universes import MARKET

from aegis.contracts.market import InstrumentId
from aegis.contracts.subscriptions import Scope, WishPart
from aegis.marketdata.domain.wishes import PARTS, Place, Wishes, by_part, instrument_id, part_of

RB, AG = InstrumentId("SHFE", "rb2505"), InstrumentId("SHFE", "ag2506")


def wishes(**by_consumer: WishPart) -> Wishes:
    made = Wishes()
    for revision, (consumer, part) in enumerate(by_consumer.items(), 1):
        made.apply(Place(consumer, "0"), part, revision)
    return made


def names(*wanted: str) -> WishPart:
    return WishPart(instruments=wanted)


def test_what_any_consumer_wants_is_wanted() -> None:
    table = wishes(a=names("SHFE.rb2505"), b=names("SHFE.rb2505", "SHFE.ag2506"), c=WishPart(scopes=(Scope(),)))
    assert table.wanted(MARKET) >= {RB, AG}
    assert table.wanted_by("SHFE.rb2505", MARKET) == ["a", "b", "c"]
    assert table.wanted_by("DCE.m2505", MARKET) == ["c"]
    assert table.wanted_by("SHFE.none", MARKET) == []


def test_an_instrument_is_wanted_until_nobody_wants_it() -> None:
    table = wishes(a=names("SHFE.rb2505"), b=names("SHFE.rb2505"))
    assert table.apply(Place("a", "0"), None, 3)
    assert table.wanted(MARKET) == {RB}
    assert table.apply(Place("b", "0"), None, 4)
    assert table.wanted(MARKET) == set()
    assert table.consumers == []


def test_what_is_not_listed_yet_is_wanted_all_the_same_and_what_is_no_name_is_not() -> None:
    assert wishes(a=names("SHFE.rb3012", "rubbish")).wanted(MARKET) == {InstrumentId("SHFE", "rb3012")}
    assert instrument_id("SHFE.") is None
    assert instrument_id("DCE.SP m2505&m2509") == InstrumentId("DCE", "SP m2505&m2509")


def test_news_that_is_older_than_what_is_known_changes_nothing() -> None:
    table = Wishes()
    place = Place("a", "0")
    assert table.apply(place, names("SHFE.rb2505"), 5)
    assert not table.apply(place, names("SHFE.ag2506"), 4)
    assert not table.apply(place, names("SHFE.rb2505"), 6)  # the same again, as a renewal is
    assert table.apply(place, None, 7)
    assert not table.apply(place, names("SHFE.ag2506"), 6)
    assert table.apply(place, names("SHFE.ag2506"), 8)


def test_the_parts_of_a_consumer_are_added_up() -> None:
    table = Wishes()
    second = 1_000_000_000
    table.apply(Place("a", "0"), WishPart(instruments=("SHFE.rb2505",), ttl_s=60), 1, 100 * second)
    table.apply(Place("a", "1"), WishPart(instruments=("SHFE.ag2506",), ttl_s=30), 2, 120 * second)
    table.apply(Place("a", "scopes"), WishPart(scopes=(Scope(exchange="DCE"),)), 3, 0)
    wish = table.of("a")
    assert wish.names == {"SHFE.rb2505", "SHFE.ag2506"}
    assert wish.scopes == (Scope(exchange="DCE"),)
    assert wish.expires_ns == 150 * second
    assert table.of("nobody").names == frozenset()


def test_a_name_always_stands_in_the_same_part_and_parts_are_of_like_size() -> None:
    many = [f"DCE.m{number}" for number in range(1600)]
    parts = by_part(many)
    assert len(parts) == PARTS
    assert max(map(len, parts.values())) < 200
    assert all(part_of(name) == part for part, inside in parts.items() for name in inside)
