"""The streams of the ledger: how many there are, and where their leaders run."""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import structlog

from aegis_sdk import codec, subjects
from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    AegisError,
    ConfigurationError,
    ConnectionUnavailable,
    DeadlineExceeded,
    StreamError,
    Unavailable,
)
from aegis_sdk.messages import EXPECTED_SEQUENCE
from aegis_sdk.transport import StreamConfig, Transport

__all__ = ["Shortcoming", "open_streams", "present_streams", "shard_of", "shortcomings", "stream_of"]

_log = structlog.get_logger("aegis.ledger")

SHARDS: Final = 3
"""Of a ledger with replicas: as many as nodes, so that the loss of one stops a third of the keys for some seconds."""

_STARTING_S: Final = 15.0
_RETRY_S: Final = 0.1
_ELECTION_S: Final = 2.0
_PATIENCE_S: Final = 0.25
_POLL_S: Final = 0.005

_MANDATORY: Final = {
    "allow_direct": "allow_direct",
    "rollup": "allow_rollup_hdrs",
    "atomic": "allow_atomic",
    "max_bytes": "max_bytes",
    "max_age_s": "max_age",
    "max_per_subject": "max_msgs_per_subject",
}
"""Settings that are as the ledger made them, or it is none: our names and the server's."""
_FOR_GOOD: Final = {"storage": "storage", "persist_async": "persist_mode"}
"""Those that no server changes."""


class Shortcoming(NamedTuple):
    """What is wrong with a stream of the ledger, and what to do. Nothing is ever changed by itself."""

    problem: str
    todo: str


def stream_of(shard: int) -> str:
    return f"LEDGER_{shard}"


def shard_of(key: str, shards: int) -> int:
    """Where a key is kept: the same on every host, in every version, for as long as the ledger lives."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % shards


async def open_streams(transport: Transport, replicas: int, first_sequence: int = 0) -> int:
    """The number of shards. Streams that are there decide it, and stay as they are; missing ones are made.

    What falls short of `replicas` or of the mandatory settings raises an alarm: an error in the log. The highest is
    made first. So whoever finds any knows how many it will be, though they are not all there yet.
    """
    present = await present_streams(transport)
    await asyncio.gather(*(_await_leader(transport, shard, _STARTING_S) for shard in present))
    for shard in present:
        for problem, todo in shortcomings(await transport.stream_config(stream_of(shard)), replicas):
            _log.error("alarm", stream=stream_of(shard), problem=problem, todo=todo)
    shards = _shards(present, replicas)
    missing = sorted(set(range(shards)) - set(present), reverse=True)
    for shard in missing:
        await transport.ensure_stream(_config(shard, replicas, first_sequence))
    if missing and replicas > 1:
        await _spread_leaders(transport, shards)
    return shards


def _shards(present: list[int], replicas: int) -> int:
    """How many there are, or will be. Raises ConfigurationError where one that there was is gone."""
    if not present:
        return SHARDS if replicas > 1 else 1
    if present == [0]:
        return 1
    lost = sorted(set(range(present[0], SHARDS)) - set(present))
    if lost:
        streams = ", ".join(map(stream_of, lost))
        raise ConfigurationError("ledger", f"{streams} is gone: see docs/operations.md, Restoring a ledger")
    return SHARDS


def _config(shard: int, replicas: int, first_sequence: int) -> StreamConfig:
    return StreamConfig(
        name=stream_of(shard),
        subjects=[subjects.ledger(shard, subjects.ANY, subjects.ANY, subjects.ANY)],
        replicas=replicas,
        allow_direct=False,
        rollup=True,
        atomic=True,
        first_sequence=first_sequence,
    )


def shortcomings(config: StreamConfig, replicas: int) -> list[Shortcoming]:
    """Why a stream of the ledger is not one to rely on, where `replicas` are wanted at least."""
    edit, anew = f"nats stream edit {config.name}", "make the ledger anew: docs/operations.md, Restoring a ledger"
    wanted = _config(0, replicas, 0)
    found: list[Shortcoming] = []
    if config.replicas < replicas:
        todo = f"stop all who use the ledger, then `{edit} --replicas {replicas}`"
        found.append(Shortcoming(f"{config.replicas} of {replicas} replicas: it is lost with its servers", todo))
    for field, setting in (_MANDATORY | _FOR_GOOD).items():
        present, mandatory = getattr(config, field), getattr(wanted, field)
        if present != mandatory:
            todo = anew if field in _FOR_GOOD else f"`{edit} --interactive`, and look for what is lost"
            found.append(Shortcoming(f"{setting} is not as the ledger needs it: {present}, not {mandatory}", todo))
    return found


async def present_streams(transport: Transport) -> list[int]:
    """The shards that there are; waits up to 15 s for a JetStream that only starts."""
    deadline = asyncio.get_running_loop().time() + _STARTING_S
    return [shard for shard in range(SHARDS) if await _exists(transport, stream_of(shard), deadline)]


async def _exists(transport: Transport, stream: str, deadline: float) -> bool:
    while True:
        try:
            await transport.last_sequence(stream)
            return True
        except (StreamError, Unavailable, DeadlineExceeded, ConnectionUnavailable) as error:
            if isinstance(error, StreamError) and error.code == STREAM_NOT_FOUND:
                return False
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_RETRY_S)


async def _spread_leaders(transport: Transport, shards: int) -> None:
    """Have each shard led by a node that leads no other, as far as there are such nodes and it is done soon.

    Others who made the ledger at the same moment do the same: what is asked while a leader changes has no answer.
    """
    deadline = asyncio.get_running_loop().time() + _ELECTION_S
    while asyncio.get_running_loop().time() < deadline:
        try:
            return await _spread_once(transport, shards)
        except (DeadlineExceeded, StreamError):
            await asyncio.sleep(_POLL_S)
        except AegisError:  # nobody can be asked
            return None
    return None


async def _spread_once(transport: Transport, shards: int) -> None:
    leading: set[str] = set()
    for shard in range(shards):
        stream = stream_of(shard)
        cluster: dict[str, Any] = (await _ask(transport, f"STREAM.INFO.{stream}")).get("cluster", {})
        leader: str = cluster.get("leader", "")
        if not leader:
            raise StreamError(f"{stream} has no leader now")
        free = [peer["name"] for peer in cluster.get("replicas", ()) if peer["name"] not in leading]
        if leader in leading and free:
            leader = free[0]
            await _ask(transport, f"STREAM.LEADER.STEPDOWN.{stream}", {"placement": {"preferred": leader}})
            await _await_leader(transport, shard, _ELECTION_S)
        leading.add(leader)


async def _await_leader(transport: Transport, shard: int, timeout: float) -> None:
    """Return when somebody takes what is written into the shard: here, what must be refused.

    A shard that somebody else has made just now has no leader yet. Raises why nobody does within `timeout` seconds.
    """
    subject = subjects.ledger(shard, "_", "_", "proof")
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        try:
            await transport.append(subject, b"", {EXPECTED_SEQUENCE: "1"}, _PATIENCE_S)
        except StreamError:
            return
        except (Unavailable, DeadlineExceeded, ConnectionUnavailable):
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_POLL_S)


async def _ask(transport: Transport, verb: str, body: Any = None) -> dict[str, Any]:
    payload = b"" if body is None else codec.encode_json(body)
    answer = await transport.request(f"$JS.API.{verb}", payload, timeout=_PATIENCE_S)
    return codec.decode_json(answer.payload)
