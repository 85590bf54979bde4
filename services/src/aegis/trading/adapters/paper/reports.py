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
_LOST_S: Final = 5.0
"""An account of which the venue says nothing for so long, while it is heard of others, is none that it has."""
_HEARD_S: Final = 2.0
"""The venue is heard where it was so short ago: each of its accounts has a beat every second."""


class Reports:
    """`heard` is called for each report, `missed` where some are gone for good; neither may raise.

    `is_whole`: connected, and nothing is known to be missing. `heard_at` is the loop's time of the latest message.
    Each account is heard by itself: one that the venue has not is said loudly, and keeps no other waiting.
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
        self._known: set[str] = set()  # accounts that the venue has
        self._behind: dict[str, asyncio.Event] = {account: asyncio.Event() for account in accounts}
        self._connected = False
        self._changed = asyncio.Event()
        self._is_open = False
        self._subscriptions: list[Subscription] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._end_listening: Callable[[], None] | None = None
        self.heard_at = 0.0

    @property
    def is_whole(self) -> bool:
        return self._connected and not any(self._behind[account].is_set() for account in self._known)

    async def open(self) -> None:
        """Returns when it is known where the accounts' reports stand: from there on they are heard.

        One that the venue has not is waited for no longer than one answer takes, once it has answered for another.
        """
        for account in self._seen:
            subject = subjects.report(SERVICE, account)
            self._subscriptions.append(await self._transport.subscribe(subject, partial(self._on_message, account)))
        for account in self._seen:
            self._tasks.append(asyncio.create_task(self._keep_up(account), name=f"reports {account}"))
        await self._until_known(1)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timeout_s):
                await self._until_known(len(self._seen))
        self.heard_at = asyncio.get_running_loop().time()
        self._end_listening = self._transport.on_state(self._on_state)
        self._connected = self._transport.state is ConnectionState.CONNECTED
        self._is_open = True

    async def _until_known(self, count: int) -> None:
        while len(self._known) < count:
            self._changed.clear()
            await self._changed.wait()

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
        if not self._is_open or account not in self._known:
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
        """Learn where its reports stand; then ask for what is missing, whenever something is."""
        behind = self._behind[account]
        self._seen[account] = (await self._patiently(ReportsRequest(account=account))).latest
        if self._is_open:
            self._missed(account)
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
        """The answer, however often it takes to ask. The venue has the account then."""
        loop, account = asyncio.get_running_loop(), request.account
        began, is_told = loop.time(), False
        while True:
            try:
                answer = await self._client.call_active(REPORTS, account, request, timeout=self._timeout_s)
                self._known.add(account)
                self._changed.set()
                return answer.value
            except AegisError as error:
                _log.info("venue_not_heard", account=account, reason=str(error))
            if not is_told and loop.time() - began >= _LOST_S and loop.time() - self.heard_at < _HEARD_S:
                is_told = True
                self._known.discard(account)
                self._changed.set()
                _log.error("account_not_at_venue", account=account, hint="AEGIS_PAPER_ACCOUNTS names those it has")
            await asyncio.sleep(_RETRY_S)


def _tells(report: PaperReport) -> bool:
    """Whether there is anything in it; else it only says what the latest number is."""
    return report.order is not None or report.trade is not None or report.trading_day is not None
