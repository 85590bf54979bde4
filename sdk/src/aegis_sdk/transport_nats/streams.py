"""JetStream's management requests, spoken as the JSON that the server documents (ADR-1, ADR-31).

nats-py's JetStream client lacks settings of recent servers (`persist_mode`, `allow_atomic`), hence our own few lines.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from typing import Any, Final

import msgspec

from aegis_sdk import codec, subjects
from aegis_sdk.errors import (
    STREAM_NOT_FOUND,
    AegisError,
    CodecError,
    ConnectionUnavailable,
    DeadlineExceeded,
    StreamError,
    Unavailable,
)
from aegis_sdk.messages import Message, StoredMessage
from aegis_sdk.transport import StreamConfig, Transport
from aegis_sdk.transport_nats.frames import parse_headers

CONSUMER_NOT_FOUND: Final = 10014
_STARTING: Final = {10005, 10008, 10009, 10023, 10074}
"""The server or its cluster is not ready yet: too few servers that the leader knows to be there, temporarily
unavailable, no leader, insufficient resources, no cluster."""

_ENSURE_S: Final = 15.0
_RETRY_S: Final = 0.1
_ANSWER_S: Final = 5.0
_PROBE_S: Final = 0.005
_PATIENCE_S: Final = (0.25, 2.0)
"""A stream without a leader never answers what it is asked: it is asked again soon, and less often as time goes."""
_NS: Final = 1_000_000_000
_API: Final = "$JS.API."


class _ErrorBody(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Acknowledgement(msgspec.Struct):
    seq: int = 0
    error: _ErrorBody | None = None


_acknowledgement = msgspec.json.Decoder(_Acknowledgement)


def acknowledged_sequence(payload: bytes) -> int:
    """The sequence that the server's acknowledgement of a publish carries; StreamError if it refused."""
    try:
        ack = _acknowledgement.decode(payload)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not an acknowledgement: {payload[:100]!r}") from error
    if ack.error is not None:
        raise StreamError(ack.error.description, ack.error.err_code)
    return ack.seq


def settle(sequence: asyncio.Future[int], asked: asyncio.Future[Message], *, opening: bool = False) -> None:
    """Bring the acknowledgement that was asked for to who waits for its sequence.

    That of a message which opens a batch is empty and settles nothing, unless the server refuses the batch with it.
    """
    if asked.cancelled():
        sequence.cancel()
        return
    error = asked.exception()  # looked at even if nobody waits any more, or the loop would complain of it
    if sequence.done() or (opening and error is None and not asked.result().payload):
        return
    try:
        sequence.set_result(acknowledged_sequence(asked.result().payload))
    except AegisError as failure:
        sequence.set_exception(failure)


def is_api(subject: str) -> bool:
    """Whether JetStream itself answers a request to this subject."""
    return subject.startswith(_API)


async def api(transport: Transport, verb: str, body: Any = None, timeout: float = 5.0) -> dict[str, Any]:
    """One request to the JetStream API; its JSON reply. Raises StreamError for an error in it."""
    payload = b"" if body is None else codec.encode_json(body)
    reply: dict[str, Any] = codec.decode_json((await transport.request(f"{_API}{verb}", payload, {}, timeout)).payload)
    error = reply.get("error")
    if error:
        raise StreamError(str(error.get("description", "refused")), int(error.get("err_code", 0)))
    return reply


def settings(config: StreamConfig) -> dict[str, Any]:
    """The configuration as the server names it, as far as it can be changed."""
    return {
        "name": config.name,
        "subjects": list(config.subjects),
        "storage": config.storage,
        "num_replicas": config.replicas,
        "retention": "workqueue" if config.work_queue else "limits",
        "discard": "new" if config.discard_new else "old",
        "deny_delete": config.deny_delete,
        "deny_purge": config.deny_purge,
        "max_bytes": config.max_bytes,
        "max_age": int(config.max_age_s * _NS),
        "max_msgs_per_subject": config.max_per_subject,
        "duplicate_window": int(min(config.duplicate_window_s, config.max_age_s or config.duplicate_window_s) * _NS),
        "allow_direct": config.allow_direct,
        "allow_msg_ttl": config.message_ttl,
        "subject_delete_marker_ttl": int(config.marker_ttl_s * _NS),
        "allow_rollup_hdrs": config.rollup,
        "allow_atomic": config.atomic,
        **({"persist_mode": "async"} if config.persist_async else {}),
        **({"subject_transform": _transform(*config.renamed)} if config.renamed else {}),
    }


def _transform(published: str, stored: str) -> dict[str, str]:
    return {"src": f"{published}.{subjects.REST}", "dest": f"{stored}.{subjects.REST}"}


def _renamed(transform: dict[str, str] | None) -> tuple[str, str] | None:
    if not transform:
        return None
    return transform["src"].removesuffix(f".{subjects.REST}"), transform["dest"].removesuffix(f".{subjects.REST}")


async def ensure(transport: Transport, config: StreamConfig) -> None:
    """Create or change a stream; returns when it answers.

    Waits up to 15 s for a JetStream that is only starting, or a stream of which somebody else has just made the first
    of its replicas.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ENSURE_S
    patience, longest = _PATIENCE_S
    while True:
        try:
            await _ensure_once(transport, config, patience)
            return
        except (StreamError, Unavailable, DeadlineExceeded, ConnectionUnavailable) as error:
            final = isinstance(error, StreamError) and error.code not in _STARTING
            if final or loop.time() > deadline:
                raise
        patience = min(2 * patience, longest)
        await asyncio.sleep(_RETRY_S)


async def _ensure_once(transport: Transport, config: StreamConfig, patience: float) -> None:
    """One attempt, `patience` seconds for each answer. What it may leave half done the next one finds or repeats."""
    name, wanted = config.name, settings(config)
    try:
        present = (await api(transport, f"STREAM.INFO.{name}", timeout=patience))["config"]
    except StreamError as error:
        if error.code != STREAM_NOT_FOUND:
            raise
        first = {"first_seq": config.first_sequence} if config.first_sequence else {}
        await api(transport, f"STREAM.CREATE.{name}", wanted | first, patience)
    else:
        if any(present.get(field, _absent(value)) != value for field, value in wanted.items()):
            await api(transport, f"STREAM.UPDATE.{name}", {**present, **wanted}, patience)
    if config.replicas > 1:
        await _await_interest(transport, config.subjects[-1], patience)


async def _await_interest(transport: Transport, subject: str, patience: float) -> None:
    """Return when what is published to a replicated stream reaches its leader.

    Of a new stream that may be some time after its creation was acknowledged: it has no leader yet, or its interest has
    not come to our node. It is asked to store a message on the condition that it is another stream, so it answers and
    stores nothing. Raises Unavailable or DeadlineExceeded where nobody answers within `patience` seconds.
    """
    probed = subject.replace(subjects.ANY, "_").replace(subjects.REST, "_")
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            await transport.request(probed, b"", {"Nats-Expected-Stream": "_"}, patience)
            return
        except Unavailable:
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(_PROBE_S)


def _absent(value: Any) -> Any:
    """What a setting is that the server leaves out of its reply: the zero of its type."""
    return type(value)()


async def _asked(transport: Transport, verb: str, body: Any = None) -> dict[str, Any]:
    """An answer to a question that changes nothing, asked again where it gets none within 5 s.

    What comes while a stream changes its leader is dropped by all servers, without a word.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ANSWER_S
    patience, longest = _PATIENCE_S
    while True:
        try:
            return await api(transport, verb, body, min(patience, max(deadline - loop.time(), 0)))
        except DeadlineExceeded:
            if loop.time() >= deadline:
                raise
        patience = min(2 * patience, longest)


async def configuration(transport: Transport, stream: str) -> StreamConfig:
    found = (await _asked(transport, f"STREAM.INFO.{stream}"))["config"]
    return StreamConfig(
        name=found["name"],
        subjects=found.get("subjects", ()),
        storage=found["storage"],
        replicas=found["num_replicas"],
        max_bytes=found["max_bytes"],
        max_age_s=found["max_age"] / _NS,
        max_per_subject=found["max_msgs_per_subject"],
        duplicate_window_s=found.get("duplicate_window", 0) / _NS,
        allow_direct=found.get("allow_direct", False),
        persist_async=found.get("persist_mode", "") == "async",
        work_queue=found["retention"] == "workqueue",
        discard_new=found["discard"] == "new",
        deny_delete=found.get("deny_delete", False),
        deny_purge=found.get("deny_purge", False),
        message_ttl=found.get("allow_msg_ttl", False),
        marker_ttl_s=found.get("subject_delete_marker_ttl", 0) / _NS,
        rollup=found.get("allow_rollup_hdrs", False),
        atomic=found.get("allow_atomic", False),
        first_sequence=found.get("first_seq", 0),
        renamed=_renamed(found.get("subject_transform")),
    )


async def last(transport: Transport, stream: str, subject: str) -> StoredMessage | None:
    """The last message of a subject, read at the stream's leader."""
    return await _message(transport, stream, {"last_by_subj": subject})


async def behind(transport: Transport, stream: str, subject: str, after: int) -> StoredMessage | None:
    """The first message of a subject behind a sequence, read at the stream's leader."""
    return await _message(transport, stream, {"next_by_subj": subject, "seq": after + 1})


async def _message(transport: Transport, stream: str, which: dict[str, Any]) -> StoredMessage | None:
    try:
        found = (await _asked(transport, f"STREAM.MSG.GET.{stream}", which))["message"]
    except StreamError as error:
        if error.code == 10037:  # no message found
            return None
        raise
    block = base64.b64decode(found.get("hdrs", ""))
    return StoredMessage(
        subject=found["subject"],
        payload=base64.b64decode(found.get("data", "")),
        headers=parse_headers(block) if block else {},
        sequence=found["seq"],
        timestamp_ns=timestamp_ns(found["time"]),
    )


async def last_sequence(transport: Transport, stream: str) -> int:
    return int((await _asked(transport, f"STREAM.INFO.{stream}"))["state"]["last_seq"])


async def purge(transport: Transport, stream: str, subject: str, before: int) -> int:
    if before <= 1:  # the server would take 0 for no bound, and delete all
        return 0
    return int((await api(transport, f"STREAM.PURGE.{stream}", {"filter": subject, "seq": before}))["purged"])


def timestamp_ns(rfc3339: str) -> int:
    """A server's timestamp (UTC, at most nine digits of fraction) as nanoseconds since 1970."""
    whole, _, fraction = rfc3339.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * _NS + int(fraction.ljust(9, "0"))
