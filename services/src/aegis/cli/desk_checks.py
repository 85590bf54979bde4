"""The checks of `aegis doctor` that ask a running desk."""

from __future__ import annotations

import asyncio
import shutil
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aegis.cli.checks import Check
from aegis.cli.desk import NoDesk, address, connect, is_remote, local_run
from aegis.cli.ledger_checks import ledger_checks
from aegis_sdk import subjects
from aegis_sdk.census import registered
from aegis_sdk.errors import STREAM_NOT_FOUND, AegisError, RpcError, StreamError
from aegis_sdk.transport_nats import streams

if TYPE_CHECKING:
    from aegis.operations.state import StateDirectory
    from aegis_sdk.instances import Instance
    from aegis_sdk.transport_nats import NatsTransport

__all__ = ["desk_checks", "process_checks", "ticks_check"]

_SLOW_PING_MS: Final = 20
_PING_S: Final = 1.0
_TICKS: Final = "TICKS"
_FULL: Final = 0.9
"""A stream of which so much is used discards already."""
_REACH: Final = timedelta(hours=24)
"""So far a stream should reach back: a trading day with the night before it."""


async def desk_checks(directory: StateDirectory) -> list[Check]:
    """The processes of a local desk, and NATS and the services of whichever is meant. Few, where none runs."""
    try:
        address()
    except NoDesk as error:
        killed = "killed" in str(error)
        return [Check("desk", "WARN" if killed else "OK", "none runs", "`aegis up` starts one")]
    except AegisError as error:
        return [Check("desk", "FAIL", str(error), "set this variable right, or unset it")]
    checks = [] if is_remote() else process_checks(directory)
    try:
        async with connect("doctor") as transport:
            checks += [await _ping(transport), await _jetstream(transport), await _ticks(transport, directory)]
            checks += [*await ledger_checks(transport), *await _services(transport)]
    except AegisError as error:
        checks.append(Check("nats", "FAIL", str(error), "`aegis logs nats` may tell why; is AEGIS_NATS_URL right?"))
    return checks


def process_checks(directory: StateDirectory) -> list[Check]:
    """The processes of a local desk, as its run file tells. Raises NoDesk."""
    run = local_run(directory)
    checks = [Check("desk", "OK", f"{run.state} (pid {run.supervisor.pid})")]
    for one in run.processes:
        look = f"`aegis logs {one.name}` tells why"
        if one.state == "FAILED":
            checks.append(
                Check(
                    one.name, "FAIL", f"given up; the last: {one.last_exit}", f"{look}; then `aegis down`, `aegis up`"
                )
            )
        elif one.state != "RUNNING":
            checks.append(Check(one.name, "WARN", f"{one.state} {one.last_exit}".strip(), look))
        elif one.restarts:
            checks.append(Check(one.name, "WARN", f"restarted {one.restarts} times; the last: {one.last_exit}", look))
    return checks


async def _ping(transport: NatsTransport) -> Check:
    began = time.perf_counter()
    await transport.flush()
    took = (time.perf_counter() - began) * 1000
    found = f"answers in {took:.1f} ms ({transport.connected_to})"
    if took > _SLOW_PING_MS:
        return Check("nats", "WARN", found, "the machine or the network is busy: `aegis ps` shows by whom")
    return Check("nats", "OK", found)


async def _jetstream(transport: NatsTransport) -> Check:
    try:
        info = await streams.api(transport, "INFO")
    except (AegisError, RpcError) as error:
        return Check("jetstream", "FAIL", str(error), "NATS must run with JetStream: `aegis logs nats`")
    return Check("jetstream", "OK", f"{info.get('streams', 0)} streams, {_size(info.get('storage', 0))} on disk")


async def _ticks(transport: NatsTransport, directory: StateDirectory) -> Check:
    try:
        info: dict[str, Any] = await streams.api(transport, f"STREAM.INFO.{_TICKS}")
    except StreamError as error:
        if error.code == STREAM_NOT_FOUND:
            return Check(
                "ticks", "WARN", "there is no stream TICKS yet", "market data makes it: `aegis logs marketdata`"
            )
        raise
    return ticks_check(info, None if is_remote() else shutil.disk_usage(directory.path).free, datetime.now(UTC))


def ticks_check(info: dict[str, Any], free: int | None, now: datetime) -> Check:
    """What the answer to STREAM.INFO says of TICKS, with so many bytes free beside it (None: nobody knows)."""
    used, bound = info["state"]["bytes"], info["config"].get("max_bytes", -1)
    if bound < 0:
        return Check("ticks", "WARN", f"{_size(used)}, without a bound", "give the stream max_bytes")
    messages = info["state"]["messages"]
    reach = now - datetime.fromisoformat(info["state"]["first_ts"]) if messages else timedelta()
    hours = f"the oldest of {reach / timedelta(hours=1):.1f} hours ago"
    found = f"{_size(used)} of {_size(bound)}, {messages:,} messages, {hours}; what is older is discarded"
    if free is not None and bound - used > free:
        return Check("ticks", "WARN", found, "the disk is full before the stream is: make room, or lower max_bytes")
    if used > _FULL * bound and reach < _REACH:
        hint = "what ticked earlier cannot be followed: raise AEGIS_TICKS_MAX_BYTES, or choose AEGIS_CODEC=msgpack"
        return Check("ticks", "WARN", found, hint)
    return Check("ticks", "OK", found)


async def _services(transport: NatsTransport) -> list[Check]:
    try:
        living, _ = await registered(transport)
    except TimeoutError:
        return [Check("registry", "FAIL", "cannot be read in time", "is JetStream healthy? `aegis logs nats`")]
    oldest = max((one.age_s for one in living), default=0.0)
    registry = Check("registry", "OK", f"instances: {len(living)}, the oldest heartbeat {oldest * 1000:.0f} ms old")
    return [registry, *await asyncio.gather(*(_alive(transport, one) for one in living))]


async def _alive(transport: NatsTransport, instance: Instance) -> Check:
    service, name = instance.record.service, instance.record.instance
    began = time.perf_counter()
    try:
        await transport.request(subjects.direct(service, name, "ping"), b"", timeout=_PING_S)
    except AegisError as error:
        return Check(name, "FAIL", f"does not answer: {error}", f"`aegis logs {name}`")
    took = (time.perf_counter() - began) * 1000
    if instance.status == "UNHEALTHY":
        return Check(name, "FAIL", "says that it is unhealthy", f"`aegis logs {name}`")
    return Check(name, "OK", f"{instance.status}, answers in {took:.1f} ms")


def _size(count: int) -> str:
    return f"{count / 10**9:.2f} GB" if count >= 10**9 else f"{count / 10**6:.1f} MB"
