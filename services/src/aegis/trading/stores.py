"""What the trading service keeps in KV: risk settings that may change while it trades, groups, and statements."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import structlog
from pydantic import ValidationError

from aegis.contracts.trading_stores import STATEMENTS, group_name, risk_name, statement_name
from aegis.trading.domain.risk import RiskSettings
from aegis_sdk import subjects
from aegis_sdk.errors import AegisError
from aegis_sdk.kv import KeyValue, KeyValueEntry, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["ConfigStore", "StatementStore"]

_log = structlog.get_logger("aegis.trading")

_AGAIN_S: Final = 1.0
_KEPT_VALUES: Final = 16
"""Of each setting, to see what it was before."""
_KEPT_DAYS: Final = 400
_STATEMENT_BYTES: Final = 1 << 19
_ALL_BYTES: Final = 256 << 20


class ConfigStore:
    """`aegis_config`. `risk` is what is in force for each account: what is stored, or what its file says.

    `elsewhere` has the accounts that stand there under another key than their file gives them, and that key.
    """

    def __init__(self, transport: Transport, risk: Mapping[str, RiskSettings], *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, "aegis_config")
        self._replicas = replicas
        self._given = dict(risk)
        self.risk = dict(risk)
        self.elsewhere: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    async def ensure(self, keys: Mapping[str, str]) -> None:
        """Say under which key each account is called, where nobody has said that before; and read its settings.

        What is stored is in force before anything is traded. Raises AegisError where it cannot be read.
        """
        self._keys = dict(keys)
        await self._bucket.ensure(replicas=self._replicas, history=_KEPT_VALUES)
        for account, key in keys.items():
            while (there := await self._bucket.get(group_name(account))) is None:
                with suppress(RevisionMismatch):  # another instance begins as well, and was first
                    await self._bucket.create(group_name(account), key.encode())
            self._place(account, there)
        await self._read()

    async def _read(self) -> None:
        """Of each account the latest settings that are valid: those by which whoever traded it before went."""
        for entry in await self._bucket.entries(risk_name(subjects.ANY)):
            if _account_of(entry) in self._given and not self._set(entry):
                for earlier in reversed((await self._bucket.history(entry.key))[:-1]):
                    if self._set(earlier):
                        break

    async def claim(self, account: str) -> None:
        """From now on it is called under the key that its file gives it. Raises RevisionMismatch, or AegisError."""
        there = await self._bucket.get(group_name(account))
        revision = 0 if there is None else there.revision
        await self._bucket.update(group_name(account), self._keys[account].encode(), revision)
        self.elsewhere.pop(account, None)

    def _place(self, account: str, entry: KeyValueEntry) -> None:
        key = entry.value.decode(errors="replace")
        if key == self._keys[account]:
            self.elsewhere.pop(account, None)
        elif self.elsewhere.get(account) != key:
            self.elsewhere[account] = key
            _log.error("account_elsewhere", account=account, key=key, of_file=self._keys[account])

    async def follow(self) -> None:
        """Take changed settings and keys over as they come. What is no valid setting changes nothing, and is logged."""
        while True:
            try:
                async with self._bucket.watch("trading.>") as entries:
                    async for entry in entries:
                        if entry is not None:
                            self._take(entry)
            except AegisError as error:
                _log.warning("risk_settings_unread", reason=str(error))
            await asyncio.sleep(_AGAIN_S)

    def _take(self, entry: KeyValueEntry) -> None:
        account = _account_of(entry)
        if account in self._keys and entry.key == group_name(account) and not entry.deleted:
            self._place(account, entry)
        if account in self._given and entry.key == risk_name(account):
            self._set(entry)

    def _set(self, entry: KeyValueEntry) -> bool:
        """Let settings be in force from now on; False where they are none."""
        account = _account_of(entry)
        try:
            settings = self._given[account] if entry.deleted else RiskSettings.model_validate_json(entry.value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            _log.error("risk_settings_refused", account=account, field=where, problem=first["msg"])
            return False
        if settings != self.risk[account]:
            self.risk[account] = settings
            _log.info("risk_settings_changed", account=account, revision=entry.revision)
        return True


def _account_of(entry: KeyValueEntry) -> str:
    return entry.key.split(".")[1]


class StatementStore:
    """Settlement statements by account and day, for 400 days; the oldest go earlier where there is no room for them.

    An account takes no order before its day's is stored, so a full store must not keep all of them from trading.
    """

    def __init__(self, transport: Transport, *, replicas: int = 1) -> None:
        self._bucket = KeyValue(transport, STATEMENTS)
        self._replicas = replicas

    async def ensure(self) -> None:
        age_s = _KEPT_DAYS * 86_400
        await self._bucket.ensure(replicas=self._replicas, max_age_s=age_s, max_bytes=_ALL_BYTES, forgets=True)

    async def has(self, account: str, day: str) -> bool:
        return await self._bucket.get(statement_name(account, day)) is not None

    async def put(self, account: str, day: str, text: str) -> None:
        """Store one, unless there is one already. What is beyond 512 KiB is cut, and that logged.

        Raises AegisError where it is not stored.
        """
        whole = text.encode()
        kept = whole[:_STATEMENT_BYTES].decode(errors="ignore").encode()
        if len(kept) < len(whole):
            _log.warning("statement_cut", account=account, day=day, bytes=len(whole), kept=len(kept))
        try:
            await self._bucket.create(statement_name(account, day), kept)
        except RevisionMismatch as error:
            _log.info("statement_there", account=account, day=day, reason=str(error))
        except AegisError:
            _log.warning("statement_not_stored", account=account, day=day)
            raise
