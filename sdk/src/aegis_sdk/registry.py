"""How an instance announces itself: a record in KV, and heartbeats from the event loop that runs its handlers.

The record says what the instance is, the heartbeats that it lives: a loop that hangs falls silent. Neither ever gives
up. The record is put again when it changes, after each reconnect and every 20 s; what is not put again expires after a
minute, which only collects garbage. Each put is guarded by the revision of the one before, so that of two instances of
one name the later one wins for good, and the earlier one learns of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NoReturn

import msgspec
import structlog

from aegis_sdk import clock, codec, subjects
from aegis_sdk.errors import AegisError, ConfigurationError, InvalidRequest
from aegis_sdk.heartbeats import Heartbeats
from aegis_sdk.instances import HEARTBEAT_S, Heartbeat, InstanceRecord, InstanceStatus, ServiceDefinition, Vitals
from aegis_sdk.kv import KeyValue, RevisionMismatch
from aegis_sdk.messages import Message
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["INSTANCES", "SERVICES", "Registration"]

INSTANCES: Final = "aegis_instances"
SERVICES: Final = "aegis_services"

_log = structlog.get_logger("aegis.registry")

_REFRESH_S: Final = 20.0
_EXPIRY_S: Final = 60.0
_DEFINITIONS: Final = 16
"""So many of a service's last definitions are kept."""
_RETRY_S: Final = 1.0
_FAREWELL_S: Final = 2.0
_RECONNECT_JITTER_S: Final = 0.5  # all instances of a desk reconnect at the same moment
_MARGIN_S: Final = 0.1


class Registration:
    """One instance in the registry. `start` it, `set_status` it, `stop` it.

    `interval_s` is the time between two heartbeats. The service's `definition` is put where it is missing or differs.
    `vitals` is called right before each heartbeat, in the event loop; where it raises, that heartbeat is not sent.
    """

    def __init__(
        self,
        transport: Transport,
        record: InstanceRecord,
        interval_s: float = HEARTBEAT_S,
        replicas: int = 1,
        definition: ServiceDefinition | None = None,
        vitals: Callable[[], Vitals] = Vitals,
    ) -> None:
        self._transport = transport
        self._record = record.model_copy(update={"heartbeat_s": interval_s})
        self._definition = definition
        self._replicas = replicas
        self._key = subjects.instance_key(record.service, record.instance)
        self._heartbeats = Heartbeats(transport, subjects.heartbeat(record.service, record.instance), vitals)
        self._instances = KeyValue(transport, INSTANCES)
        self._revision = 0
        self._changed = asyncio.Event()
        self._replaced_by: InstanceRecord | None = None
        self._replaced = asyncio.Event()
        self._run: asyncio.Task[None] | None = None

    @property
    def record(self) -> InstanceRecord:
        return self._record

    @property
    def replaced_by(self) -> InstanceRecord | None:
        """Another instance of this name, started while this one was stopped; this one has fallen silent then."""
        return self._replaced_by

    async def replaced(self) -> NoReturn:
        """Wait until another process has taken the name over, and raise ConfigurationError: this one is to end."""
        await self._replaced.wait()
        assert self._replaced_by is not None
        what = f"{self._key} is taken over by another process (incarnation {self._replaced_by.incarnation})"
        raise ConfigurationError("instance", f"{what}; give each one its own name")

    async def start(self) -> None:
        """Announce the instance; returns when its record is stored and its first heartbeat is sent.

        Raises ConfigurationError where an instance of this name is alive, StreamError, Unavailable or DeadlineExceeded
        where JetStream is away.
        """
        await self._instances.ensure(replicas=self._replicas, max_age_s=_EXPIRY_S)
        if self._definition is not None:
            await _define(self._transport, self._definition, self._replicas)
        await self._claim_name()
        self._beat()
        self._run = asyncio.create_task(self._announce(), name=f"registration {self._key}")

    def set_status(self, status: InstanceStatus) -> None:
        """Tell the status, at once by a heartbeat."""
        self.change(status=status)

    def change(self, **fields: Any) -> None:
        """Change fields of the record, e.g. `keys`, and tell."""
        self._record = InstanceRecord.model_validate({**self._record.model_dump(), **fields})
        if self._run is not None:
            self._beat()
            self._changed.set()

    async def stop(self) -> None:
        """Say goodbye and delete the record. Nothing is raised: those who miss it find out by the silence."""
        run, self._run = self._run, None
        if run is None:
            return
        run.cancel()
        await asyncio.wait([run])
        if self._replaced_by is not None:
            return
        self._beat(InstanceStatus.GONE)
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await self._delete()
                await self._transport.flush()
        except (AegisError, TimeoutError) as error:
            _log.warning("farewell_failed", instance=self._key, reason=str(error))

    # The name

    async def _claim_name(self) -> None:
        while True:
            found = await self._instances.get(self._key)
            other = None if found is None else _decoded(found.value)
            if other is not None and await self._is_alive(other):
                raise ConfigurationError(
                    "instance",
                    f"{other.instance!r} of {other.service} runs already (incarnation {other.incarnation}, started at "
                    f"{other.started_at:%Y-%m-%d %H:%M:%S} UTC): stop it, or give this one another name",
                )
            with suppress(RevisionMismatch):  # somebody else took the name just now: look again
                self._revision = await self._put(0 if found is None else found.revision)
                return

    async def _is_alive(self, other: InstanceRecord) -> bool:
        """Whether a heartbeat of another incarnation is heard for as long as a healthy one may be silent."""
        heard = asyncio.Event()

        def listen(message: Message) -> None:
            with suppress(msgspec.MsgspecError):
                if msgspec.json.decode(message.payload, type=Heartbeat).incarnation != self._record.incarnation:
                    heard.set()

        subscription = await self._transport.subscribe(self._heartbeats.subject, listen)
        try:
            async with asyncio.timeout(2 * other.heartbeat_s + _MARGIN_S):
                await heard.wait()
        except TimeoutError:
            return False
        finally:
            await subscription.unsubscribe()
        return True

    async def _put(self, revision: int) -> int:
        value = codec.encode_model(self._record)
        if not revision:
            return await self._instances.create(self._key, value)
        return await self._instances.update(self._key, value, revision)

    # Announcing

    async def _announce(self) -> None:
        end_listening = self._transport.on_state(self._on_state)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_beating())
                group.create_task(self._keep_record())
        finally:
            end_listening()

    def _on_state(self, state: ConnectionState) -> None:
        if state is ConnectionState.CONNECTED:
            self._heartbeats.repeat_pairs()
            self._beat()
            asyncio.get_running_loop().call_later(random.uniform(0, _RECONNECT_JITTER_S), self._changed.set)

    async def _keep_beating(self) -> None:
        due = clock.now()
        while self._replaced_by is None:
            due = _next(due, self._record.heartbeat_s, clock.now())
            await asyncio.sleep(due - clock.now())
            self._beat()

    def _beat(self, status: InstanceStatus | None = None) -> None:
        if self._replaced_by is None:
            self._heartbeats.say(self._record.incarnation, status or self._record.status)

    async def _keep_record(self) -> None:
        pause = _REFRESH_S
        while self._replaced_by is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._put_again()
                pause = _REFRESH_S
            except (AegisError, TimeoutError) as error:
                if pause != _RETRY_S:
                    _log.warning("record_not_stored", instance=self._key, reason=str(error))
                pause = _RETRY_S

    async def _put_again(self) -> None:
        try:
            self._revision = await self._put(self._revision)
        except RevisionMismatch:
            await self._look_again()
            if self._replaced_by is None:
                self._revision = await self._put(self._revision)

    async def _look_again(self) -> None:
        """Learn why the record is not at our revision: it expired, a put's answer was lost, or the name was taken."""
        found = await self._instances.get(self._key)
        self._revision = 0 if found is None else found.revision
        other = None if found is None else _decoded(found.value)
        if other is not None and other.incarnation != self._record.incarnation:
            self._replaced_by = other
            self._replaced.set()
            _log.error("instance_replaced", instance=self._key, by=other.incarnation, ours=self._record.incarnation)

    async def _delete(self) -> None:
        try:
            await self._instances.delete(self._key, self._revision)
        except RevisionMismatch:
            await self._look_again()
            if self._replaced_by is None and self._revision:
                await self._instances.delete(self._key, self._revision)


def _next(due: float, interval_s: float, now: float) -> float:
    """When the next heartbeat is due. Those that were missed are not made up for."""
    return due + interval_s if due + interval_s > now else now + interval_s


async def _define(transport: Transport, definition: ServiceDefinition, replicas: int) -> None:
    services = KeyValue(transport, SERVICES)
    await services.ensure(replicas=replicas, history=_DEFINITIONS)
    value = codec.encode_model(definition)
    found = await services.get(definition.name)
    if found is None or found.value != value:
        await services.put(definition.name, value)


def _decoded(value: bytes) -> InstanceRecord | None:
    """The record, None where it is none: it is overwritten then."""
    try:
        return codec.decode_model(InstanceRecord, value)
    except InvalidRequest:
        return None
