"""A benchmark process: offers quotes to the pipeline, or publishes ticks by a bare loop of nats-py."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
import sys
import time
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from aegis.cli.bench.workers import asked, connect, run, tell
from aegis.contracts.market import Quote
from aegis.contracts.tick_codec import tick_codec
from aegis.marketdata.adapters.bus import TICKS, StreamPublisher, ticks_stream
from aegis.marketdata.adapters.replay import read_quotes
from aegis.marketdata.adapters.simulated.clock import SessionClock
from aegis.marketdata.adapters.simulated.market import Market
from aegis.marketdata.domain.sequencer import Origin
from aegis.marketdata.pipeline import Pipeline
from aegis.marketdata.ports import Alone
from aegis_sdk.transport import StreamConfig

_OFFERED_AT_ONCE: Final = 500
_SEEDED: Final = 113_000
"""Quotes of ten minutes, as many as the whole market has in a busy morning."""
_TURN_S: Final = 0.002
_DRAIN_S: Final = 30.0


def quotes_of(source: str, most: int = _SEEDED) -> list[Quote]:
    """The burst, parsed ahead: a recording, or the first of as many seeded quotes of the simulated market as the whole
    market's, if need be all."""
    if source:
        return list(read_quotes(Path(source), lambda *_: None))
    market = Market(SessionClock("20250102"), seed=7, rate=_SEEDED / 600)
    market.watch(instrument.id for instrument in market.instruments)
    share = min(1.0, 2 * most / _SEEDED)  # the first second has fewer
    return market.step(int(share * 600 * 1_000_000_000), time.time_ns())[:most]


def stream(replicas: int) -> StreamConfig:
    return ticks_stream(replicas=replicas, max_bytes=1 << 30)


async def publish_by_aegis(codec_name: str, seconds: float, rate: int, quotes: list[Quote], replicas: int) -> None:
    """Offer the burst until the time is up, at `rate` a second where it is not 0; tell what became of it."""
    transport = await connect()
    codec = tick_codec(codec_name)
    epoch = time.time_ns()
    origin = Origin(env="sim", feed="bench", source="bench", session="bench", epoch=epoch)
    pipeline = Pipeline(codec, StreamPublisher(transport, codec.headers, stream=stream(replicas)))
    running = asyncio.create_task(pipeline.run())
    await _begin(pipeline, origin)
    tell("ready")
    await asked()
    cpu_s = time.process_time()
    first_ns = time.time_ns()
    if rate:
        await _offer_paced(pipeline, quotes, seconds, rate)
    else:
        await _offer_bursts(pipeline, origin, quotes, seconds)
    pipeline.stop(_DRAIN_S)
    await running
    stats = pipeline.stats()
    tell(
        {
            "ticks": stats.bridge.offered,
            "stored": stats.outlet.stored,
            "first_offered_ns": first_ns,
            "last_stored_ns": stats.outlet.last_stored_ns,
            "cpu_us": (time.process_time() - cpu_s) * 1e6,
        }
    )
    await transport.close()


async def _offer_bursts(pipeline: Pipeline, origin: Origin, quotes: list[Quote], seconds: float) -> None:
    bridge = pipeline.bridge
    until = time.monotonic() + seconds
    for repeat in range(1_000_000):
        for start in range(0, len(quotes), _OFFERED_AT_ONCE):
            await bridge.room()
            for quote in quotes[start : start + _OFFERED_AT_ONCE]:
                bridge.offer(quote)
            await asyncio.sleep(0)
        if time.monotonic() > until:
            return
        await pipeline.leave(_DRAIN_S)
        await pipeline.stand_by()
        await _begin(pipeline, dataclasses.replace(origin, epoch=origin.epoch + repeat + 1))


async def _begin(pipeline: Pipeline, origin: Origin) -> None:
    await pipeline.open(origin, Alone())
    pipeline.take_over(origin, same_market=False)


async def _offer_paced(pipeline: Pipeline, quotes: list[Quote], seconds: float, rate: int) -> None:
    started = time.monotonic()
    count = int(rate * seconds)
    sent = 0
    while sent < count:
        due = min(count, int((time.monotonic() - started) * rate))
        while sent < due:
            pipeline.bridge.offer(replace(quotes[sent % len(quotes)], ts_received_ns=time.time_ns()))
            sent += 1
        await asyncio.sleep(_TURN_S)


async def publish_plainly(seconds: float, quotes: list[Quote], replicas: int) -> None:
    """What a bare loop would do: encode, publish, and now and then wait for an acknowledgement."""
    from aegis.cli.bench.plain import connect as connect_plain
    from aegis.marketdata.domain.sequencer import Sequencer

    transport = await connect()
    await transport.ensure_stream(stream(replicas))
    before = await transport.last_sequence(TICKS)
    await transport.close()
    sequencer = Sequencer(Origin(env="sim", feed="bench", source="bench", session="bench", epoch=time.time_ns()))
    ticks = [sequencer.stamp(quote) for quote in quotes]
    encode = tick_codec("msgpack").encode
    nc = await connect_plain()
    tell("ready")
    await asked()
    cpu_s = time.process_time()
    first_ns = time.time_ns()
    until = time.monotonic() + seconds
    sent = markers = 0
    acks: list[asyncio.Task[object]] = []
    while time.monotonic() < until:
        for number, (subject, tick) in enumerate(ticks, 1):
            await nc.publish(subject, encode(tick), headers={"Aegis-Codec": "msgpack"})
            if number % 1000 == 0:
                markers += 1
                acks.append(asyncio.create_task(nc.request("tickmark.plain", b"", timeout=30)))
                if len(acks) >= 8:
                    await acks.pop(0)
        sent += len(ticks)
    await asyncio.gather(*acks)
    last = json.loads((await nc.request("tickmark.plain", b"", timeout=30)).data)["seq"]
    last_ns = time.time_ns()
    tell(
        {
            "ticks": sent,
            "stored": last - before - markers - 1,
            "first_offered_ns": first_ns,
            "last_stored_ns": last_ns,
            "cpu_us": (time.process_time() - cpu_s) * 1e6,
        }
    )
    await nc.close()


def main(contender: str, seconds: str, rate: str, source: str, replicas: str, most: str = str(_SEEDED)) -> None:
    """At a rate no more quotes than are offered."""
    quotes = quotes_of(source, math.ceil(float(seconds) * int(rate)) or int(most))
    if contender == "plain":
        run(publish_plainly(float(seconds), quotes, int(replicas)))
    else:
        run(publish_by_aegis(contender, float(seconds), int(rate), quotes, int(replicas)))


if __name__ == "__main__":
    main(*sys.argv[1:])
