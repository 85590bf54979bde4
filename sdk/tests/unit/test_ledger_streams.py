"""Where the ledger keeps what: how many shards there are, and which of them has a key."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from aegis_sdk.election_events import Claim
from aegis_sdk.errors import ConfigurationError, DeadlineExceeded, Unavailable
from aegis_sdk.ledger import Ledger
from aegis_sdk.ledger.streams import shard_of
from aegis_sdk.messages import NO_HEADERS, Headers
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport


class Recorded(MemoryTransport):
    """Notes which streams are made, and may be told that JetStream is away for some requests."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.made: list[StreamConfig] = []
        self.away = 0
        self.leaderless = 0

    async def ensure_stream(self, config: StreamConfig) -> None:
        self.made.append(config)
        await super().ensure_stream(config)

    async def append(self, subject: str, payload: bytes, headers: Headers = NO_HEADERS, timeout: float = 5.0) -> int:
        if self.leaderless:
            self.leaderless -= 1
            raise DeadlineExceeded("no answer")
        return await super().append(subject, payload, headers, timeout)

    async def last_sequence(self, stream: str) -> int:
        if self.away:
            self.away -= 1
            raise Unavailable("no JetStream yet")
        return await super().last_sequence(stream)


@pytest.fixture
async def transport() -> Recorded:
    return Recorded(MemoryBroker())


@pytest.mark.parametrize(("replicas", "shards"), [(1, 1), (3, 3)])
async def test_a_new_ledger_has_a_shard_for_each_node(transport: Recorded, replicas: int, shards: int) -> None:
    assert (await Ledger.open(transport, "s", replicas=replicas)).shards == shards
    assert {config.name for config in transport.made} == {f"LEDGER_{shard}" for shard in range(shards)}


async def test_no_read_of_a_ledger_is_served_by_a_replica_that_lags(transport: Recorded) -> None:
    await Ledger.open(transport, "s", replicas=3)
    for shard, config in zip((2, 1, 0), transport.made, strict=True):
        assert config == StreamConfig(
            name=f"LEDGER_{shard}",
            subjects=[f"ledger.{shard}.*.*.*"],
            replicas=3,
            allow_direct=False,
            rollup=True,
            atomic=True,
        )


@pytest.mark.parametrize(("first", "then"), [(1, 3), (3, 1)])
async def test_a_ledger_that_is_there_stays_as_it_is(transport: Recorded, first: int, then: int) -> None:
    """With another number of shards, a key's lease would be looked for where it is not."""
    made = await Ledger.open(transport, "s", replicas=first)
    transport.made.clear()
    assert (await Ledger.open(transport, "s", replicas=then)).shards == made.shards
    assert transport.made == []


SOUND = StreamConfig(
    name="LEDGER_0", subjects=["ledger.0.*.*.*"], replicas=3, allow_direct=False, rollup=True, atomic=True
)


@pytest.mark.parametrize(
    ("changes", "problem", "todo"),
    [
        ({"replicas": 1}, "1 of 3 replicas", "--replicas 3"),
        ({"allow_direct": True}, "allow_direct", "--interactive"),
        ({"rollup": False}, "allow_rollup_hdrs", "--interactive"),
        ({"atomic": False}, "allow_atomic", "--interactive"),
        ({"max_bytes": 10**9}, "max_bytes", "--interactive"),
        ({"max_age_s": 60}, "max_age", "--interactive"),
        ({"max_per_subject": 1}, "max_msgs_per_subject", "--interactive"),
        ({"storage": "memory"}, "storage", "anew"),
        ({"replicas": 3, "persist_async": True}, "persist_mode", "anew"),
    ],
)
async def test_opening_a_ledger_that_falls_short_raises_an_alarm_and_changes_nothing(
    transport: Recorded, changes: dict[str, Any], problem: str, todo: str
) -> None:
    present = replace(SOUND, **changes)
    await transport.ensure_stream(present)
    with capture_logs() as logs:
        await Ledger.open(transport, "s", replicas=3)
    [alarm] = [log for log in logs if log["event"] == "alarm"]
    assert (alarm["log_level"], alarm["stream"]) == ("error", "LEDGER_0")
    assert problem in alarm["problem"]
    assert todo in alarm["todo"]
    assert await transport.stream_config("LEDGER_0") == present


async def test_a_sound_ledger_raises_no_alarm(transport: Recorded) -> None:
    await Ledger.open(transport, "s", replicas=3)
    with capture_logs() as logs:
        await Ledger.open(transport, "s", replicas=3)
        await Ledger.open(transport, "s", replicas=1)
    assert not logs


async def test_a_ledger_that_is_half_made_is_made_whole(transport: Recorded) -> None:
    """Whoever began it may have died; whoever comes meanwhile must not take it for a smaller one."""

    class Died(Exception):
        pass

    class Dying(Recorded):
        async def ensure_stream(self, config: StreamConfig) -> None:
            if self.made:
                raise Died
            await super().ensure_stream(config)

    dying = Dying(broker := MemoryBroker())
    with pytest.raises(Died):
        await Ledger.open(dying, "s", replicas=3)
    assert (await Ledger.open(Recorded(broker), "s", replicas=1)).shards == 3
    assert (await Ledger.open(Recorded(broker), "s", replicas=3)).shards == 3


@pytest.mark.parametrize("left", [[0, 1], [0, 2], [1]])
async def test_a_ledger_of_which_a_shard_is_gone_is_not_opened(transport: Recorded, left: list[int]) -> None:
    """Made again it would issue its epochs a second time; and with fewer shards keys would be looked for elsewhere."""
    for shard in left:
        await transport.ensure_stream(replace(SOUND, name=f"LEDGER_{shard}", subjects=[f"ledger.{shard}.>"]))
    with pytest.raises(ConfigurationError, match="gone"):
        await Ledger.open(transport, "s", replicas=3)


async def test_a_server_that_takes_only_small_messages_keeps_no_ledger(
    transport: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that it does not take would be sent again for ever."""
    monkeypatch.setattr(Recorded, "max_payload_bytes", 2**19)
    with pytest.raises(ConfigurationError, match="max_payload"):
        await Ledger.open(transport, "s")


async def test_a_jetstream_that_only_starts_is_waited_for(transport: Recorded) -> None:
    await Ledger.open(transport, "s")
    transport.made.clear()
    transport.away = 2
    assert (await Ledger.open(transport, "s")).shards == 1
    assert transport.made == []


async def test_a_shard_that_another_has_just_made_is_waited_for_until_it_takes_writes(transport: Recorded) -> None:
    """It may be known, and have no leader yet."""
    await Ledger.open(transport, "s")
    transport.leaderless = 2
    await Ledger.open(transport, "s")
    assert transport.leaderless == 0


def test_the_shard_of_a_key_never_changes() -> None:
    """Another one after an update would find no lease, and claim a key that is held."""
    assert [shard_of(key, 3) for key in ("A1", "A2", "A3", "rb2505", "k" * 128)] == [2, 0, 1, 2, 0]
    assert {shard_of(key, 1) for key in ("A1", "A2", "A3")} == {0}


def test_keys_are_spread_over_the_shards() -> None:
    counts = Counter(shard_of(f"A{number}", 3) for number in range(3000))
    assert min(counts.values()) > 900


async def test_keys_of_all_shards_are_claimed_together(transport: Recorded) -> None:
    ledger = await Ledger.open(transport, "s", replicas=3)
    claims = [Claim(f"k{number}", 0, 0, 75) for number in range(30)]
    epochs = await ledger.claim(claims, holder="a-1", incarnation="i", attempt="t", timeout=1)
    assert {ledger.shard(claim.key) for claim in claims} == {0, 1, 2}
    for claim in claims:
        found = await ledger.lease(claim.key)
        assert found is not None
        assert found[1] == epochs[claim.key]
