"""Steps of the tests of the ledger."""

import asyncio
from collections.abc import Mapping

import msgspec

from aegis_sdk import subjects
from aegis_sdk.election_events import Claim
from aegis_sdk.errors import AegisError
from aegis_sdk.ledger import Journal, Ledger
from aegis_sdk.ledger.records import Lease, LeaseState, Result, Verdict, encode_entry
from aegis_sdk.transport import Transport

from .stored import stored

TIMEOUT_S = 20.0
VACANT = Lease(LeaseState.VACANT, "a-1", "i")


async def claim(
    ledger: Ledger, expected: Mapping[str, int], *, holder: str = "a-1", attempt: str = "t"
) -> Mapping[str, int | AegisError]:
    claims = [Claim(key, sequence, 0, 75) for key, sequence in expected.items()]
    return await ledger.claim(claims, holder=holder, incarnation="i", attempt=attempt, timeout=TIMEOUT_S)


async def claimed(ledger: Ledger, key: str = "k", expected: int = 0, holder: str = "a-1") -> int:
    epoch = (await claim(ledger, {key: expected}, holder=holder))[key]
    assert isinstance(epoch, int), epoch
    return epoch


def an_entry(epoch: int, n: int = 1, key: str = "") -> bytes:
    return encode_entry(epoch, n, [Result(key or f"call-{n}", Verdict.OK, msgspec.Raw(b"1"))])


async def contents(transport: Transport, ledger: Ledger, key: str = "k") -> list[tuple[str, int]]:
    """What is stored of a key: part and sequence."""
    shard = ledger.shard(key)
    found = await stored(transport, f"LEDGER_{shard}", subjects.ledger(shard, ledger.service, key, "*"))
    return [(subjects.split(message.subject)[4], message.sequence) for message in found]


async def folded(ledger: Ledger, key: str) -> Journal:
    journal = Journal()
    async with asyncio.timeout(TIMEOUT_S), ledger.journals(ledger.shard(key), key) as entries:
        async for read in entries:
            if read is None:
                break
            journal.take(read.entry, read.sequence)
    return journal
