"""The management service: what it takes at its start and gives back at its end; everything it knows is in NATS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from aegis.management.access.attempts import Attempts
from aegis.management.access.passwords import Passwords
from aegis.management.access.sessions import Sessions, digest
from aegis.management.access.tokens import Tokens
from aegis.management.access.users import BUCKET as USERS
from aegis.management.access.users import Users
from aegis.management.audit import Trail
from aegis.management.certificates import Certificate
from aegis.management.endpoints.app import create_app
from aegis.management.first_run import FIRST, Note, ensure_administrator, write_note
from aegis.management.jetstream import created
from aegis.management.live.hub import Hub
from aegis.management.live.sources import Sources
from aegis.management.logs import logs_stream
from aegis.management.monitors import Monitors
from aegis.management.parts import Parts
from aegis.management.places import Places
from aegis.management.settings import ManagementSettings
from aegis.management.web_server import bound, serve
from aegis_sdk.client import Client
from aegis_sdk.lease_view import LeaseView
from aegis_sdk.metrics import Metric, counter, gauge
from aegis_sdk.service import Service

__all__ = ["Management"]

_log = structlog.get_logger("aegis.management")

_HISTORIES: Final = 2
"""So many read many ticks, samples or log events at a time; others wait."""
_EXPORTS: Final = 1
"""They take twenty seconds, so they have a place of their own."""


class Management(Service):
    """Serves the HTTP API and the console. Any number of instances may run side by side."""

    name = "management"
    description = "The HTTP API and the web console."

    def __init__(self, settings: ManagementSettings, *, replicas: int = 1) -> None:
        self.settings = settings
        self.address = ""
        """Where browsers find us, once we listen."""
        self._replicas = replicas
        self._taken = AsyncExitStack()
        self._listener: socket.socket | None = None
        self._certificate: Certificate | None = None

    async def on_start(self) -> None:
        """Raises ConfigurationError where address or certificate cannot be had, Unavailable where NATS is not read."""
        if self.settings.tls_certificate is not None and self.settings.tls_key is not None:
            self._certificate = Certificate(self.settings.tls_certificate, self.settings.tls_key)
        self._listener = listener = bound(self.settings)
        self._taken.callback(listener.close)
        settings, transport, replicas = self.settings, self.transport, self._replicas
        client, view = Client(transport), await self._taken.enter_async_context(LeaseView.open(transport))
        users = Users(transport, replicas=replicas)
        await users.ensure()
        self._parts = parts = Parts(
            settings=settings,
            transport=transport,
            client=client,
            view=view,
            users=users,
            sessions=Sessions(
                transport,
                idle=timedelta(minutes=settings.idle_min),
                longest=timedelta(hours=settings.session_h),
                replicas=replicas,
            ),
            tokens=Tokens(transport, replicas=replicas),
            attempts=Attempts(transport, replicas=replicas),
            passwords=Passwords(),
            trail=Trail(transport, self.instance, replicas=replicas),
            hub=Hub(Sources(transport, client, view)),
            monitors=Monitors(settings.nats_monitors),
            history=Places(_HISTORIES),
            exports=Places(_EXPORTS),
            now=lambda: datetime.now(UTC),
            desk=digest(await created(transport, f"KV_{USERS}"))[:8],
        )
        self._taken.callback(parts.monitors.close)
        for store in (parts.sessions, parts.tokens, parts.attempts, parts.trail):
            await store.ensure()
        await transport.ensure_stream(logs_stream(replicas))
        origins = settings.own_origins(listener.getsockname()[1])
        self.address = origins[0]
        self.app, self._served = create_app(parts, self, origins)
        await self._tell_first_sign_in(parts)
        _log.info("management_listens", address=self.address)

    async def _tell_first_sign_in(self, parts: Parts) -> None:
        password = await ensure_administrator(parts.users, parts.passwords, parts.trail, parts.now())
        note = Note(address=self.address, user=FIRST if password else "", password=password or "")
        if self.settings.note is not None:
            await asyncio.to_thread(write_note, self.settings.note, note)
        elif password:
            print(f"First sign-in at {self.address}: user {FIRST}, password {password}", flush=True)

    async def run(self) -> None:
        """Serve until it is cancelled."""
        assert self._listener is not None, "not started"
        async with asyncio.TaskGroup() as group:
            group.create_task(self._parts.trail.run())
            group.create_task(self._parts.hub.run())
            if self._certificate is not None:
                group.create_task(self._certificate.run())
            tls = None if self._certificate is None else self._certificate.context
            group.create_task(serve(self._served, self.settings, self._listener, tls))

    async def on_stop(self) -> None:
        if (parts := getattr(self, "_parts", None)) is not None and not await parts.trail.stored():
            _log.error("audit_lost", entries=parts.trail.waiting)
        await self._taken.aclose()

    def configuration(self) -> Mapping[str, Any]:
        return self.settings.model_dump(mode="json")

    def metrics(self) -> Iterable[Metric]:
        if (parts := getattr(self, "_parts", None)) is not None:
            yield gauge(
                "aegis_audit_waiting_entries", "Entries of the audit trail not stored yet.", parts.trail.waiting
            )
            yield gauge("aegis_live_followers", "Connections that follow live topics.", parts.hub.followers)
            yield gauge("aegis_live_topics", "Topics that are kept up.", parts.hub.topics)
            says = "Refusals that were counted, not written down."
            yield counter("aegis_audit_suppressed_total", says, parts.trail.suppressed)
