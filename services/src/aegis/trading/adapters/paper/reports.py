"""The reports of paper accounts, each once and in order: heard as they are sent, and asked for where one is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from aegis.contracts.orders import AccountName
from aegis.contracts.paper import REPORTS, SERVICE, PaperReport, PaperReports, ReportsReply, ReportsRequest
from aegis_sdk import codec, subjects
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError, RpcError
from aegis_sdk.messages import Message
from aegis_sdk.transport import ConnectionState, Subscription, Transport

__all__ = ["Reports"]

_log = structlog.get_logger("aegis.trading.paper")
_RETRY_S: Final = 0.2


class Reports:
    """`heard` is called for each report, `missed` where some are gone for good; neither may raise.

    `is_whole`: connected, and nothing is known to be missing. `heard_at` is the loop's time of the latest message.
    """

    def __init__(
        self,
        transport: Transport,
        client: Client,
        accounts: Sequence[AccountName],
        heard: Callable[[PaperReport], None],
        missed: Callable[[str], None],
        timeout_s: float,
    ) -> None:
        self._transport = transport
        self._client = client
        self._heard = heard
        self._missed = missed
        self._timeout_s = timeout_s
        self._seen: dict[str, int] = dict.fromkeys(accounts, 0)
        self._behind: dict[str, asyncio.Event] = {account: asyncio.Event() for account in accounts}
        self._connected = False
        self._changed = asyncio.Event()
        self._subscriptions: list[Subscription] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._end_listening: Callable[[], None] | None = None
        self.heard_at = 0.0

    @property
    def is_whole(self) -> bool:
        return self._connected and not any(behind.is_set() for behind in self._behind.values())

    async def open(self) -> None:
        """Returns when it is known where each account's reports stand: from there on they are heard."""
        for account in self._seen:
            subject = subjects.report(SERVICE, account)
            self._subscriptions.append(await self._transport.subscribe(subject, partial(self._on_message, account)))
        for account in self._seen:
            self._seen[account] = (await self._patiently(ReportsRequest(account=account))).latest
        self.heard_at = asyncio.get_running_loop().time()
        self._end_listening = self._transport.on_state(self._on_state)
        self._connected = self._transport.state is ConnectionState.CONNECTED
        for account in self._seen:
            self._tasks.append(asyncio.create_task(self._keep_up(account), name=f"reports {account}"))

    async def close(self) -> None:
        if self._end_listening is not None:
            self._end_listening()
            self._end_listening = None
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.unsubscribe()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def changed(self, within: float) -> None:
        """Return when `is_whole` may have changed, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):  # wait_for may swallow a cancellation (Python 3.11)
                await self._changed.wait()
        self._changed.clear()

    def _on_message(self, account: str, message: Message) -> None:
        if not self._tasks:
            return  # what comes before it is known where the reports stand is part of what will be queried
        self.heard_at = asyncio.get_running_loop().time()
        try:
            told = codec.decode_model(PaperReports, message.payload)
        except RpcError as error:
            _log.warning("report_malformed", account=account, reason=str(error))
            return
        for report in told.reports:
            self._take(account, report)

    def _take(self, account: str, report: PaperReport) -> None:
        seen = self._seen[account]
        if report.sequence == seen + 1 and _tells(report) and not self._behind[account].is_set():
            self._seen[account] = report.sequence
            self._heard(report)
        elif report.sequence > seen:
            self._fell_behind(account)

    def _fell_behind(self, account: str) -> None:
        self._behind[account].set()
        self._changed.set()

    def _on_state(self, state: ConnectionState) -> None:
        self._connected = state is ConnectionState.CONNECTED
        if self._connected:
            for account in self._behind:
                self._fell_behind(account)
        self._changed.set()

    async def _keep_up(self, account: str) -> None:
        """Ask for what is missing, whenever something is."""
        behind = self._behind[account]
        while True:
            await behind.wait()
            reply = await self._patiently(ReportsRequest(account=account, after=self._seen[account]))
            if not reply.complete:
                self._seen[account] = reply.latest
                self._missed(account)
            for report in reply.reports:
                self._seen[account] = report.sequence
                self._heard(report)
            if self._seen[account] >= reply.latest:
                behind.clear()
                self._changed.set()

    async def _patiently(self, request: ReportsRequest) -> ReportsReply:
        """The answer, however often it takes to ask."""
        while True:
            try:
                answer = await self._client.call_active(REPORTS, request.account, request, timeout=self._timeout_s)
                return answer.value
            except AegisError as error:
                _log.info("venue_not_heard", account=request.account, reason=str(error))
            await asyncio.sleep(_RETRY_S)


def _tells(report: PaperReport) -> bool:
    """Whether there is anything in it; else it only says what the latest number is."""
    return report.order is not None or report.trade is not None or report.trading_day is not None
