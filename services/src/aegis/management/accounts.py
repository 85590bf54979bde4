"""Which accounts the desk trades, and under which key of the service `trading`: that of their group, or their own."""

from __future__ import annotations

from typing import Final

from aegis.contracts.trading import SERVICE, group_name
from aegis_sdk.errors import NotFound, StreamError
from aegis_sdk.kv import KeyValue
from aegis_sdk.lease_view import LeaseView
from aegis_sdk.ledger import KeyName
from aegis_sdk.transport import Transport

__all__ = ["key_of", "keys_by_account"]

_CONFIG: Final = "aegis_config"
_NO_SUCH_STREAM: Final = 10059


async def keys_by_account(transport: Transport, view: LeaseView) -> dict[str, str]:
    """All accounts, by name, to their keys."""
    try:
        entries = await KeyValue(transport, _CONFIG).entries(group_name("*"))
    except StreamError as error:
        if error.code != _NO_SUCH_STREAM:
            raise
        entries = []
    grouped = {entry.key.split(".")[1]: entry.value.decode(errors="replace") for entry in entries}
    alone = {one.key for one in view.leases.latest if one.service == SERVICE} - set(grouped.values())
    keys = {**{name: name for name in alone}, **grouped}
    return {name: keys[name] for name in sorted(keys)}


async def key_of(transport: Transport, view: LeaseView, account: str) -> str:
    """The key of one account. Raises NotFound where nobody has ever traded it."""
    try:
        group = await KeyValue(transport, _CONFIG).get(group_name(account))
    except StreamError as error:
        if error.code != _NO_SUCH_STREAM:
            raise
        group = None
    key = account if group is None else group.value.decode(errors="replace")
    if KeyName(SERVICE, key) not in view.leases.latest:
        raise NotFound(f"the desk does not trade an account {account}")
    return key
