"""The ticks that a desk has of an instrument, out of a real stream and a recording."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from management_stage import connected
from recordings import record, tick

from aegis.contracts.market import Tick
from aegis.contracts.tick_codec import MSGPACK, as_object
from aegis.management import stored, tick_store
from aegis.management.access.roles import Role
from aegis.management.audit import Caller
from aegis.management.bars import print_of
from aegis.management.endpoints import market
from aegis.management.places import Places
from aegis.management.tick_store import Span, TickPage, prints, ticks_back
from aegis.management.views import TickView
from aegis.marketdata.adapters.bus.stream import ticks_stream
from aegis_sdk import subjects
from aegis_sdk.messages import StoredMessage
from aegis_sdk.testing import nats_server_thread
from aegis_sdk.transport import Transport

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEGIN = datetime(2025, 1, 2, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def transport() -> AsyncIterator[Transport]:
    """Ticks 100 to 199 of the day, ten seconds from each other, replayed now; another instrument's between them."""
    with nats_server_thread() as access:
        transport = await connected(access)
        assert await span(transport) == Span([], is_cut=False)
        await transport.ensure_stream(ticks_stream())
        for number in range(100, 200):
            for symbol in ("rb2505", "ag2506"):
                payload = MSGPACK.encode(numbered(number, symbol))
                await transport.append(subjects.tick("SHFE", symbol), payload, MSGPACK.headers)
        yield transport
        await transport.close()


def numbered(number: int, symbol: str = "rb2505") -> Tick:
    stamped = int((BEGIN + timedelta(seconds=10 * number)).timestamp()) * 10**9
    return tick(number, symbol, ts_exchange_ns=stamped, volume=number, trading_day="20250102")


async def span(
    transport: Transport, until: datetime | None = None, length: timedelta = HOUR, recording: Path | None = None
) -> Span:
    return await prints(transport, recording, "SHFE.rb2505", until, length, datetime.now(UTC))


def numbers(found: Span) -> list[int]:
    return [one.volume for one in found.prints]


async def back(transport: Transport, before: int, most: int, instrument: str = "SHFE.rb2505") -> tuple[list[int], Any]:
    """The numbers of a page of ticks, and its cursor."""
    found = await ticks_back(transport, instrument, before, most, datetime.now(UTC))
    return [one.sequence for one in found.ticks], found.next


async def test_the_latest_ticks_are_those_of_one_instrument(transport: Transport) -> None:
    found = await ticks_back(transport, "SHFE.rb2505", 0, 5, datetime.now(UTC))
    assert [one.sequence for one in found.ticks] == [195, 196, 197, 198, 199]
    assert {one.symbol for one in found.ticks} == {"rb2505"}
    assert await ticks_back(transport, "SHFE.none", 0, 5, datetime.now(UTC)) == TickPage([], None)


@pytest.mark.parametrize("first_page", [timedelta(minutes=2), timedelta(microseconds=300)])
async def test_stored_ticks_are_paged_back_to_the_first_each_once(
    transport: Transport, monkeypatch: pytest.MonkeyPatch, first_page: timedelta
) -> None:
    """Whatever else is stored between them and behind them, and from any place of the stream."""
    monkeypatch.setattr(tick_store, "_FIRST_PAGE", first_page)
    monkeypatch.setattr(tick_store, "_BORDER", 7)
    found, pages, before = list[int](), 0, 0
    while before is not None:
        numbers, before = await back(transport, before, 30)
        found, pages = numbers + found, pages + 1
    assert (found, pages) == (list(range(100, 200)), 4)
    middle = (await back(transport, 0, 50))[1]
    assert (await back(transport, middle + 1, 2))[0] == [149, 150], "the other instrument's place will do"
    assert (await back(transport, 2**53, 2))[0] == [198, 199], "the stream is not as long"
    assert await back(transport, 1, 5) == ([], None)
    assert await back(transport, 5, 5, "SHFE.none") == ([], None)


async def test_what_is_void_at_the_border_of_a_page_is_told_by_the_ticks_before_it(transport: Transport) -> None:
    for number, epoch in ((1, 1), (2, 2), (3, 1), (4, 2), (5, 2)):
        payload = MSGPACK.encode(msgspec.structs.replace(numbered(number, "al2505"), epoch=epoch))
        await transport.append(subjects.tick("SHFE", "al2505"), payload, MSGPACK.headers)
    latest, before = await back(transport, 0, 3, "SHFE.al2505")
    assert (latest, await back(transport, before, 3, "SHFE.al2505")) == ([2, 4, 5], ([1], None))


async def test_a_page_of_ticks_is_written_beside_the_loop_and_is_as_the_document_says(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, written = threading.get_ident(), market._written

    def beside(page: TickPage) -> bytes:
        assert threading.get_ident() != loop, "a thousand of them would hinder all who follow"
        return written(page)

    monkeypatch.setattr(market, "_written", beside)
    at: Any = SimpleNamespace(transport=transport, history=Places(1), now=lambda: datetime.now(UTC))
    anybody = Caller("anna", Role.VIEWER, "", "::1")
    answer = await market.list_stored_ticks("SHFE.rb2505", anybody, at, 0, 60)
    read = market.StoredTicks.model_validate_json
    shown = read(bytes(answer.body))
    assert [one.sequence for one in shown.ticks] == list(range(140, 200))
    assert shown.ticks[0] == TickView.model_validate(as_object(numbered(140)))
    assert shown.next is not None
    older = await market.list_stored_ticks("SHFE.rb2505", anybody, at, shown.next, 1_000)
    assert [one.sequence for one in read(bytes(older.body)).ticks] == list(range(100, 140))
    none = await market.list_stored_ticks("SHFE.none", anybody, at, 0, 100)
    assert bytes(none.body) == b'{"ticks":[],"next":null}'


async def test_a_span_ends_with_the_last_tick_or_before_a_time_of_the_exchange(transport: Transport) -> None:
    assert numbers(await span(transport, length=timedelta(seconds=30))) == [197, 198, 199]
    until = BEGIN + timedelta(seconds=1_500)
    assert numbers(await span(transport, until, timedelta(seconds=20))) == [148, 149]
    assert numbers(await span(transport)) == list(range(100, 200))
    assert numbers(await span(transport, BEGIN)) == []


async def test_pages_of_every_size_join_without_a_gap(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_store, "_FIRST_PAGE", timedelta(milliseconds=2))
    assert numbers(await span(transport)) == list(range(100, 200))
    assert numbers(await span(transport, length=timedelta(seconds=100))) == list(range(190, 200))


async def test_ticks_are_read_and_judged_beside_the_loop_that_serves_everybody(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of each only what a bar needs is kept: never more than a batch of messages."""
    loop, batches = threading.get_ident(), list[int]()

    def beside(done: Callable[..., Any]) -> Callable[..., Any]:
        def call(*asked: Any) -> Any:
            assert threading.get_ident() != loop, "it would hinder all who follow"
            return done(*asked)

        return call

    def made(batch: list[StoredMessage], read: Callable[[StoredMessage], Any]) -> list[Any]:
        batches.append(len(batch))
        return [read(message) for message in batch]

    monkeypatch.setattr(stored, "_BATCH", 30)
    monkeypatch.setattr(stored, "_all_made", beside(made))
    monkeypatch.setattr(tick_store, "print_of", beside(print_of))
    monkeypatch.setattr(tick_store, "_effective", beside(tick_store._effective))
    assert numbers(await span(transport)) == list(range(100, 200))
    assert batches == [30, 30, 30, 10]


async def test_what_is_older_than_the_stream_comes_from_the_recording(transport: Transport, tmp_path: Path) -> None:
    record(tmp_path, [numbered(number) for number in range(150)])
    assert numbers(await span(transport, recording=tmp_path)) == list(range(200))
    assert numbers(await span(transport, BEGIN + timedelta(seconds=500), HOUR, tmp_path)) == list(range(50))
    other = tick_store.prints(transport, tmp_path, "SHFE.none", None, HOUR, datetime.now(UTC))
    assert (await other).prints == []


async def test_a_recording_alone_is_enough(transport: Transport, tmp_path: Path) -> None:
    record(tmp_path, [numbered(number, "cu2505") for number in range(5)])
    found = await prints(transport, tmp_path, "SHFE.cu2505", None, timedelta(seconds=20), datetime.now(UTC))
    assert numbers(found) == [3, 4]


async def test_an_answer_is_bounded_and_says_so(
    transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_store, "_MOST", 20)
    found = await span(transport)
    assert numbers(found) == list(range(180, 200))
    assert found.is_cut
    record(tmp_path, [numbered(number, "cu2505") for number in range(150)])
    recorded = await prints(transport, tmp_path, "SHFE.cu2505", None, HOUR, datetime.now(UTC))
    assert numbers(recorded) == list(range(130, 150))
    assert recorded.is_cut


async def test_what_a_deposed_feed_stored_is_left_out_over_pages(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_store, "_FIRST_PAGE", timedelta(microseconds=500))
    for number, epoch, header in ((1, 1, ""), (2, 2, ""), (3, 1, ""), (4, 1, "2"), (5, 2, ""), (6, 1, "")):
        headers = {**MSGPACK.headers, **({"Aegis-Epoch": header} if header else {})}
        payload = MSGPACK.encode(msgspec.structs.replace(numbered(number, "zn2505"), epoch=epoch))
        await transport.append(subjects.tick("SHFE", "zn2505"), payload, headers)
    now = datetime.now(UTC)
    assert await back(transport, 0, 9, "SHFE.zn2505") == ([1, 2, 4, 5], None)
    assert numbers(await prints(transport, None, "SHFE.zn2505", None, HOUR, now)) == [1, 2, 4, 5]
