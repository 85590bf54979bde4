"""What the routes work with, once there is a connection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import HTTPConnection

from aegis.management.access.attempts import Attempts
from aegis.management.access.passwords import Passwords
from aegis.management.access.sessions import Sessions
from aegis.management.access.tokens import Tokens
from aegis.management.access.users import Users
from aegis.management.audit import Trail
from aegis.management.live.hub import Hub
from aegis.management.monitors import Monitors
from aegis.management.places import Places
from aegis.management.settings import ManagementSettings
from aegis_sdk.client import Client
from aegis_sdk.lease_view import LeaseView
from aegis_sdk.transport import Transport

__all__ = ["Parts", "parts_of"]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """One of each; all of them are there from the first request on."""

    settings: ManagementSettings
    transport: Transport
    client: Client
    view: LeaseView  # of all services
    users: Users
    sessions: Sessions
    tokens: Tokens
    attempts: Attempts
    passwords: Passwords
    trail: Trail
    hub: Hub
    monitors: Monitors
    history: Places  # held by who reads many ticks, samples or log events
    exports: Places  # held by who takes the audit trail away
    now: Callable[[], datetime]
    desk: str  # a word of its own for each desk, the same for all instances

    @property
    def cookie(self) -> str:
        """The name of the session's cookie. `__Host-` forbids other paths, other hosts, and the way without TLS.

        Without TLS there may be several desks at an address, 127.0.0.1, and cookies do not know ports.
        """
        return "__Host-aegis_session" if self.settings.is_secure else f"aegis_session_{self.desk}"


def parts_of(connection: HTTPConnection) -> Parts:
    return connection.app.state.parts
