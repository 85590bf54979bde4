"""Which accounts the desk trades, for real or not, and under which key of `trading`: their group's, or their own."""

from __future__ import annotations

from typing import Any, Final, get_args

from aegis.contracts.orders import OrderEnv
from aegis.contracts.trading import SERVICE
from aegis.contracts.trading_stores import group_name
from aegis.management.problems import Problem
from aegis_sdk.errors import STREAM_NOT_FOUND, StreamError
from aegis_sdk.kv import KeyValue
from aegis_sdk.lease_view import LeaseView
from aegis_sdk.ledger import KeyName
from aegis_sdk.transport import Transport

__all__ = ["environment_of", "key_of", "keys_by_account"]

_CONFIG: Final = "aegis_config"


async def keys_by_account(transport: Transport, view: LeaseView) -> dict[str, str]:
    """All accounts, by name, to their keys."""
    try:
        entries = await KeyValue(transport, _CONFIG).entries(group_name("*"))
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        entries = []
    grouped = {entry.key.split(".")[1]: entry.value.decode(errors="replace") for entry in entries}
    alone = {one.key for one in view.leases.latest if one.service == SERVICE} - set(grouped.values())
    keys = {**{name: name for name in alone}, **grouped}
    return {name: keys[name] for name in sorted(keys)}


async def key_of(transport: Transport, view: LeaseView, account: str) -> str:
    """The key of one account. Raises Problem where nobody has ever traded it."""
    try:
        group = await KeyValue(transport, _CONFIG).get(group_name(account))
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        group = None
    key = account if group is None else group.value.decode(errors="replace")
    if KeyName(SERVICE, key) not in view.leases.latest:
        raise Problem("not_found", "no_account", account=account)
    return key


def environment_of(view: LeaseView, account: str) -> OrderEnv | None:
    """What all living instances of `trading` that know the account say it is; None where none does, or two differ."""
    configured: list[Any] = [one.record.configuration.get("accounts") for one in view.directory.instances(SERVICE)]
    said = {one[account].get("env") for one in configured if one and account in one}
    return said.pop() if len(said) == 1 and said <= set(get_args(OrderEnv)) else None
