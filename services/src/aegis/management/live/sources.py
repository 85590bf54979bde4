"""Where the rows of each topic come from. A source runs while somebody follows its topic.

instances           the living instances, by <service>.<instance>
leases              who holds which key, by <service>.<key>
metrics             the latest sample of each living instance's figures, by <service>.<instance>
feeds               what each market data instance says of itself, asked once a second
ticks.<instrument>  the latest tick of each, by instrument; ticks.SHFE.*, ticks.*.*
orders.<account>    the account's money, positions and orders of the day, by order.<id>, position.<...> and account
coverage            what somebody wants, and what became of it, by instrument, asked every two seconds
consumers           those of all streams, by <stream>.<consumer>, asked every two seconds
audit               the last 200 entries of the audit trail, by sequence
logs.<instance>     <service>.<instance>: its last 200 log events, by their sequence in the stream
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
from pydantic import BaseModel

from aegis.contracts.market import Tick
from aegis.contracts.marketdata import SERVICE, STATUS
from aegis.contracts.orders import AccountReported, OrderReported, Position, PositionReported
from aegis.contracts.subscriptions import SUBSCRIPTIONS, SubscriptionsRequest, SubscriptionView
from aegis.contracts.tick_codec import JSON
from aegis.contracts.trading import SERVICE as TRADING
from aegis.desk import Change as DeskChange
from aegis.desk import Desk, Snapshot
from aegis.management.access.roles import Role
from aegis.management.accounts import key_of
from aegis.management.audit import STREAM, AuditEntry
from aegis.management.jetstream import all_consumers
from aegis.management.live.topic import Topic
from aegis.management.loads import EVERYBODY, living, sample_of
from aegis.management.logs import LOGS, entry_of
from aegis.management.problems import Problem
from aegis.management.views import InstanceRow
from aegis.ticks import subscribe_ticks
from aegis_sdk import codec, subjects
from aegis_sdk.changes import Change, Missed
from aegis_sdk.client import Client
from aegis_sdk.errors import AegisError
from aegis_sdk.instances import InstanceRecord, InstanceStatus, Left, Reason
from aegis_sdk.lease_view import KeyState, LeaseView
from aegis_sdk.ledger import KeyName
from aegis_sdk.method import Empty
from aegis_sdk.samples import METRICS, Sample
from aegis_sdk.transport import Transport

__all__ = ["Source", "Sources"]

_LOOK_S: Final = 0.2
_BEATS_S: Final = 1.0
_GOODBYE_S: Final = 1.0
"""Ten times as long as a follower is told of changes at the latest."""
_ASK_S: Final = 1.0
_NATS_S: Final = 2.0
_COVERAGE_S: Final = 2.0
_PAGE_S: Final = 5.0
MOST_WANTED: Final = 4_000
"""Of a feed set so many instruments that somebody wants are told; a page takes the service some 10 ms."""
_AUDIT_ROWS: Final = 200
_LOG_ROWS: Final = 200


class Source(NamedTuple):
    """Who may follow a topic, how its rows are shown, and what fills it until it is cancelled."""

    role: Role
    fill: Callable[[Topic], Awaitable[None]]
    shown: Callable[[Any], Any] = lambda row: row


class Sources:
    """All of a desk."""

    def __init__(self, transport: Transport, client: Client, view: LeaseView) -> None:
        self._transport = transport
        self._client = client
        self._view = view

    def find(self, name: str) -> Source | None:
        """The source of a topic; None where there is no such topic."""
        kind, _, what = name.partition(".")
        match kind, what:
            case "instances", "":
                return Source(Role.VIEWER, self._instances, _instance_row)
            case "beats", "":
                return Source(Role.VIEWER, self._beats)
            case "leases", "":
                return Source(Role.VIEWER, self._leases)
            case "metrics", "":
                return Source(Role.VIEWER, self._metrics, _plain)
            case "feeds", "":
                return Source(Role.VIEWER, self._feeds)
            case "coverage", "":
                return Source(Role.VIEWER, self._coverage, _plain)
            case "consumers", "":
                return Source(Role.VIEWER, self._consumers, _plain)
            case "audit", "":
                return Source(Role.OPERATOR, self._audit)
            case "logs", _ if what.count(".") == 1 and all(map(subjects.TOKEN.fullmatch, what.split("."))):
                return Source(Role.OPERATOR, self._logs)
            case "ticks", _ if what.count(".") == 1 and all(what.split(".")):
                return Source(Role.VIEWER, self._ticks, _tick_row)
            case "orders", _ if what.replace("-", "").replace("_", "").isalnum() and len(what) <= 32:
                return Source(Role.VIEWER, self._orders, _plain)
            case _:
                return None

    async def _instances(self, topic: Topic) -> None:
        """Who has said goodbye is shown as GONE for a moment: who only misses a row would take it for lost."""
        directory, loop = self._view.directory, asyncio.get_running_loop()
        leaving: dict[str, asyncio.TimerHandle] = {}

        def take(change: Change) -> None:
            if isinstance(change, Missed):
                return  # of a reader that waits: a listener misses none
            record, status, *_ = change.instance
            name = f"{record.service}.{record.instance}"
            if (timer := leaving.pop(name, None)) is not None:
                timer.cancel()
            match change:
                case Left(reason=Reason.STOPPED | Reason.DRAINED):
                    topic.put(name, _Said(record, InstanceStatus.GONE))
                    leaving[name] = loop.call_later(_GOODBYE_S, topic.remove, name)
                case Left():
                    topic.remove(name)
                case _:
                    topic.put(name, _Said(record, status))

        end_listening = directory.on_change(take)
        try:
            living = directory.instances()
            topic.replace(
                {f"{one.record.service}.{one.record.instance}": _Said(one.record, one.status) for one in living}
            )
            await asyncio.Event().wait()
        finally:
            end_listening()
            for timer in leaving.values():
                timer.cancel()

    async def _beats(self, topic: Topic) -> None:
        while True:
            living = self._view.directory.instances()
            ages = {f"{one.record.service}.{one.record.instance}": round(one.age_s, 1) for one in living}
            topic.replace({name: {"age_s": age} for name, age in ages.items()})
            await asyncio.sleep(_BEATS_S)

    async def _leases(self, topic: Topic) -> None:
        while True:
            topic.replace({f"{row['service']}.{row['key']}": row for row in self._view.rows()})
            await asyncio.sleep(_LOOK_S)

    async def _metrics(self, topic: Topic) -> None:
        samples: dict[tuple[str, str], Sample] = {}

        async def show() -> None:
            now = living(samples, self._view.directory)
            topic.replace({".".join(name): sample for name, sample in now.items()})
            for name in samples.keys() - now.keys():
                del samples[name]
            await asyncio.sleep(_LOOK_S)

        async with self._transport.read(METRICS, EVERYBODY, last_per_subject=True, pause=show) as messages:
            async for message in messages:
                if message is not None and (sample := sample_of(message)) is not None:
                    samples[sample.service, sample.instance] = sample

    async def _feeds(self, topic: Topic) -> None:
        while True:
            names = [one.record.instance for one in self._view.directory.instances(SERVICE)]
            said = await asyncio.gather(*(self._feed(name) for name in names))
            topic.replace({name: row for name, row in zip(names, said, strict=True) if row is not None})
            await asyncio.sleep(_ASK_S)

    async def _feed(self, instance: str) -> dict[str, Any] | None:
        try:
            status = await self._client.call(STATUS, Empty(), instance=instance, timeout=_ASK_S)
        except AegisError:
            return None
        return status.model_dump(mode="json")

    async def _coverage(self, topic: Topic) -> None:
        """Of each feed set by who publishes it; of one that nobody publishes by anybody who is there."""
        while True:
            leases = [one for one in self._view.rows() if one["service"] == SERVICE]
            found: dict[str, SubscriptionView] = {}
            for instance in [one["holder"] for one in leases if one["holder"]] or [""]:
                found = {one.instrument: one for one in await self._wanted(instance)} | found
            topic.replace(found)
            await asyncio.sleep(_COVERAGE_S)

    async def _wanted(self, instance: str) -> list[SubscriptionView]:
        views: list[SubscriptionView] = []
        after = ""
        while len(views) < MOST_WANTED:
            asked = SubscriptionsRequest(after=after)
            page = await self._client.call(SUBSCRIPTIONS, asked, instance=instance, timeout=_PAGE_S)
            views += page.subscriptions
            after = page.next
            if not after:
                break
        return views[:MOST_WANTED]

    async def _consumers(self, topic: Topic) -> None:
        while True:
            found = await all_consumers(self._transport)
            topic.replace({f"{one.stream}.{one.name}": one for one in found})
            await asyncio.sleep(_NATS_S)

    async def _ticks(self, topic: Topic) -> None:
        def take(tick: Tick) -> None:
            topic.put(f"{tick.exchange}.{tick.symbol}", tick)

        pattern = topic.name.partition(".")[2]
        async with subscribe_ticks(self._transport, pattern, on_tick=take) as ticks:
            await ticks.looked_up()
            topic.whole()
            await asyncio.Event().wait()

    async def _orders(self, topic: Topic) -> None:
        """Ends when nobody serves the account's key: its group may be another one then."""
        account = topic.name.partition(".")[2]
        key = KeyName(TRADING, await key_of(self._transport, self._view, account))
        self._check_served(key)
        async with Desk.over(self._transport, account) as desk, desk.follow() as changes:
            following = asyncio.create_task(_apply_all(topic, changes))
            try:
                while not following.done():
                    await asyncio.wait({following}, timeout=_LOOK_S)
                    self._check_served(key)
                following.result()
            finally:
                following.cancel()
                await asyncio.wait({following})

    def _check_served(self, key: KeyName) -> None:
        if (state := self._view.state(key)) is not KeyState.ACTIVE:
            raise Problem("unavailable", "key_unserved", service=key.service, key=key.key, state=state.value)

    async def _logs(self, topic: Topic) -> None:
        _, service, instance = topic.name.split(".")
        shown: dict[str, Any] = {}  # in their order
        has_begun = False
        async with self._transport.read(LOGS, subjects.log(service, instance)) as messages:
            async for message in messages:
                if message is None:
                    topic.replace(shown)
                    has_begun = True
                elif (entry := entry_of(message)) is not None:
                    key, row = str(entry.sequence), entry.line.model_dump()
                    shown[key] = row
                    if has_begun:
                        topic.put(key, row)
                    if len(shown) > _LOG_ROWS:
                        oldest = next(iter(shown))
                        del shown[oldest]
                        topic.remove(oldest)

    async def _audit(self, topic: Topic) -> None:
        after = max(0, await self._transport.last_sequence(STREAM) - _AUDIT_ROWS)
        async with self._transport.read(STREAM, after=after) as messages:
            async for message in messages:
                if message is None:
                    topic.whole()
                    continue
                entry = codec.decode_model(AuditEntry, message.payload)
                entry = entry.model_copy(update={"sequence": message.sequence})
                topic.put(str(message.sequence), entry.model_dump(mode="json"))
                topic.remove(str(message.sequence - _AUDIT_ROWS))


class _Said(NamedTuple):
    """What is told of an instance: not how old its last heartbeat is, which changes all the time."""

    record: InstanceRecord
    status: InstanceStatus


def _instance_row(said: _Said) -> dict[str, Any]:
    return InstanceRow.told(*said).model_dump(mode="json")


async def _apply_all(topic: Topic, changes: AsyncIterator[Snapshot | DeskChange]) -> None:
    async for change in changes:
        _apply(topic, change)


def _apply(topic: Topic, change: Snapshot | DeskChange) -> None:
    match change:
        case Snapshot():
            topic.replace(
                {f"order.{one.client_order_id}": one for one in change.orders}
                | {_position_key(one): one for one in change.positions}
                | {"account": change.account}
            )
        case OrderReported():
            topic.put(f"order.{change.order.client_order_id}", change.order)
        case PositionReported():
            topic.put(_position_key(change.position), change.position)
        case AccountReported():
            topic.put("account", change.state)
        case _:
            pass  # a trade is in its order and its position


def _position_key(position: Position) -> str:
    return f"position.{position.instrument}.{position.direction}.{position.hedge}"


def _tick_row(tick: Tick) -> msgspec.Raw:
    """Written once: there are thousands a second."""
    return msgspec.Raw(JSON.encode(tick))


def _plain(row: BaseModel) -> Any:
    return row.model_dump(mode="json")
