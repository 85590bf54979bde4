"""A ledger out of an older copy of a lost one.

A copy put in the old one's place would give out epochs again that somebody holds: their holder's writes and those of
the new one would both be taken. So a new ledger is made, whose sequences begin above every epoch that ever was.
"""

from __future__ import annotations

import structlog

from aegis_sdk import subjects
from aegis_sdk.errors import CodecError, ConfigurationError
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import decode_entry, encode_entry
from aegis_sdk.ledger.streams import open_streams, present_streams, shard_of, stream_of
from aegis_sdk.transport import Transport

__all__ = ["restore"]

_log = structlog.get_logger("aegis.ledger")


async def restore(copy: Transport, target: Transport, *, above: int, replicas: int) -> int:
    """Make the ledger anew from a copy; how many journals it has.

    First stop all who use the ledger. `copy` is connected to a server that runs on the copy, for this alone; `target`
    to where the new ledger shall be, and where there is none. `above` is at least the highest epoch that was ever
    held: logs, metrics and callers know, the copy does not. `replicas` is 3 on a cluster, for good. Leases are not
    copied, so every key is free. Where this ends early, delete the new streams, and begin again.

    Raises ConfigurationError where this is not so, Contradiction for a journal that nobody can trust.
    """
    if await present_streams(target):
        raise ConfigurationError("target", "has a ledger; delete its streams first")
    copied = await present_streams(copy)
    if not copied:
        raise ConfigurationError("copy", "has no ledger")
    last = max([await copy.last_sequence(stream_of(shard)) for shard in copied])
    if above < last:
        raise ConfigurationError("above", f"{above} is below {last}, where the copy ends")
    journals: dict[tuple[str, str], Journal] = {}
    for shard in copied:
        await _fold(copy, shard, journals)
    shards = await open_streams(target, replicas, first_sequence=above + 1)
    for (service, key), journal in journals.items():
        subject = subjects.ledger(shard_of(key, shards), service, key, "journal")
        for n, part in enumerate(journal.copy(), start=1):
            await target.append(subject, encode_entry(journal.epoch, n, (part,)))
    return len(journals)


async def _fold(copy: Transport, shard: int, journals: dict[tuple[str, str], Journal]) -> None:
    """Fold all journals of a shard, of every service."""
    pattern = subjects.ledger(shard, subjects.ANY, subjects.ANY, "journal")
    async with copy.read(stream_of(shard), pattern) as messages:
        async for message in messages:
            if message is None:
                return
            _, _, service, key, _ = subjects.split(message.subject)
            journal = journals.setdefault((service, key), Journal())
            try:
                journal.take(decode_entry(message.payload), message.sequence)
            except CodecError as error:  # as every reader of the copy did; where an entry is missing by it, that shows
                _log.error("ledger_unreadable", subject=message.subject, sequence=message.sequence, problem=str(error))
            except Contradiction as error:
                raise Contradiction(f"{service}.{key}: {error}") from error
