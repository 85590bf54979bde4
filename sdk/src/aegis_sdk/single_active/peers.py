"""What the directory and the heartbeats of a service's other instances mean for the election."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aegis_sdk.changes import Change
from aegis_sdk.discovery import Directory
from aegis_sdk.election_events import BeatHeard, Event, Joined, Left
from aegis_sdk.instances import Changed, Heartbeat, Instance, InstanceStatus
from aegis_sdk.instances import Joined as InstanceJoined
from aegis_sdk.instances import Left as InstanceLeft

__all__ = ["Peers"]

_ABLE = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY)


class Peers:
    """Tells an election of the other instances: who is there, and what each says it holds."""

    def __init__(self, service: str, instance: str, tell: Callable[[Event], None]) -> None:
        self._service = service
        self._instance = instance
        self._tell = tell
        self._lists: dict[tuple[str, str], tuple[str, Mapping[str, int]]] = {}  # digest and pairs, as last said

    def watch(self, directory: Directory) -> Callable[[], None]:
        """Tell of those who are there, and of each change; returns what ends that."""

        def on_change(change: Change) -> None:
            match change:
                case InstanceJoined(instance) | Changed(instance, _):
                    self._joined(instance)
                case InstanceLeft(instance, _):
                    self._left(instance)
                case _:  # some were missed: all are told anew
                    tell_all()

        def tell_all() -> None:
            for instance in directory.instances(self._service):
                self._joined(instance)

        tell_all()
        return directory.on_change(on_change)

    def on_beat(self, name: tuple[str, str], beat: Heartbeat) -> None:
        """A heartbeat gives its list, or the digest of one; without its list a digest says nothing."""
        instance = name[1]
        if instance == self._instance:
            return
        known = instance, beat.incarnation
        listed = self._lists.get(known)
        if (listed is None or listed[0] != beat.digest) and (beat.pairs is not None or not beat.digest):
            listed = self._lists[known] = beat.digest, beat.pairs or {}
        if listed is not None and listed[0] == beat.digest:
            self._tell(BeatHeard(instance, beat.incarnation, listed[1], frozenset(beat.suspended)))

    def _joined(self, instance: Instance) -> None:
        record = instance.record
        if record.instance != self._instance:
            able = instance.status in _ABLE
            self._tell(Joined(record.instance, record.incarnation, record.zone, record.weight, able))

    def _left(self, instance: Instance) -> None:
        record = instance.record
        self._lists.pop((record.instance, record.incarnation), None)
        if record.instance != self._instance:
            self._tell(Left(record.instance, record.incarnation))
