"""The ledger on real servers: elections of its shards under load, and an older copy that comes back."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from aegis_sdk import codec
from aegis_sdk.election_events import Claim
from aegis_sdk.errors import AegisError, DeadlineExceeded, EpochEnded, StreamError, Unavailable
from aegis_sdk.ledger import Fate, HeldEpoch, Journal, Ledger, classify, restore
from aegis_sdk.ledger.records import Result, Verdict, encode_entry
from aegis_sdk.server import EmbeddedServer, ServerOptions
from aegis_sdk.testing import nats_server
from aegis_sdk.transport_nats import NatsTransport, streams

WRITE_S = 1.0
DEADLINE_S = 60
SERVICE = "accounts"


@asynccontextmanager
async def connected(server: EmbeddedServer) -> AsyncGenerator[NatsTransport]:
    user = server.credentials
    transport = await NatsTransport.connect(server.urls, user=user.user, password=user.password)
    try:
        yield transport
    finally:
        await transport.close()


async def ask(transport: NatsTransport, verb: str) -> dict[str, Any]:
    """What JetStream answers; asked again while a shard that elects its leader drops the question."""
    while True:
        with suppress(DeadlineExceeded, Unavailable):
            return codec.decode_json((await transport.request(f"$JS.API.{verb}", b"", timeout=0.5)).payload)


async def leader_of(transport: NatsTransport, stream: str) -> str:
    """Once it has one."""
    while not (leader := (await ask(transport, f"STREAM.INFO.{stream}")).get("cluster", {}).get("leader")):
        pass
    return leader


async def claim(ledger: Ledger, expected: int, holder: str, key: str = "k") -> int | AegisError:
    claims = [Claim(key, expected, 0, 75)]
    return (await ledger.claim(claims, holder=holder, incarnation="i", attempt=holder, timeout=WRITE_S))[key]


async def held_by(ledger: Ledger, expected: int, holder: str) -> HeldEpoch:
    """A claim that ends well, whatever its tries meet."""
    while True:
        outcome = await claim(ledger, expected, holder)
        if not isinstance(outcome, AegisError):
            return ledger.epoch("k", outcome)
        with suppress(DeadlineExceeded, Unavailable):  # it may have landed, and its shard may still elect
            found = await ledger.lease("k")
            if found is not None and found[0].attempt == holder:
                return ledger.epoch("k", found[1])


def an_entry(epoch: int, n: int) -> bytes:
    return encode_entry(epoch, n, [Result(f"{epoch}-{n}", Verdict.OK)])


async def folded(ledger: Ledger) -> Journal:
    journal = Journal()
    async with ledger.journals(ledger.shard("k"), "k") as entries:
        async for read in entries:
            if read is None:
                break
            journal.take(read.entry, read.sequence)
    return journal


# Elections


class Writing:
    """A holder that commits entry after entry, the same one again until its fate is known, until its epoch ends."""

    def __init__(self, held: HeldEpoch) -> None:
        self.acknowledged: list[str] = []
        self.enough = False
        self._held = held
        self._grown = asyncio.Event()

    async def run(self) -> None:
        while not self.enough:
            n = len(self.acknowledged) + 1
            try:
                await self._held.commit(an_entry(self._held.epoch, n), WRITE_S)
            except AegisError as error:
                if classify(error) is Fate.ENDED:
                    return
            else:
                self.acknowledged.append(f"{self._held.epoch}-{n}")
                self._grown.set()

    async def more(self, count: int = 10) -> None:
        """Return when so many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        while len(self.acknowledged) < wanted:
            self._grown.clear()
            await self._grown.wait()


async def step_down(transport: NatsTransport, stream: str) -> None:
    """Have the stream's leader stand down; return when there is another."""
    before = await leader_of(transport, stream)
    while await leader_of(transport, stream) == before:  # it may be elected again
        await ask(transport, f"STREAM.LEADER.STEPDOWN.{stream}")


async def test_guarded_writes_outlive_the_elections_of_their_shard() -> None:
    """Every acknowledged entry is in the journal, once, in its epoch, however often the shard's leader changes."""
    async with (
        asyncio.timeout(DEADLINE_S),
        nats_server(nodes=3) as server,
        connected(server) as transport,
        connected(server) as other,
    ):
        ledger, theirs = await Ledger.open(transport, SERVICE, replicas=3), await Ledger.open(other, SERVICE)
        assert (ledger.shards, theirs.shards) == (3, 3)
        stream = f"LEDGER_{ledger.shard('k')}"
        held = await held_by(ledger, 0, "a-1")
        first = Writing(held)
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(first.run())
            for _ in range(3):
                await first.more()
                await step_down(other, stream)
            next_held = await held_by(theirs, held.epoch, "a-2")
            await writing  # the guard has ended it
            second = Writing(next_held)
            group.create_task(second.run())
            for _ in range(3):
                await second.more()
                await step_down(transport, stream)
            await second.more()
            second.enough = True
        journal = await folded(ledger)
        committed = [change.idempotency_key for change in journal.changes]
        never_heard_of = committed[len(first.acknowledged) : len(committed) - len(second.acknowledged)]
        assert committed == [*first.acknowledged, *never_heard_of, *second.acknowledged]
        assert len(never_heard_of) <= 1
        assert (journal.epoch, journal.n) == (next_held.epoch, len(second.acknowledged))
        with pytest.raises(StreamError) as caught:
            await held.commit(an_entry(held.epoch, 10**6), WRITE_S)
        assert classify(caught.value) is Fate.ENDED


async def test_each_shard_of_a_new_ledger_is_led_by_a_node_of_its_own() -> None:
    """So the death of a node stops the writes of a third of the keys; and only the leader answers reads."""
    async with asyncio.timeout(DEADLINE_S), nats_server(nodes=3) as server, connected(server) as transport:
        await Ledger.open(transport, SERVICE, replicas=3)
        shards = [f"LEDGER_{shard}" for shard in range(3)]
        assert len({await leader_of(transport, shard) for shard in shards}) == 3
        for shard in shards:
            config = (await ask(transport, f"STREAM.INFO.{shard}"))["config"]
            assert (config["num_replicas"], config["storage"]) == (3, "file")
            assert not config["allow_direct"]
            assert not config["mirror_direct"]


async def test_a_ledger_with_too_few_replicas_keeps_what_it_has_when_it_gets_them() -> None:
    """As the alarm says: by an edit of its stream."""
    async with asyncio.timeout(DEADLINE_S), nats_server(nodes=3) as server, connected(server) as transport:
        held = await held_by(await Ledger.open(transport, SERVICE), 0, "a-1")
        await held.commit(an_entry(held.epoch, 1), WRITE_S)
        with capture_logs() as logs:
            await Ledger.open(transport, SERVICE, replicas=3)
        assert "--replicas 3" in next(log["todo"] for log in logs if log["event"] == "alarm")
        config = (await ask(transport, "STREAM.INFO.LEDGER_0"))["config"]
        await streams.api(transport, "STREAM.UPDATE.LEDGER_0", {**config, "num_replicas": 3})
        with capture_logs() as logs:
            ledger = await Ledger.open(transport, SERVICE, replicas=3)
        assert "alarm" not in [log["event"] for log in logs]
        assert (await held_by(ledger, held.epoch, "a-2")).epoch > held.epoch
        assert list((await folded(ledger)).outcomes) == [f"{held.epoch}-1"]


# An older copy


def served(directory: Path) -> EmbeddedServer:
    return EmbeddedServer(ServerOptions(directory=directory))


async def test_only_a_ledger_made_anew_keeps_a_holder_from_before_out(tmp_path: Path) -> None:
    """Put in place, an older copy gives an epoch out again that somebody holds, and takes the writes of both."""
    async with asyncio.timeout(DEADLINE_S):
        async with served(tmp_path / "live") as server, connected(server) as live:
            first = await held_by(await Ledger.open(live, SERVICE), 0, "a-1")
            await first.commit(an_entry(first.epoch, 1), WRITE_S)
        for name in ("in place", "copy"):
            shutil.copytree(tmp_path / "live", tmp_path / name)
        async with served(tmp_path / "live") as server, connected(server) as live:
            deposed = (await held_by(await Ledger.open(live, SERVICE), first.epoch, "a-2")).epoch

        async with served(tmp_path / "in place") as server, connected(server) as wrong:
            ledger = await Ledger.open(wrong, SERVICE)
            assert (await held_by(ledger, first.epoch, "a-3")).epoch == deposed
            await ledger.epoch("k", deposed).commit(an_entry(deposed, 1), WRITE_S)

        async with (
            served(tmp_path / "copy") as old_server,
            served(tmp_path / "new") as new_server,
            connected(old_server) as copy,
            connected(new_server) as target,
        ):
            assert await restore(copy, target, above=deposed, replicas=1) == 1
            ledger = await Ledger.open(target, SERVICE)
            assert list((await folded(ledger)).outcomes) == [f"{first.epoch}-1"]
            for _ in range(2):  # while nobody holds the key, and when somebody does
                for epoch in (first.epoch, deposed):
                    with pytest.raises(StreamError) as caught:
                        await ledger.epoch("k", epoch).commit(an_entry(epoch, 2), WRITE_S)
                    assert classify(caught.value) is Fate.ENDED
                found = await ledger.lease("k")
                assert (await held_by(ledger, found[1] if found else 0, "a-3")).epoch > deposed
            assert isinstance(await claim(ledger, deposed, "a-2"), EpochEnded)
