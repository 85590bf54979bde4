"""Which contract leads, and when it rolls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis.contracts.reference import ContinuousReply, RollView
from aegis.exchanges.calendar import WEEKDAYS
from aegis.exchanges.sessions import next_trading_day
from aegis.marketdata.domain.rolls import MOST_ROLLS, Close, Rolls, decide

DAYS = ["20250303", "20250304", "20250305", "20250306", "20250307", "20250310"]


def close(
    month: str, open_interest: float, volume: int = 0, *, price: float | None = 3000.0, expiry: str = ""
) -> Close:
    return Close(
        symbol=f"rb{month[2:]}",
        month=month,
        expiry_day=expiry or f"{month}15",
        open_interest=open_interest,
        volume=volume,
        price=price,
    )


def decided(*days: list[Close], before: Rolls | None = None) -> Rolls:
    """After the closes of so many days."""
    rolls = before
    for day, closes in zip(DAYS, days, strict=False):
        rolls = decide(rolls, "SHFE", "rb", day, closes, WEEKDAYS)
    assert rolls is not None
    return rolls


def mains(rolls: Rolls) -> list[tuple[str, str]]:
    return [(roll.from_day, roll.symbol) for roll in rolls.rolls]


def test_the_first_one_has_the_most_open_interest_from_the_next_day_on() -> None:
    rolls = decided([close("202505", 100), close("202510", 300), close("202601", 200)])
    assert mains(rolls) == [("20250304", "rb2510")]
    assert (rolls.decided_day, rolls.second) == ("20250303", "rb2601")
    assert (rolls.rolls[0].old_symbol, rolls.rolls[0].old_price, rolls.rolls[0].new_price) == ("", None, 3000.0)


def test_it_holds_from_monday_on_what_friday_decides() -> None:
    rolls = decided([], [], [], [], [close("202505", 100)])
    assert mains(rolls) == [("20250310", "rb2505")]


def test_a_later_one_takes_over_above_a_tenth_more_and_not_before() -> None:
    start = [close("202505", 100), close("202510", 50)]
    assert mains(decided(start, [close("202505", 100), close("202510", 110)])) == [("20250304", "rb2505")]
    rolls = decided(start, [close("202505", 100, price=3100.0), close("202510", 111, price=3150.0)])
    assert mains(rolls) == [("20250304", "rb2505"), ("20250305", "rb2510")]
    roll = rolls.rolls[-1]
    assert (roll.old_symbol, roll.old_price, roll.new_price, roll.decided_day) == ("rb2505", 3100.0, 3150.0, DAYS[1])


def test_it_never_goes_back_to_an_earlier_one() -> None:
    rolls = decided(
        [close("202505", 100), close("202510", 50)],
        [close("202505", 100), close("202510", 150)],
        [close("202505", 900), close("202510", 150)],
    )
    assert mains(rolls)[-1] == ("20250305", "rb2510")


def test_on_its_last_trading_day_it_is_replaced_whatever_the_open_interest() -> None:
    start = [close("202503", 500, expiry="20250304"), close("202505", 10), close("202510", 20)]
    rolls = decided(start, start)
    assert mains(rolls) == [("20250304", "rb2503"), ("20250305", "rb2510")]


def test_one_that_expires_today_leads_never() -> None:
    rolls = decided([close("202503", 500, expiry=DAYS[0]), close("202505", 10)])
    assert mains(rolls) == [("20250304", "rb2505")]


def test_without_a_close_of_its_own_it_stays_unless_it_has_expired() -> None:
    start = [close("202503", 100, expiry="20250305"), close("202505", 50)]
    assert mains(decided(start, [close("202505", 900)])) == [("20250304", "rb2503")]
    rolls = decided(start, [], [close("202505", 1, price=None)])
    assert mains(rolls) == [("20250304", "rb2503"), ("20250306", "rb2505")]
    assert (rolls.rolls[-1].old_price, rolls.rolls[-1].new_price) == (None, None)


def test_equal_open_interest_is_decided_by_volume_and_then_by_the_nearer_month() -> None:
    assert decided([close("202505", 100, 5), close("202510", 100, 6)]).rolls[0].symbol == "rb2510"
    assert decided([close("202510", 100, 5), close("202505", 100, 5)]).rolls[0].symbol == "rb2505"


def test_a_day_is_decided_once_and_an_earlier_one_never() -> None:
    first = decided([close("202505", 100)], [close("202505", 100)])
    assert decide(first, "SHFE", "rb", DAYS[1], [close("202510", 900)], WEEKDAYS) is first
    assert decide(first, "SHFE", "rb", DAYS[0], [close("202510", 900)], WEEKDAYS) is first


def test_of_nothing_nothing_is_known() -> None:
    assert decide(None, "SHFE", "rb", DAYS[0], [], WEEKDAYS) is None
    assert decide(None, "SHFE", "rb", DAYS[0], [close("202503", 9, expiry=DAYS[0])], WEEKDAYS) is None


@given(st.lists(st.lists(st.integers(0, 1000), min_size=4, max_size=4), min_size=1, max_size=30), st.randoms())
def test_months_only_grow_and_the_order_of_closes_does_not_matter(history: list[list[int]], random: object) -> None:
    months = ["202505", "202510", "202601", "202605"]
    rolls, shuffled, day = None, None, DAYS[0]
    for interests in history:
        closes = [close(month, interest) for month, interest in zip(months, interests, strict=True)]
        rolls = decide(rolls, "SHFE", "rb", day, closes, WEEKDAYS)
        random.shuffle(closes)  # type: ignore[attr-defined]
        shuffled = decide(shuffled, "SHFE", "rb", day, closes, WEEKDAYS)
        day = next_trading_day(day, WEEKDAYS)
    assert rolls == shuffled
    assert rolls is not None
    led = [roll.month for roll in rolls.rolls]
    assert led == sorted(set(led))
    assert len({roll.from_day for roll in rolls.rolls}) == len(rolls.rolls)


def test_a_history_is_bounded() -> None:
    rolls, day = None, DAYS[0]
    for number in range(MOST_ROLLS + 5):
        month = f"{2025 + number // 12}{number % 12 + 1:02}"
        rolls = decide(rolls, "SHFE", "rb", day, [close(month, 1, expiry=next_trading_day(day, WEEKDAYS))], WEEKDAYS)
        day = next_trading_day(day, WEEKDAYS)
    assert rolls is not None
    assert len(rolls.rolls) == MOST_ROLLS


def continuous(*rolls: tuple[str, str, float | None, float | None]) -> ContinuousReply:
    views = [
        RollView(
            from_day=day, contract=name, decided_day="", old_contract=name and "x" * place, old_price=a, new_price=b
        )
        for place, (day, name, a, b) in enumerate(rolls)
    ]
    return ContinuousReply(exchange="SHFE", product="rb", decided_day="20250310", revision=1, rule=1, rolls=views)


def test_a_continuous_contract_says_which_led_and_by_what_its_prices_shift() -> None:
    reply = continuous(
        ("20250304", "SHFE.rb2505", None, 3000.0),
        ("20250401", "SHFE.rb2510", 3100.0, 3150.0),
        ("20250901", "SHFE.rb2601", 3200.0, 3180.0),
    )
    days = ("20250303", "20250304", "20250331", "20250401", "20260101")
    assert [reply.contract_on(day)[-4:] for day in days] == ["", "2505", "2505", "2510", "2601"]
    assert [reply.shift_on(day) for day in days] == [30, 30, 30, -20, 0]


def test_where_a_price_of_a_roll_is_not_known_nothing_is_shifted_over_it() -> None:
    reply = continuous(("20250304", "SHFE.rb2505", None, 1.0), ("20250401", "SHFE.rb2510", None, 2.0))
    assert (reply.shift_on("20250304"), reply.shift_on("20250401")) == (None, 0)
