"""Whose a report is, and what a venue's connection means for the accounts that are traded there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from aegis.contracts.venue import VenueReport
from aegis.trading.keys import AccountState

__all__ = ["VenueListener"]

_log = structlog.get_logger("aegis.trading")

Find = Callable[[str], AccountState | None]


class VenueListener:
    """Hears one venue, and tells the accounts whose keys are held here. The rest is theirs who hold the others.

    A hole in the numbers, a new session or a venue that is back makes a comparison due: what was missed is fetched.
    """

    def __init__(self, name: str, accounts: Iterable[str], find: Find) -> None:
        self.name = name
        self.is_up = False
        self._accounts = tuple(accounts)
        self._find = find
        self._session = ""
        self._sequence = 0

    def reported(self, report: VenueReport) -> None:
        follows = report.session == self._session and report.sequence <= self._sequence + 1
        if not follows and self._session:
            _log.warning("reports_missing", venue=self.name, session=report.session, sequence=report.sequence)
            self._compare_all()
        if report.session != self._session or report.sequence > self._sequence:
            self._session, self._sequence = report.session, report.sequence
        told = report.order or report.trade or report.account
        if told is not None:
            account = self._find(told.account) if told.account in self._accounts else None
            if account is not None:
                account.heard(report)
        elif report.state is not None:
            self.changed(report.state == "ready", report.state)

    def changed(self, up: bool, reason: str) -> None:
        """The venue takes orders, or takes none: then nothing is sent before it has been compared with."""
        _log.info("venue_changed", venue=self.name, state=reason)
        self.is_up = up
        for name in self._accounts:
            account = self._find(name)
            if account is not None and not up:
                account.ready.clear()
        if up:
            self._compare_all()

    def _compare_all(self) -> None:
        for name in self._accounts:
            if (account := self._find(name)) is not None:
                account.missed()
