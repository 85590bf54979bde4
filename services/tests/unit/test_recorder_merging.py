"""Which parts are merged, and when."""

from aegis.recorder.domain.merging import FAN_IN, due
from aegis.recordings.manifest import Part


def part(number: int, day: str = "20250103", exchange: str = "SHFE", generation: int = 1, merges: int = 0) -> Part:
    return Part(day, exchange, generation, number, number, 1, 100, "", merges)


def test_all_parts_of_a_day_that_has_ended_become_one() -> None:
    ended = [part(1, "20250102", merges=1), part(2, "20250102")]
    assert due([*ended, part(3)], growing=()) == ended


def test_a_day_that_is_still_written_to_has_not_ended() -> None:
    ended = [part(1, "20250102"), part(2, "20250102")]
    assert due([*ended, part(3)], growing={("20250102", "SHFE")}) == []


def test_the_newest_day_is_merged_by_sixteen_of_equal_age() -> None:
    fresh = [part(n) for n in range(FAN_IN)]
    assert due([part(99, merges=1), *fresh], growing={("20250103", "SHFE")}) == fresh
    assert due([part(99, merges=1), *fresh[1:]], growing=()) == []


def test_exchanges_and_generations_stay_apart() -> None:
    parts = [part(1, "20250102"), part(2, "20250102", "DCE"), part(3, "20250102", generation=2), part(4)]
    assert due(parts, growing=()) == []


def test_merging_comes_to_an_end() -> None:
    parts = [part(n) for n in range(1000)]
    for _ in range(1000):
        if not (some := due(parts, growing=())):
            break
        merges = some[0].merges + 1
        parts = [one for one in parts if one not in some] + [part(some[0].first, merges=merges)]
    assert len(parts) < 3 * FAN_IN
