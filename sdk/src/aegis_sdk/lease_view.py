"""Who holds which key, and how it is: the ledger's leases, next to what their holders say of themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal, NamedTuple, Self

from aegis_sdk import subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import AegisError, Unavailable
from aegis_sdk.instances import Heartbeat, Instance, InstanceStatus, digest
from aegis_sdk.ledger import KeyName, Leases, StoredLease
from aegis_sdk.transport import Transport

__all__ = ["KeyState", "LeaseView", "NotDone", "NotDoneCode", "Said", "state_of"]

_READ_S: Final = 5.0
_HEAR_S: Final = 1.5
_ABLE: Final = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY)


NotDoneCode = Literal[
    "cannot_take",
    "holder_gone",
    "holder_lost",
    "no_answer",
    "no_instance",
    "no_taker",
    "not_claimed",
    "not_drainable",
    "not_held",
    "not_served",
    "several_services",
    "unknown_key",
]


class NotDone(AegisError):
    """What was asked for cannot be done, or was not done in time; the message says what there is to know.

    `code` is a stable word for that. `was_asked`: an instance has been asked for it already, so it may be done, or be
    done yet.
    """

    def __init__(self, code: NotDoneCode, message: str, *, was_asked: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.was_asked = was_asked


class KeyState(StrEnum):
    """A key as people see it."""

    ACTIVE = "ACTIVE"
    RECOVERING = "RECOVERING"  # claimed, and not served yet
    SUSPENDED = "SUSPENDED"  # its holder cannot prove its epoch: nothing is begun, the claim is kept
    HANDOVER = "HANDOVER"  # given to a successor that has not claimed it yet
    VACANT = "VACANT"  # given back, and claimed by nobody
    LOST = "LOST"  # its holder is not alive, and nobody has claimed it yet


class Said(NamedTuple):
    """What a living instance says of its keys; `served` is None where that is not known yet."""

    incarnation: str
    served: Mapping[str, int] | None
    suspended: frozenset[str]


def state_of(stored: StoredLease, said: Said | None) -> KeyState:
    """The state of a key whose holder says this; None: it is not alive."""
    lease = stored.lease
    if not stored.is_active:
        return KeyState(lease.state.value)
    if said is None or said.incarnation != lease.incarnation:
        return KeyState.LOST
    if said.served is not None and said.served.get(stored.key) != stored.sequence:
        return KeyState.RECOVERING
    return KeyState.SUSPENDED if stored.key in said.suspended else KeyState.ACTIVE


class LeaseView:
    """The leases of a service, or of all, and who is alive of it. Make it with `open`; it stays up to date."""

    def __init__(self) -> None:
        self.leases: Leases
        self.directory: Directory
        self._beats: dict[tuple[str, str], Heartbeat] = {}
        self._lists: dict[tuple[str, str], Heartbeat] = {}  # the latest that brought its pairs

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: Transport, service: str = "") -> AsyncGenerator[Self]:
        """Returns when everybody alive was heard. Raises Unavailable where ledger or registry cannot be read."""
        view, which = cls(), service or subjects.ANY
        async with AsyncExitStack() as stack:
            try:
                view.leases = await stack.enter_async_context(Leases.open(transport, which, timeout=_READ_S))
                view.directory = await stack.enter_async_context(
                    Directory.open(transport, service=which, timeout=_READ_S, on_beat=view._on_beat, definitions=False)
                )
            except TimeoutError:
                raise Unavailable(
                    f"ledger and registry cannot be read within {_READ_S:g} s: JetStream is away"
                ) from None
            with suppress(TimeoutError):
                await view.directory.wait_for(view._has_heard_all, _HEAR_S)
            yield view

    def state(self, name: KeyName) -> KeyState:
        """The state of a key that has a lease."""
        stored = self.leases.latest[name]
        return state_of(stored, self._said(self.instance(name.service, stored.lease.holder)))

    def instance(self, service: str, instance: str) -> Instance | None:
        """An instance, if it is alive."""
        found = (one for one in self.directory.instances(service) if one.record.instance == instance)
        return next(found, None)

    def takers(self, service: str, instance: str) -> list[str]:
        """Who could take a key that this instance gives away."""
        living = self.directory.instances(service)
        return sorted(one.record.instance for one in living if one.status in _ABLE and one.record.instance != instance)

    def rows(self) -> list[dict[str, Any]]:
        """Each key with its latest lease, in order."""
        living = {(one.record.service, one.record.instance): one for one in self.directory.instances()}
        latest = self.leases.latest
        holders = {name: living.get((name.service, latest[name].lease.holder)) for name in sorted(latest)}
        return [_row(latest[name], self._said(holder)) for name, holder in holders.items()]

    def _on_beat(self, name: tuple[str, str], beat: Heartbeat) -> None:
        self._beats[name] = beat
        if beat.pairs is not None:
            self._lists[name] = beat

    def _has_heard_all(self, directory: Directory) -> bool:
        return all(
            one.confirmed and (said := self._said(one)) is not None and said.served is not None
            for one in directory.instances(unconfirmed=True)
        )

    def _said(self, instance: Instance | None) -> Said | None:
        if instance is None:
            return None
        record = instance.record
        beat = self._beats.get((record.service, record.instance))
        if beat is None or beat.incarnation != record.incarnation:
            return Said(record.incarnation, None, frozenset())
        return Said(record.incarnation, self._served(instance, beat), frozenset(beat.suspended))

    def _served(self, instance: Instance, beat: Heartbeat) -> Mapping[str, int] | None:
        """A heartbeat says its pairs now and then, their digest always; the registry has them a moment later."""
        record = instance.record
        listed = self._lists.get((record.service, record.instance))
        if not beat.digest:
            return {}
        if listed is not None and listed.digest == beat.digest:
            return listed.pairs
        return record.keys if digest(record.keys) == beat.digest else None


def _row(stored: StoredLease, said: Said | None) -> dict[str, Any]:
    lease, is_held = stored.lease, stored.is_active
    return {
        "service": stored.service,
        "key": stored.key,
        "holder": lease.holder if is_held else None,
        "epoch": stored.sequence if is_held else None,
        "state": str(state_of(stored, said)),
        "since": datetime.fromtimestamp(stored.timestamp_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "gap_ms": lease.gap_ms or None,
        "last_holder": None if is_held else lease.holder,
        "successor": lease.successor or None,
        "sequence": stored.sequence,
    }
