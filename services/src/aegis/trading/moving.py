"""How an account comes here from another key: its accounts file has given it another group.

Its journal stays under the old key: its mode, a kill, the counts of its day. So `aegis_config` keeps it there, and it
is not traded here before a person says so, and never while anybody holds that key.
"""

from __future__ import annotations

import structlog

from aegis.contracts.reasons import explained
from aegis.contracts.trading import SERVICE, OrderRejected
from aegis.trading.domain.changes import CameFrom
from aegis.trading.outbox import what_is_stored
from aegis.trading.stores import ConfigStore
from aegis_sdk.lease_view import KeyState, LeaseView
from aegis_sdk.ledger import KeyName
from aegis_sdk.transport import Transport

__all__ = ["Moving", "holder_of"]

_log = structlog.get_logger("aegis.trading")

_UNHELD = (KeyState.VACANT, KeyState.LOST)


class Moving:
    """For all accounts of an instance."""

    def __init__(self, transport: Transport, config: ConfigStore) -> None:
        self._transport = transport
        self._config = config

    async def leave(self, account: str) -> CameFrom | None:
        """Where it came from; None where it was always here. Raises OrderRejected while that key has a holder."""
        key = self._config.elsewhere.get(account)
        if key is None:
            return None
        if holder := await holder_of(self._transport, key):
            raise explained(OrderRejected, "key_held", account=account, key=key, holder=holder)
        return CameFrom(key=key, sequence=(await what_is_stored(self._transport, account)).number)

    async def arrive(self, account: str) -> None:
        """From now on it is called and traded under the key that its file gives it."""
        if account in self._config.elsewhere:
            await self._config.claim(account)
            _log.warning("account_moved", account=account)


async def holder_of(transport: Transport, key: str) -> str:
    """The living instance that holds a key of the service, or is to take it; empty where there is none."""
    async with LeaseView.open(transport, SERVICE) as view:
        name = KeyName(SERVICE, key)
        if name not in view.leases.latest or view.state(name) in _UNHELD:
            return ""
        lease = view.leases.latest[name].lease
        return lease.successor or lease.holder
