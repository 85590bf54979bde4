"""The port's ear at the paper venue: each account is heard by itself."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from aegis.contracts.paper import PaperReport, PaperReports, ReportsReply, ReportsRequest
from aegis.trading.adapters.paper import reports as module
from aegis.trading.adapters.paper.reports import Reports
from aegis_sdk import codec, subjects
from aegis_sdk.active_call import Answer
from aegis_sdk.client import Client
from aegis_sdk.errors import NotExecuted
from aegis_sdk.transport import ConnectionState
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Venue:
    """Has some accounts, each of which has had so many reports."""

    def __init__(self, **latest: int) -> None:
        self.latest = latest
        self.transport = MemoryTransport(MemoryBroker())
        self.heard: list[tuple[str, int]] = []
        self.missed: list[str] = []
        self.news = asyncio.Event()

    def reports(self, *accounts: str) -> Reports:
        return Reports(self.transport, cast(Client, self), accounts, self._heard, self._missed, timeout_s=0.01)

    async def call_active(self, _: Any, account: str, request: ReportsRequest, **__: Any) -> Answer[ReportsReply]:
        await asyncio.sleep(0)
        if account not in self.latest:
            raise NotExecuted("nobody holds it")
        latest = self.latest[account]
        behind = range(latest if request.after is None else request.after, latest)
        reports = [_report(account, number + 1) for number in behind]
        return Answer(ReportsReply(reports=reports, latest=latest, complete=True), 1, 1, False, "")

    def tell(self, account: str) -> None:
        self.latest[account] += 1
        message = codec.encode_model(PaperReports(reports=[_report(account, self.latest[account])]))
        self.transport.publish(subjects.report("paper", account), message)

    async def until(self, *heard: tuple[str, int]) -> None:
        async with asyncio.timeout(5):
            while self.heard != list(heard):
                self.news.clear()
                await self.news.wait()

    def _heard(self, report: PaperReport) -> None:
        self.heard.append((report.account, report.sequence))
        self.news.set()

    def _missed(self, account: str) -> None:
        self.missed.append(account)
        self.news.set()


def _report(account: str, sequence: int) -> PaperReport:
    return PaperReport(account=account, sequence=sequence, trading_day="20251128")


async def test_an_account_that_the_venue_has_not_is_named_and_keeps_no_other_from_being_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    monkeypatch.setattr(module, "_LOST_S", 0.0)
    venue = Venue(there=7)
    reports = venue.reports("nowhere", "there")
    with capture_logs() as logs:
        async with asyncio.timeout(5):
            await reports.open()
            venue.tell("there")
            await venue.until(("there", 8))
            while not any(one["log_level"] == "error" for one in logs):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.001)
    assert {one["account"] for one in logs if one["log_level"] == "error"} == {"nowhere"}
    reports._on_state(ConnectionState.CONNECTED)
    async with asyncio.timeout(5):
        while not reports.is_whole:
            await reports.changed(within=1)
    venue.latest["nowhere"] = 3
    async with asyncio.timeout(5):
        while not venue.missed:
            venue.news.clear()
            await venue.news.wait()
    assert venue.missed == ["nowhere"], "what it had before is asked for"
    venue.tell("nowhere")
    await venue.until(("there", 8), ("nowhere", 4))
    await reports.close()
