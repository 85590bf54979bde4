"""The CTP venue on the unmodified wrapper of vnpy_ctp, against a simulated counter: orders, refusals, terms, days."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from decimal import Decimal
from typing import Any, cast

import pytest
from ctp_venue_stage import DAY, REBAR, cancelling, counter, open_venue, order
from venue_sink import RecordingVenueSink

from aegis.accounting.rules import Rules
from aegis.operations.counter import is_built
from aegis.trading.adapters.ctp import CtpVenue
from aegis.trading.adapters.ctp.queries import Urgency
from aegis_sdk.errors import NotFound, Unavailable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]


async def test_orders_go_their_ways_and_the_books_are_the_counters() -> None:
    sink = RecordingVenueSink()
    async with counter() as running, open_venue(running, sink) as venue:
        account = running.user.user_id
        assert (sink.states, await venue.trading_day(account)) == (["ready"], DAY)
        assert sink.reports[0].trading_day == DAY

        early = await venue.submit(order(running, "early", "3000", 1))
        assert (early.outcome, early.reason) == ("refused", "settlement_not_confirmed")
        assert "结算结果未确认" in early.text
        statement = await venue.confirm_settlement(account)
        assert f"客户号 {account}" in statement

        slow = await venue.submit(order(running, "in-parts-" + "x" * 27, "3081", 25))
        name, number = "in-parts-" + "x" * 27, f"{1:>12}"
        assert (slow.outcome, slow.venue_order_id) == ("accepted", number), "its padding is kept"
        await sink.until(lambda: len(sink.trades) == 1)
        await running.control.send("tick", symbol="rb2605", asks=[[3081, 4]])
        await sink.until(lambda: len(sink.trades) == 2)
        assert [(one.client_order_id, one.volume) for one in sink.trades] == [(name, 10), (name, 4)]
        assert (await venue.cancel(cancelling(running, name))).outcome == "accepted"
        assert sink.statuses(name) == [("accepted", 0), ("partly_filled", 10), ("partly_filled", 14), ("cancelled", 14)]
        late = await venue.cancel(cancelling(running, number=number))
        assert (late.outcome, late.reason) == ("refused", "order_is_done"), "a cancel that an end has crossed"
        unpadded = await venue.cancel(cancelling(running, number="1"))
        assert (unpadded.outcome, unpadded.reason) == ("refused", "unknown_order")

        fak = await venue.submit(order(running, "fak", "3081", 25, type="fak"))
        fok = await venue.submit(order(running, "fok", "3081", 600 // 2, type="fok"))
        assert (fak.outcome, fok.outcome) == ("accepted", "accepted")
        await sink.until(lambda: bool(sink.orders("fok")) and sink.orders("fok")[-1].status == "cancelled")
        assert [one.type for one in (sink.orders("fak")[-1], sink.orders("fok")[-1])] == ["fak", "fok"]
        assert sink.statuses("fok")[-1] == ("cancelled", 0)

        held = 14 + sink.orders("fak")[-1].filled
        closing = {"side": "sell", "offset": "close_today"}
        assert (await venue.submit(order(running, "close", "3079", 2, **closing))).outcome == "accepted"
        await sink.until(lambda: sink.statuses("close")[-1:] == [("filled", 2)])
        [position] = await venue.positions(account)
        assert (position.instrument, position.direction, position.today) == (REBAR, "long", held - 2)
        money = await venue.account(account)
        assert money.margin > 0
        assert money.commission > 0
        orders, trades = await venue.orders(account), await venue.trades(account)
        assert [one.client_order_id for one in orders] == [name, "fak", "fok", "close"]
        assert sum(one.volume * (1 if one.side == "buy" else -1) for one in trades) == held - 2
        assert [one.sequence for one in sink.reports] == list(range(1, len(sink.reports) + 1))
        with pytest.raises(NotFound):
            await venue.positions("nobody")


async def test_what_is_refused_says_why_and_is_reported_once() -> None:
    sink = RecordingVenueSink()
    async with counter() as running, open_venue(running, sink) as venue:
        await venue.confirm_settlement(running.user.user_id)
        for name, submit, reason in (
            ("no-such", order(running, "no-such", "3080", 1, instrument="SHFE.rb9999"), "unknown_instrument"),
            ("today", order(running, "today", "3080", 1, side="sell", offset="close_today"), "too_few_to_close"),
            ("older", order(running, "older", "3080", 1, side="sell", offset="close"), "too_few_to_close"),
            ("dear", order(running, "dear", "930", 400, instrument="SHFE.au2604"), "no_money"),
            ("off-tick", order(running, "off-tick", "3080.5", 1), "exchange_refused"),
        ):
            answer = await venue.submit(submit)
            assert (answer.outcome, answer.reason) == ("refused", reason)
            assert answer.text
            [told] = sink.orders(name)
            assert (told.status, told.reason, told.trading_day) == ("rejected", reason, DAY)
        for code, reason in ((15, "bad_field"), (22, "duplicate_order_ref"), (31, "no_money")):
            await running.control.fault(f"order_error@trader={code}")
            answer = await venue.submit(order(running, f"error-{code}", "3080", 1))
            assert (answer.outcome, answer.reason) == ("refused", reason)
        await running.control.clear()

        market = await venue.submit(order(running, "market", None, 1, type="market"))
        assert (market.outcome, market.reason) == ("not_sent", "order_type"), "SHFE has none"
        theirs = await venue.submit(order(running, "theirs", "3080", 1, account="nobody"))
        assert (theirs.outcome, theirs.reason) == ("not_sent", "unknown_account")
        again = await venue.submit(order(running, "dear", "3080", 1))
        assert (again.outcome, again.reason) == ("refused", "duplicate_id")
        for code, reason in ((-2, "too_many_wait"), (-3, "too_many_a_second")):
            await running.control.fault(f"answer@trader={code}")
            not_taken = await venue.submit(order(running, "not-taken", "3000", 1))
            assert (not_taken.outcome, not_taken.reason) == ("not_sent", reason)
        await running.control.clear()
        assert (await venue.submit(order(running, "not-taken", "3000", 1))).outcome == "accepted", "its name is free"
        assert len(await venue.orders(running.user.user_id)) == 2, "what the counter refused is nowhere else"
        await running.control.fault("answer@trader=-3")
        taking_back = asyncio.create_task(venue.cancel(cancelling(running, "not-taken")))
        late = await venue.submit(order(running, "late", "3000", 1))
        assert (late.outcome, late.reason) == ("not_sent", "too_many_a_second")
        await running.control.clear()
        assert (await taking_back).outcome == "accepted", "a cancel waits until it is taken"


async def test_terms_are_asked_once_for_a_day() -> None:
    sink = RecordingVenueSink()
    async with counter(faults=("order_fee@trader=3",)) as running, open_venue(running, sink) as venue:
        account = running.user.user_id
        rebar, sugar = first = await venue.terms(account, [REBAR, "SHFE.rb9999", "CZCE.SR605"])
        assert (rebar.instrument, rebar.product, rebar.kind, rebar.multiplier) == (REBAR, "rb", "future", 10)
        margin, fees = rebar.margin["speculation"].long, rebar.commission
        assert (rebar.price_tick, rebar.delivery_month, margin.by_money) == (1, "202605", Decimal("0.1"))
        assert [fees.close_today.by_money, fees.order_fee] == [Decimal("0.0001"), Decimal("0.03")]
        assert await venue.rules(account, Rules(today_margin="pre_settlement", gains_available=False)) == Rules()
        assert (sugar.product, venue.phase(REBAR)) == ("SR", "trading")
        await running.control.fault("query_error@trader=17")
        assert await venue.terms(account, [REBAR, "CZCE.SR605"]) == first
        with pytest.raises(Unavailable, match="error 17"):
            await venue.terms(account, ["SHFE.rb2610"])
        await running.control.clear()
        session, live = venue.session, cast("Any", venue._live)
        with pytest.raises(Unavailable, match="refuses QryInstrument"):
            await live.query("QryInstrument", {"InstrumentID": "x" * 400}, Urgency.STATE)
        assert await venue.account(account)
        assert venue.session == session, "a text that is too long does not reach the wrapper, which would crash"


async def test_a_standby_knows_what_another_process_sent_by_its_name_and_nobody_elses() -> None:
    sink, other, stranger = RecordingVenueSink(), RecordingVenueSink(), RecordingVenueSink()
    journal: list[str] = []
    async with counter() as running:
        account = running.user.user_id
        async with (
            open_venue(running, sink) as venue,
            open_venue(running, other, known=lambda: journal) as standby,
        ):
            await venue.confirm_settlement(account)
            journal.append("ours")
            await venue.submit(order(running, "ours", "3081", 25))
            await venue.submit(order(running, "not-in-the-journal", "3000", 1))
            await other.until(lambda: len(other.trades) == 1 and len(other.orders("")) == 1)
            assert other.statuses("ours") == [("accepted", 0), ("partly_filled", 10)]
            assert other.trades[0].client_order_id == "ours"
            refused = await venue.submit(order(running, "refused", "3000", 600, instrument="SHFE.au2604"))
            assert refused.outcome == "refused"
            pid = venue.session_pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)  # exactly between the last check and the call
            journal.append("late")
            sending = asyncio.create_task(venue.submit(order(running, "late", "3000", 1)))
            assert (await standby.account(account)).account == account
            assert not await _named(standby, account, "late"), "the standby would call it never sent, after a time"
            os.kill(pid, signal.SIGCONT)
            await other.until(lambda: bool(other.orders("late")))
            assert await _named(standby, account, "late"), "the window: it comes all the same, and under its name"
            assert (await sending).outcome == "accepted"
            await venue.close()  # of its process nothing is left but what the counter has
            assert (await standby.submit(order(running, "ours", "3081", 25))).reason == "duplicate_id"
            assert (await standby.cancel(cancelling(running, "ours"))).outcome == "accepted", (
                "an order of another session"
            )
        async with open_venue(running, stranger) as cold:
            assert len(stranger.trades) == 1
            assert not stranger.orders("ours")
            journal_names = [one.client_order_id for one in await cold.orders(account)]
            assert journal_names == ["", "", ""], "without a journal they are somebody's"
            assert (await cold.submit(order(running, "ours", "3081", 1))).reason == "duplicate_id", (
                "but never sent twice"
            )


async def _named(venue: CtpVenue, account: str, name: str) -> bool:
    return any(one.client_order_id == name for one in await venue.orders(account))


async def test_a_new_trading_day_begins_with_nothing_of_the_old_one() -> None:
    sink = RecordingVenueSink()
    hours = {"market": "simulated", "begin": "2025-11-28T14:50"}
    async with counter(**hours) as running, open_venue(running, sink) as venue:
        account = running.user.user_id
        await venue.confirm_settlement(account)
        assert await venue.terms(account, [REBAR])
        await venue.submit(order(running, "of-friday", "2800", 1))
        await running.control.send("jump", to="2025-11-28T20:58")
        await sink.until(lambda: sink.states[-1:] == ["ready"] and len(sink.states) == 3)
        assert await venue.trading_day(account) == "20251201"
        assert await venue.orders(account) == []
        early = await venue.submit(order(running, "of-friday", "2800", 1))
        assert early.reason == "settlement_not_confirmed", "a name is free again, and each day is confirmed"
        await running.control.fault("query_error@trader=17")
        with pytest.raises(Unavailable, match="error 17"):  # rates may be others today
            await venue.terms(account, [REBAR])
