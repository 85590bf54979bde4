"""All that an instance holds: where requests for it arrive, and what heartbeats and the registry say of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final

import structlog

from aegis_sdk import subjects
from aegis_sdk.instances import InstanceStatus, Vitals, digest
from aegis_sdk.messages import Message
from aegis_sdk.registry import Registration
from aegis_sdk.service import declared
from aegis_sdk.single_active.context import Held
from aegis_sdk.single_active.declaration import Active, SingleActive
from aegis_sdk.single_active.figures import ActiveFigures
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.hooks import uncancelled
from aegis_sdk.single_active.requests import ActiveEndpoint, Requests
from aegis_sdk.transport import Subscription, Transport

__all__ = ["Holdings"]

_log = structlog.get_logger("aegis.active")

_RECORD_S: Final = 0.2
"""Changes of what is held go into the registry together."""


class Holdings:
    """The holdings of an instance by key. `changed` is set whenever one has gone."""

    def __init__(
        self,
        transport: Transport,
        service: SingleActive,
        registration: Registration,
        requests: Requests,
        figures: ActiveFigures,
        enter: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._enter = enter
        self._service = service
        self._registration = registration
        self._requests = requests
        self._endpoints = _endpoints(service)
        self._held: dict[str, Holding] = {}
        self._handles: dict[str, Held] = {}
        self._subscriptions: dict[Holding, Subscription] = {}
        self._pairs: dict[str, int] = {}  # what is held here, as heartbeats tell it
        self._digest: str | None = ""  # None: to be made anew
        self._hooks: dict[str, asyncio.Lock] = {}
        self._record_due: asyncio.TimerHandle | None = None
        self._status = InstanceStatus.STANDBY
        self.changed = asyncio.Event()
        self._figures = figures
        figures.held, figures.endpoints = self._held, tuple(self._endpoints.values())
        service._held = self._handles  # pyright: ignore[reportPrivateUsage]  # the service's own view of it

    @property
    def held(self) -> Mapping[str, Holding]:
        return self._held

    # Coming and going

    def add(self, holding: Holding) -> Holding | None:
        """Hold it; what was held of the key before is returned, and to be dropped."""
        before = self._held.get(holding.key)
        self._held[holding.key] = holding
        self._pairs[holding.key] = holding.epoch  # from now on: whoever is not said to hold a key is robbed of it
        self._figures.switches["taken"] += 1
        self.show()
        return before

    async def subscribe(self, holding: Holding) -> None:
        """Take the requests of its epoch; they wait until it is open. Not to be cancelled."""
        subject = subjects.active(self._service.name, holding.key, holding.epoch, subjects.ANY)
        subscription = await self._transport.subscribe(subject, partial(self._arrived, holding))
        if holding.is_ended:
            await subscription.unsubscribe()
        else:
            self._subscriptions[holding] = subscription

    def open(self, holding: Holding) -> None:
        """Handle requests from now on."""
        self._handles[holding.key] = Held(holding.key, holding.epoch, holding, self._enter)
        holding.open()

    async def drop(self, holding: Holding) -> None:
        """Hold it no more: no requests, no handle, and the service is told, once."""
        holding.end()
        if self._held.get(holding.key) is holding:
            del self._held[holding.key]
            self._handles.pop(holding.key, None)
            self._pairs.pop(holding.key, None)
            self.show()
        self.changed.set()
        subscription = self._subscriptions.pop(holding, None)
        if subscription is not None:
            await subscription.unsubscribe()
        if not holding.is_dropped:
            holding.is_dropped = True
            self._figures.switches["given" if holding.releasing else "lost"] += 1
            await self.run_hook(holding.key, self._service.on_standby(holding.key))

    async def drop_all(self, timeout: float) -> None:
        """Hold nothing any more; hooks that are not done within `timeout` seconds are cancelled."""
        holdings = tuple(self._held.values())
        for holding in holdings:
            holding.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), asyncio.TaskGroup() as group:
                for holding in holdings:
                    group.create_task(self.drop(holding))

    async def run_hook(self, key: str, hook: Coroutine[Any, Any, None]) -> None:
        """Run a hook of the service, for at most `recover_s`. Its error is logged."""
        try:
            async with asyncio.timeout(self._service.timers.recover_s):
                await self.in_turn(key, hook)
        except Exception:
            _log.exception("hook_failed", service=self._service.name, key=key)

    async def in_turn(self, key: str, hook: Coroutine[Any, Any, None]) -> None:
        """Hooks of one key run one after the other."""
        try:
            async with self._hooks.setdefault(key, asyncio.Lock()):
                await uncancelled(hook)
        finally:
            hook.close()  # where its turn never came

    def _arrived(self, holding: Holding, message: Message) -> None:
        method = subjects.split(message.subject)[-1]
        self._requests.arrived(holding, self._endpoints.get(method), message)

    # Saying

    def vitals(self) -> Vitals:
        """What a heartbeat says of it."""
        if self._digest is None:
            self._digest = digest(self._pairs)
        suspended = tuple(key for key, holding in self._held.items() if holding.suspended_at is not None)
        return Vitals(len(self._pairs), self._digest, self._pairs, suspended)

    def show(self, status: InstanceStatus | None = None) -> None:
        """Say it by the next heartbeat, and soon in the registry; `status`, in place of ACTIVE or STANDBY, at once."""
        self._digest = None
        if status is not None:
            self._status = status
            self._put_record()
        elif self._record_due is None:
            self._record_due = asyncio.get_running_loop().call_later(_RECORD_S, self._put_record)

    def _put_record(self) -> None:
        if self._record_due is not None:
            self._record_due.cancel()
            self._record_due = None
        status = self._status
        if status is InstanceStatus.STANDBY and self._pairs:
            status = InstanceStatus.ACTIVE
        self._registration.change(status=status, keys=dict(self._pairs))


def _endpoints(service: SingleActive) -> dict[str, ActiveEndpoint]:
    found: dict[str, tuple[str, Active[Any, Any]]] = declared(service, Active)
    return {name: ActiveEndpoint(handler, service, attribute) for name, (attribute, handler) in found.items()}
