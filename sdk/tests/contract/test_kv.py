"""What a key-value bucket promises, over both transports; and that other NATS clients see the same bucket."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.js.api import KeyValueConfig, StorageType

from aegis_sdk.errors import ConfigurationError, StreamError
from aegis_sdk.kv import KeyValue, KeyValueEntry, RevisionMismatch
from aegis_sdk.testing import NatsAccess
from aegis_sdk.transport import Transport
from aegis_sdk.transport_nats import NatsTransport
from aegis_sdk.transport_nats.streams import api

from .network import DEADLINE_S, Network, interrupt

MINUTE_NS = 60_000_000_000


@pytest.fixture
async def bucket(transport: Transport, name: str) -> KeyValue:
    made = KeyValue(transport, name)
    await made.ensure(storage="memory")
    return made


Entries = AsyncIterator[KeyValueEntry | None]


async def take(entries: Entries, count: int) -> list[tuple[str, bytes, bool] | None]:
    """The next entries: (key, value, deleted)."""
    async with asyncio.timeout(DEADLINE_S):
        found = [await anext(entries) for _ in range(count)]
    return [entry and (entry.key, entry.value, entry.deleted) for entry in found]


async def test_a_value_is_read_as_it_was_put(bucket: KeyValue) -> None:
    revision = await bucket.put("orders.1", b"\x00value")
    entry = await bucket.get("orders.1")
    assert entry is not None
    assert (entry.key, entry.value, entry.revision, entry.deleted) == ("orders.1", b"\x00value", revision, False)
    assert abs(entry.created_ns - time.time_ns()) < MINUTE_NS


async def test_a_key_that_was_never_put_or_is_deleted_has_no_value(bucket: KeyValue) -> None:
    assert await bucket.get("a") is None
    await bucket.put("a", b"1")
    await bucket.delete("a")
    assert await bucket.get("a") is None


async def test_an_empty_value_is_a_value(bucket: KeyValue) -> None:
    await bucket.put("a", b"")
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.deleted) == (b"", False)


async def test_revisions_rise(bucket: KeyValue) -> None:
    revisions = [await bucket.put(key, b"") for key in ("a", "b", "a")]
    assert revisions == sorted(set(revisions))


async def test_a_key_is_created_once(bucket: KeyValue) -> None:
    revision = await bucket.create("a", b"1")
    with pytest.raises(RevisionMismatch) as caught:
        await bucket.create("a", b"2")
    assert (caught.value.key, caught.value.expected) == ("a", 0)
    assert isinstance(caught.value, StreamError)
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"1", revision)


async def test_a_deleted_key_can_be_created_again(bucket: KeyValue) -> None:
    first = await bucket.create("a", b"1")
    await bucket.delete("a")
    assert await bucket.create("a", b"2") > first
    with pytest.raises(RevisionMismatch):
        await bucket.create("a", b"3")


async def test_an_update_succeeds_at_the_expected_revision_only(bucket: KeyValue) -> None:
    first = await bucket.create("a", b"1")
    second = await bucket.update("a", b"2", first)
    with pytest.raises(RevisionMismatch):
        await bucket.update("a", b"3", first)
    entry = await bucket.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"2", second)


async def test_a_delete_may_expect_a_revision(bucket: KeyValue) -> None:
    first = await bucket.create("a", b"1")
    second = await bucket.update("a", b"2", first)
    with pytest.raises(RevisionMismatch):
        await bucket.delete("a", first)
    assert await bucket.get("a") is not None
    await bucket.delete("a", second)
    assert await bucket.get("a") is None


async def test_of_many_who_create_a_key_at_once_one_does(bucket: KeyValue, other: Transport, name: str) -> None:
    sides = [bucket, KeyValue(other, name)]
    outcomes = await asyncio.gather(
        *(sides[i % 2].create("leader", b"%d" % i) for i in range(20)), return_exceptions=True
    )
    assert len([outcome for outcome in outcomes if isinstance(outcome, int)]) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, RevisionMismatch)]) == 19


async def test_a_value_expires_and_watchers_hear_of_it(transport: Transport, name: str) -> None:
    bucket = KeyValue(transport, name)
    await bucket.ensure(storage="memory", marker_ttl_s=1)
    async with bucket.watch() as entries:
        assert await take(entries, 1) == [None]
        await bucket.put("lease", b"1", ttl_s=1)
        assert await take(entries, 2) == [("lease", b"1", False), ("lease", b"", True)]
    assert await bucket.get("lease") is None
    await bucket.create("lease", b"2")


async def test_a_deletion_may_leave_no_trace_after_a_while(transport: Transport, name: str) -> None:
    bucket = KeyValue(transport, name)
    await bucket.ensure(storage="memory", marker_ttl_s=1)
    await bucket.put("a", b"1")
    await bucket.delete("a", ttl_s=1)
    async with asyncio.timeout(DEADLINE_S):
        while await transport.last(f"KV_{name}", f"$KV.{name}.a") is not None:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.05)
    await bucket.create("a", b"2")


async def test_a_value_replaced_in_time_does_not_expire(bucket: KeyValue) -> None:
    await bucket.put("kept", b"1", ttl_s=1)
    await bucket.put("kept", b"2", ttl_s=60)
    await bucket.put("witness", b"", ttl_s=1)
    async with asyncio.timeout(DEADLINE_S):
        while await bucket.get("witness") is not None:  # noqa: ASYNC110 - without markers nobody tells of an expiry
            await asyncio.sleep(0.05)
    assert await bucket.get("kept") is not None


async def test_keys_are_those_that_have_a_value(bucket: KeyValue) -> None:
    assert await bucket.keys() == []
    for key in ("a.1", "a.2", "b.1"):
        await bucket.put(key, b"")
    await bucket.delete("a.1")
    assert sorted(await bucket.keys()) == ["a.2", "b.1"]
    assert await bucket.keys("a.*") == ["a.2"]


async def test_listing_keys_leaves_nothing_behind_on_the_server(
    bucket: KeyValue, transport: Transport, name: str
) -> None:
    """A consumer left behind by each listing would fill the server up until it refuses: the bucket reads as empty."""
    await bucket.put("a", b"")
    for _ in range(20):
        assert await bucket.keys() == ["a"]
    if isinstance(transport, NatsTransport):
        assert (await api(transport, f"STREAM.INFO.KV_{name}"))["state"]["consumer_count"] == 0


async def test_a_watcher_gets_what_is_there_then_a_mark_then_each_change(
    bucket: KeyValue, other: Transport, name: str
) -> None:
    for key, value in (("a", b"old"), ("b", b"1"), ("a", b"new")):
        await bucket.put(key, value)
    async with bucket.watch() as entries:
        assert await take(entries, 3) == [("b", b"1", False), ("a", b"new", False), None]
        remote = KeyValue(other, name)
        await remote.put("c", b"2")
        await remote.delete("b")
        assert await take(entries, 2) == [("c", b"2", False), ("b", b"", True)]


async def test_a_watcher_gets_the_keys_of_its_pattern_only(bucket: KeyValue) -> None:
    async with bucket.watch("quotes.*") as entries:
        assert await take(entries, 1) == [None]
        await bucket.put("orders.1", b"")
        await bucket.put("quotes.1", b"")
        assert await take(entries, 1) == [("quotes.1", b"", False)]


async def test_a_watcher_goes_on_after_an_outage(
    network: Network, bucket: KeyValue, transport: Transport, other: Transport, name: str
) -> None:
    await bucket.put("a", b"1")
    async with bucket.watch() as entries:
        assert await take(entries, 2) == [("a", b"1", False), None]
        await interrupt(network, transport, other)
        await KeyValue(other, name).put("b", b"2")
        found = await take(entries, 2)
    assert ("b", b"2", False) in found
    assert ("a", b"1", False) not in found


async def test_history_keeps_as_many_values_of_a_key_as_asked_for(transport: Transport, name: str) -> None:
    bucket = KeyValue(transport, name)
    await bucket.ensure(storage="memory", history=2)
    for i in range(4):
        await bucket.put("a", b"%d" % i)
    async with transport.read(f"KV_{name}") as messages, asyncio.timeout(DEADLINE_S):
        assert [message and message.payload for message in [await anext(messages) for _ in range(3)]] == [
            b"2",
            b"3",
            None,
        ]


async def test_the_history_of_a_key_tells_its_values_and_deletions_in_order(transport: Transport, name: str) -> None:
    bucket = KeyValue(transport, name)
    await bucket.ensure(storage="memory", history=3)
    for value in (b"1", b"2", b"3"):
        await bucket.put("a", value)
        await bucket.put("b", value)
    await bucket.delete("a")
    assert [(one.value, one.deleted) for one in await bucket.history("a")] == [
        (b"2", False),
        (b"3", False),
        (b"", True),
    ]
    assert await bucket.history("never") == []


@pytest.mark.parametrize("key", ["", ".a", "a.", "a..b", "a b", "a*", "*", "a.>", "ä"])
async def test_a_key_that_is_none_is_refused(bucket: KeyValue, key: str) -> None:
    for refused in (bucket.put(key, b""), bucket.get(key), bucket.delete(key)):
        with pytest.raises(ConfigurationError):
            await refused


async def test_a_bucket_name_that_is_none_is_refused(transport: Transport) -> None:
    for wrong in ("", "a.b", "*", "a b", "ä"):
        with pytest.raises(ConfigurationError):
            KeyValue(transport, wrong)


# Other clients


async def test_another_client_reads_and_writes_the_same_bucket(nats_access: NatsAccess, name: str) -> None:
    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    client = Client()
    await client.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    ours = KeyValue(transport, name)
    await ours.ensure(storage="memory")
    theirs = await client.jetstream().key_value(name)
    revision = await ours.create("a.b", b"ours")
    entry = await theirs.get("a.b")
    assert (entry.value, entry.revision) == (b"ours", revision)
    await theirs.update("a.b", b"theirs", last=revision)
    with pytest.raises(RevisionMismatch):
        await ours.update("a.b", b"late", revision)
    await ours.put("c", b"")
    assert sorted(await theirs.keys()) == sorted(await ours.keys()) == ["a.b", "c"]
    await theirs.delete("a.b")
    await theirs.purge("c")
    assert await ours.keys() == []
    await ours.put("d", b"")
    await ours.delete("d")
    assert [entry.operation for entry in await theirs.history("d")] == ["DEL"]
    await client.close()
    await transport.close()


async def test_a_bucket_is_made_as_another_client_makes_it(nats_access: NatsAccess, name: str) -> None:
    transport = await NatsTransport.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    client = Client()
    await client.connect(nats_access.urls, user=nats_access.user, password=nats_access.password)
    await KeyValue(transport, f"{name}-ours").ensure(storage="memory", history=3, max_age_s=60)
    theirs = KeyValueConfig(bucket=f"{name}-theirs", history=3, ttl=60, storage=StorageType.MEMORY, direct=True)
    await client.jetstream().create_key_value(theirs)
    made = [(await api(transport, f"STREAM.INFO.KV_{name}-{who}"))["config"] for who in ("ours", "theirs")]
    for config in made:
        for theirs_alone in ("name", "subjects", "metadata"):
            config.pop(theirs_alone)
    assert made[0] == made[1]
    await client.close()
    await transport.close()
