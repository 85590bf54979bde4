"""Moves keys from one instance to others, and waits until these hold them; and maintenance, which moves them too."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from aegis_sdk.client import Client
from aegis_sdk.errors import DeadlineExceeded, Unavailable
from aegis_sdk.instances import Instance
from aegis_sdk.lease_view import KeyState, LeaseView, NotDone
from aegis_sdk.ledger import KeyName, Leases, StoredLease
from aegis_sdk.maintenance import Maintained, MaintenanceRequest, maintenance_of
from aegis_sdk.method import Empty
from aegis_sdk.single_active.operations import Handover, drain_of, handover_of
from aegis_sdk.transport import Transport

__all__ = ["Departure", "drain", "hand_over", "maintain", "preview"]

_HANDED_OVER_S: Final = 12.0  # longer than an instance waits for what is at work
_CLAIMED_S: Final = 5.0
_SERVED_S: Final = 5.0
_DRAIN_ASKED_S: Final = 3.0
_MAINTENANCE_ASKED_S: Final = 5.0
_PROGRESS_S: Final = 1.0
_MOST_NAMED: Final = 10


# One key


def preview(view: LeaseView, service: str, key: str, to: str) -> dict[str, Any]:
    """What `hand_over` would do: {service, key, from, epoch, to, takers}. Raises NotDone where it could not.

    `to` is None where the best of the takers would be chosen.
    """
    before = _held(view, KeyName(service, key))
    if to != before.lease.holder:
        _check_takers(view, before, to)
    return {
        "service": service,
        "key": key,
        "from": before.lease.holder,
        "epoch": before.sequence,
        "to": to or None,
        "takers": view.takers(service, before.lease.holder),
    }


async def hand_over(transport: Transport, view: LeaseView, service: str, key: str, to: str) -> dict[str, Any]:
    """Give a key to `to`, or to the best instance; {service, key, from, holder, epoch, ms}. Raises NotDone.

    `from` is None where `to` holds it already, `ms` the time from asking to the new lease.
    """
    before = _held(view, KeyName(service, key))
    if to == before.lease.holder:
        return _handed_over(before, None, 0.0)
    _check_takers(view, before, to)
    began = time.monotonic()
    await _ask_for(transport, before, to)
    after = await _claimed(view, before)
    took_s = time.monotonic() - began
    await _served(view, after)
    return _handed_over(after, before.lease.holder, took_s)


def _handed_over(lease: StoredLease, giver: str | None, took_s: float) -> dict[str, Any]:
    return {
        "service": lease.service,
        "key": lease.key,
        "from": giver,
        "holder": lease.lease.holder,
        "epoch": lease.sequence,
        "ms": round(took_s * 1000, 1),
    }


def _held(view: LeaseView, name: KeyName) -> StoredLease:
    """The lease of a key whose holder is alive."""
    stored = view.leases.latest.get(name)
    if stored is None:
        raise NotDone("unknown_key", _unknown(view, name))
    match view.state(name):
        case KeyState.VACANT | KeyState.HANDOVER as state:
            raise NotDone("not_held", f"nobody holds {name.service}/{name.key} now: it is {state}")
        case KeyState.LOST:
            holder = stored.lease.holder
            lost = f"{holder}, which held {name.service}/{name.key}, is not alive: a standby takes it by itself"
            raise NotDone("holder_lost", lost)
        case _:
            return stored


def _unknown(view: LeaseView, name: KeyName) -> str:
    if not view.leases.shards:
        return "this desk has no ledger: no single-active service has run here yet"
    keys = sorted(one.key for one in view.leases.latest if one.service == name.service)
    if not keys:
        return f"{name.service} has no keys; `aegis leases` shows who has"
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    return f"{name.service} has no key {name.key}, but {', '.join(keys[:_MOST_NAMED])}{more}"


def _check_takers(view: LeaseView, before: StoredLease, to: str) -> None:
    """Raise NotDone where nobody, or not the one who is wanted, could take the key."""
    service, holder = before.service, before.lease.holder
    takers = view.takers(service, holder)
    if not takers:
        raise NotDone(
            "no_taker", f"nobody but {holder} is there to take {service}/{before.key}: start another instance"
        )
    if to and to not in takers:
        there = view.instance(service, to)
        what = f"{to} is {there.status}" if there else f"no instance {to} of {service} is alive"
        raise NotDone("cannot_take", f"{what}; {', '.join(takers)} can take {before.key}")


async def _ask_for(transport: Transport, before: StoredLease, to: str) -> None:
    holder = before.lease.holder
    request = Handover(key=before.key, to=to)
    try:
        await Client(transport).call(handover_of(before.service), request, instance=holder, timeout=_HANDED_OVER_S)
    except Unavailable:
        raise NotDone("holder_gone", f"{holder} is gone just now: a standby takes {before.key} by itself") from None
    except DeadlineExceeded:
        late = f"{holder} has not answered in {_HANDED_OVER_S:g} s; `aegis leases` shows what is"
        raise NotDone("no_answer", late, was_asked=True) from None


async def _claimed(view: LeaseView, before: StoredLease) -> StoredLease:
    """The lease of who holds the key next."""

    def is_claimed(leases: Leases) -> bool:
        latest = leases.latest[before.name]
        return latest.is_active and latest.sequence > before.sequence

    try:
        await view.leases.wait_for(is_claimed, _CLAIMED_S)
    except TimeoutError:
        who = f"{before.lease.holder} gave {before.service}/{before.key} back"
        raise NotDone("not_claimed", f"{who}, and nobody has claimed it for {_CLAIMED_S:g} s", was_asked=True) from None
    return view.leases.latest[before.name]


async def _served(view: LeaseView, after: StoredLease) -> None:
    """Return when the new holder says that it serves the key."""
    try:
        await view.directory.wait_for(lambda _: view.state(after.name) is KeyState.ACTIVE, _SERVED_S)
    except TimeoutError:
        who = f"{after.lease.holder} has claimed {after.service}/{after.key} in epoch {after.sequence}"
        late = f"{who}, and does not serve it yet: it is {view.state(after.name)}"
        raise NotDone("not_served", late, was_asked=True) from None


# All keys of an instance


async def drain(
    transport: Transport,
    view: LeaseView,
    instance: str,
    service: str,
    timeout: float,
    told: Callable[[Departure], None] = lambda _: None,
) -> dict[str, Any]:
    """Have an instance give all its keys away; {service, instance, seconds, keys, left}. Raises NotDone.

    `left` are the keys that others do not hold after `timeout` seconds. `told` is called once a second meanwhile.
    """
    departure = Departure(view, _found(view, instance, service))
    departure.check_takers()
    began = time.monotonic()
    await _ask_to_drain(transport, departure.service, instance)
    await _until_over(view, departure, began + timeout, told)
    return departure.told(time.monotonic() - began)


async def _until_over(view: LeaseView, departure: Departure, end: float, told: Callable[[Departure], None]) -> None:
    """Return when others hold all keys, or at `end`."""
    while (left_s := end - time.monotonic()) > 0:
        with suppress(TimeoutError):
            await view.leases.wait_for(departure.is_over, min(left_s, _PROGRESS_S))
            return
        told(departure)


def _found(view: LeaseView, instance: str, service: str) -> Instance:
    living = view.directory.instances(service or None)
    found = [one for one in living if one.record.instance == instance]
    if not found:
        raise NotDone("no_instance", f"no instance {instance} is alive; `aegis instances` shows who is")
    if len(found) > 1:
        services = " and of ".join(sorted(one.record.service for one in found))
        raise NotDone("several_services", f"{instance} is an instance of {services}: add --service")
    return found[0]


async def _ask_to_drain(transport: Transport, service: str, instance: str) -> None:
    try:
        await Client(transport).call(drain_of(service), Empty(), instance=instance, timeout=_DRAIN_ASKED_S)
    except Unavailable:
        not_there = f"{instance} cannot be drained: {service} has no keys, or it is gone just now"
        raise NotDone("not_drainable", not_there) from None
    except DeadlineExceeded:
        late = f"{instance} has not answered in {_DRAIN_ASKED_S:g} s; `aegis leases` shows its keys"
        raise NotDone("no_answer", late, was_asked=True) from None


async def maintain(transport: Transport, view: LeaseView, instance: str, service: str, on: bool) -> Maintained:
    """Have an instance take neither new calls nor keys, or end that: what it has still at work.

    Raises NotDone where there is no such instance, or nobody could take its keys, and what its call raises.
    """
    found = _found(view, instance, service)
    if on:
        Departure(view, found).check_takers()
    asked, request = maintenance_of(found.record.service), MaintenanceRequest(on=on)
    return await Client(transport).call(asked, request, instance=instance, timeout=_MAINTENANCE_ASKED_S)


class Departure:
    """The keys that an instance holds, or has held since this began, and who has them now."""

    def __init__(self, view: LeaseView, departing: Instance) -> None:
        self._view = view
        self._instance = departing.record.instance
        self._holder = departing.record.instance, departing.record.incarnation
        self.service = departing.record.service
        self.keys: set[KeyName] = set()
        self._look(view.leases)

    def _look(self, leases: Leases) -> None:
        self.keys |= {name for name, stored in leases.latest.items() if self._is_theirs(stored)}

    def _is_theirs(self, stored: StoredLease) -> bool:
        lease = stored.lease
        return stored.is_active and stored.service == self.service and (lease.holder, lease.incarnation) == self._holder

    def is_over(self, leases: Leases) -> bool:
        """Whether others hold all keys."""
        self._look(leases)
        return len(self._taken()) == len(self.keys)

    def check_takers(self) -> None:
        """Raises NotDone where keys would be left that nobody serves."""
        if self.keys and not self._view.takers(self.service, self._instance):
            nobody = f"nobody else of {self.service} is there to take the keys of {self._instance}"
            raise NotDone("no_taker", f"{nobody}: start another instance")

    @property
    def progress(self) -> str:
        return f"{len(self._taken())} of {len(self.keys)} keys of {self._instance} are held by others"

    def _taken(self) -> list[StoredLease]:
        stored = (self._view.leases.latest[name] for name in sorted(self.keys))
        return [one for one in stored if one.is_active and not self._is_theirs(one)]

    def told(self, seconds: float) -> dict[str, Any]:
        taken = self._taken()
        left = sorted(self.keys - {one.name for one in taken})
        return {
            "service": self.service,
            "instance": self._instance,
            "seconds": round(seconds, 3),
            "keys": [{"key": one.key, "holder": one.lease.holder, "epoch": one.sequence} for one in taken],
            "left": [self._left(name) for name in left],
        }

    def _left(self, name: KeyName) -> dict[str, Any]:
        stored = self._view.leases.latest[name]
        holder = stored.lease.holder if stored.is_active else None
        return {"key": name.key, "holder": holder, "state": str(self._view.state(name))}
