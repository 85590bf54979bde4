"""A local table of all instances, kept by watching the registry and listening to heartbeats.

What is alive is decided in `liveness`; here its decisions meet the transport. While we cannot hear, the table is the
last known good one and says how old it is.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

import msgspec
import structlog

from aegis_sdk import clock, codec, subjects
from aegis_sdk.changes import Change, Feed
from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    AegisError,
    ConnectionUnavailable,
    InvalidRequest,
    StreamError,
    Unavailable,
)
from aegis_sdk.instances import Changed, Heartbeat, Instance, InstanceRecord, Joined, Left, ServiceDefinition
from aegis_sdk.kv import KeyValue, KeyValueEntry
from aegis_sdk.liveness import Patience, Table, step
from aegis_sdk.liveness_events import (
    Answered,
    Beat,
    CaughtUp,
    Connected,
    Disconnected,
    Echoed,
    Event,
    Fetch,
    Forgotten,
    Heard,
    Name,
    Probe,
    Recorded,
    Refused,
    SendEcho,
    Suspected,
    Ticked,
    Unanswered,
)
from aegis_sdk.messages import Message
from aegis_sdk.registry import INSTANCES, SERVICES
from aegis_sdk.transport import ConnectionState, Subscription, Transport

__all__ = ["Directory", "DirectoryState"]

_log = structlog.get_logger("aegis.discovery")

_USUAL: Final = Patience()
_STALE_S: Final = 0.5
_WATCH_AGAIN_S: Final = 0.5
_WORK_AGAIN_S: Final = 0.1

Subject = TypeVar("Subject", Probe, Name)
BeatListener = Callable[[Name, Heartbeat], None]

_beats = msgspec.json.Decoder(Heartbeat)
_echoes = msgspec.json.Decoder(tuple[float, float])


class DirectoryState(StrEnum):
    FRESH = "fresh"  # whoever died a second ago is out
    STALE = "stale"  # we do not hear: it is what we last knew


class Directory:
    """All living instances, or those of one service. Make it with `open`; reading it costs no message.

    async with Directory.open(transport) as directory:
        await directory.wait_for(lambda table: len(table.instances("quotes")) == 2, timeout=5)
    """

    def __init__(
        self,
        transport: Transport,
        service: str,
        patience: Patience = _USUAL,
        on_beat: BeatListener | None = None,
        *,
        definitions: bool = True,
    ) -> None:
        self._transport = transport
        self._service = service
        self._instances = KeyValue(transport, INSTANCES)
        self._definitions = KeyValue(transport, SERVICES)
        self._watched = (self._watch_instances, self._watch_services) if definitions else (self._watch_instances,)
        self._patience = patience
        self._on_beat = on_beat
        self._table = Table(clock.now(), patience, connected=transport.state is ConnectionState.CONNECTED)
        self._services: dict[str, ServiceDefinition] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self._feeds: set[Feed] = set()
        self._pulse = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._inbox = subjects.inbox(secrets.token_hex(12))
        self._group: asyncio.TaskGroup | None = None
        self.malformed = 0
        """Heartbeats and records that could not be read."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        transport: Transport,
        *,
        service: str = subjects.ANY,
        timeout: float = 10.0,
        patience: Patience = _USUAL,
        on_beat: BeatListener | None = None,
        definitions: bool = True,
    ) -> AsyncGenerator[Self]:
        """A directory whose records have been read; heartbeats confirm them within a moment.

        `on_beat` is called with each heartbeat of an instance that is in the table, after the change that it causes.
        Without `definitions` it knows the instances alone, and `services` are none.
        Raises TimeoutError where the registry cannot be read within `timeout` seconds.
        """
        directory = cls(transport, service, patience, on_beat, definitions=definitions)
        end_listening = transport.on_state(directory._on_state)
        run = asyncio.create_task(directory._run(), name="directory")
        try:
            async with asyncio.timeout(timeout):
                await directory._caught_up.wait()
            yield directory
        finally:
            end_listening()
            directory._group = None  # what is still heard starts nothing any more
            run.cancel()
            await asyncio.wait([run])
            if not run.cancelled():
                run.result()

    # Reading

    def instances(self, service: str | None = None, *, unconfirmed: bool = False) -> tuple[Instance, ...]:
        """Those alive; with `unconfirmed` also those of whom only a record was read, for at most a second."""
        return tuple(self._table.instances(clock.now(), service, unconfirmed))

    def services(self) -> tuple[ServiceDefinition, ...]:
        """All services ever defined, running or not."""
        return tuple(self._services.values())

    @property
    def age_s(self) -> float:
        """Seconds since it was last certain that everything said had been heard."""
        return self._table.age_s(clock.now())

    @property
    def state(self) -> DirectoryState:
        return DirectoryState.FRESH if self.age_s < _STALE_S else DirectoryState.STALE

    async def wait_for(self, predicate: Callable[[Self], bool], timeout: float) -> None:
        """Return when `predicate` holds for this directory; TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not predicate(self):
                await self._pulse.wait()

    async def next_tick(self) -> None:
        """Return when it has looked at everybody again, or something has changed: after `patience.tick_s` at most.

        Who has to look as often had better wait for this than by a timer of his own: the process wakes up once.
        """
        await self._pulse.wait()

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` at each change; returns what ends that. What it raises is logged."""
        self._listeners.append(listener)

        def end() -> None:
            with suppress(ValueError):
                self._listeners.remove(listener)

        return end

    @contextmanager
    def changes(self) -> Generator[AsyncIterator[Change]]:
        """Every change from now on."""
        feed = Feed()
        self._feeds.add(feed)
        try:
            yield feed
        finally:
            self._feeds.discard(feed)

    def suspect(self, service: str, instance: str) -> None:
        """Ask it now whether it lives: nobody serves what it should, somebody found. Hints may come in thousands."""
        self._tell(Suspected((service, instance)))

    # Keeping

    async def _run(self) -> None:
        subscriptions: list[Subscription] = []
        try:
            for subject, handler in (
                (subjects.heartbeat(self._service, subjects.ANY), self._on_heartbeat),
                (self._inbox, self._on_echo),
            ):
                subscriptions.append(await self._transport.subscribe(subject, handler))
            async with asyncio.TaskGroup() as group:
                self._group = group
                for work in (self._tick, *self._watched):
                    group.create_task(_kept_up(work))
        finally:
            for subscription in subscriptions:
                await subscription.unsubscribe()

    async def _tick(self) -> None:
        while True:
            self._tell(Ticked())
            self._wake()
            await asyncio.sleep(self._patience.tick_s)

    def _wake(self) -> None:
        pulse, self._pulse = self._pulse, asyncio.Event()
        pulse.set()

    def _on_state(self, state: ConnectionState) -> None:
        self._tell(Connected() if state is ConnectionState.CONNECTED else Disconnected())

    def _on_heartbeat(self, message: Message) -> None:
        try:
            beat = _beats.decode(message.payload)
        except msgspec.MsgspecError as error:
            self._note_malformed(message.subject, str(error))
            return
        _, service, instance = subjects.split(message.subject)
        self._tell(Heard((service, instance), beat))

    def _on_echo(self, message: Message) -> None:
        self._tell(Echoed(*_echoes.decode(message.payload)))

    def _note_malformed(self, where: str, reason: str) -> None:
        self.malformed += 1
        if self.malformed == 1:
            _log.warning("malformed", where=where, reason=reason)

    # The registry

    async def _watch_instances(self) -> None:
        pattern = subjects.instance_key(self._service, subjects.ANY)
        async for entry in _watched(self._transport, self._instances, pattern):
            if entry is None:
                self._tell(CaughtUp())
                self._caught_up.set()
            elif entry.deleted:
                service, instance = subjects.split(entry.key)
                self._tell(Forgotten((service, instance)))
            else:
                self._on_record(entry, fetched=False)

    async def _watch_services(self) -> None:
        async for entry in _watched(self._transport, self._definitions, self._service):
            if entry is None:
                continue
            self._services.pop(entry.key, None)
            if not entry.deleted:
                try:
                    self._services[entry.key] = codec.decode_model(ServiceDefinition, entry.value)
                except InvalidRequest as error:
                    self._note_malformed(entry.key, str(error.details))
            self._wake()

    def _on_record(self, entry: KeyValueEntry, *, fetched: bool) -> None:
        try:
            record = codec.decode_model(InstanceRecord, entry.value)
        except InvalidRequest as error:
            self._note_malformed(entry.key, str(error.details))
            return
        if entry.key == subjects.instance_key(record.service, record.instance):
            self._tell(Recorded(record, entry.revision, fetched))

    # Doing what was decided

    def _tell(self, event: Event) -> None:
        for action in step(self._table, event, clock.now()):
            match action:
                case SendEcho():
                    with suppress(ConnectionUnavailable):
                        self._transport.publish(self._inbox, msgspec.json.encode(action))
                case Probe():
                    self._start(self._probe, action)
                case Fetch(name):
                    self._start(self._fetch, name)
                case Beat():
                    self._hand_on(action)
                case _:
                    self._publish(action)

    def _start(self, work: Callable[[Subject], Coroutine[Any, Any, None]], subject: Subject) -> None:
        if self._group is not None:
            self._group.create_task(self._carry_out(work, subject))

    async def _carry_out(self, work: Callable[[Subject], Coroutine[Any, Any, None]], subject: Subject) -> None:
        try:
            await work(subject)
        except Exception:
            _log.exception("directory_failed", work=work.__name__)

    async def _probe(self, probe: Probe) -> None:
        name = probe.name
        await asyncio.sleep(probe.delay_s)
        try:
            await self._transport.request(subjects.direct(*name, "ping"), b"", timeout=self._patience.answer_s)
        except Unavailable:
            self._tell(Refused(name, probe.confirms))
        except AegisError:
            self._tell(Unanswered(name, probe.confirms))
        else:
            self._tell(Answered(name))

    async def _fetch(self, name: Name) -> None:
        try:
            entry = await self._instances.get(subjects.instance_key(*name))
        except AegisError:
            return  # asked again in a second, if it still matters
        if entry is not None:
            self._on_record(entry, fetched=True)

    def _hand_on(self, heard: Beat) -> None:
        if self._on_beat is None:
            return
        try:
            self._on_beat(heard.name, heard.beat)
        except Exception:
            _log.exception("beat_listener_failed", instance=".".join(heard.name))

    def _publish(self, change: Joined | Left | Changed) -> None:
        for feed in self._feeds:
            feed.put(change)
        for listener in tuple(self._listeners):
            try:
                listener(change)
            except Exception:
                _log.exception("change_listener_failed", change=type(change).__name__)
        self._wake()


async def _kept_up(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Begin `work` again after an error of ours: one bad moment must not leave a table that nobody keeps."""
    while True:
        try:
            return await work()
        except Exception:
            _log.exception("directory_failed", work=work.__name__)
        await asyncio.sleep(_WORK_AGAIN_S)


async def _watched(transport: Transport, bucket: KeyValue, pattern: str) -> AsyncIterator[KeyValueEntry | None]:
    """Watch, and watch again, until the connection is closed. A bucket that nobody has made yet is an empty one."""
    while transport.state is not ConnectionState.CLOSED:
        try:
            async with bucket.watch(pattern) as entries:
                async for entry in entries:
                    yield entry
        except StreamError as error:
            if error.code == STREAM_NOT_FOUND:
                yield None
        except AegisError as error:
            _log.warning("watch_failed", pattern=pattern, reason=str(error))
        await asyncio.sleep(_WATCH_AGAIN_S)
