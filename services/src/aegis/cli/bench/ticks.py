"""`aegis bench ticks`: quotes through domain and pipeline into JetStream, decoded by a subscriber; three processes.

The quotes are parsed ahead. The burst is offered as fast as the pipeline takes it, again and again until the time is
up, each time as a new epoch. Its rate is ticks divided by the time from the first tick offered to the later of the
last one stored and the last one decoded. The baseline is a bare loop of msgspec and nats-py: the same ticks, made
ahead, encoded and published to the same stream, without domain or accounting, and decoded by nats-py's subscriber.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from aegis.cli.bench.figures import Case, Figures, Report
from aegis.cli.bench.workers import worker
from aegis_sdk.server import EmbeddedServer

_PUBLISHER = "aegis.cli.bench.tick_publisher"
_SUBSCRIBER = "aegis.cli.bench.tick_subscriber"

Contender = Literal["msgpack", "json", "plain"]


Turns = Sequence[tuple[Contender, float]]
"""Contenders in the order of their turns, and the seconds of each."""

SHORT: Final[Turns] = [("plain", 3), ("msgpack", 10), ("json", 4), ("plain", 3)]
_LONG_ROUND: Final[Turns] = [("msgpack", 12), ("plain", 12), ("json", 12)]
LONG: Final[Turns] = [turn for _ in range(5) for turn in _LONG_ROUND]


async def bench_ticks(
    server: EmbeddedServer, *, replay: Path | None, nodes: int, turns: Turns, paced_s: float, burst: int | None = None
) -> Report:
    """Cases burst, burst_json and 5k. Of several turns of a contender the figures are the median.

    `burst` is how many ticks a seeded one has, where it is not that of a whole market.
    """
    arguments = (str(replay) if replay else "", str(nodes))
    taken: dict[str, list[Figures]] = {"msgpack": [], "plain": [], "json": []}
    for contender, seconds in turns:
        most = (str(burst),) if burst else ()
        taken[contender].append(await _burst(server, contender, seconds, *arguments, *most))
    paced = await _paced(server, paced_s, *arguments)
    note = f"burst of {replay.name}" if replay else "a seeded burst of the simulated market, not recorded ticks"
    plain = _median(taken["plain"])
    return Report(
        "ticks",
        [
            Case("burst", _median(taken["msgpack"]), plain, note),
            Case("burst_json", _median(taken["json"]), plain, "JSON against the same bare loop of MessagePack"),
            Case("5k", paced, note="from receipt to the subscriber's handler, 5,000 ticks a second"),
        ],
    )


async def _burst(server: EmbeddedServer, contender: str, seconds: float, *arguments: str) -> Figures:
    async with (
        worker(server, _SUBSCRIBER, contender) as subscriber,
        worker(server, _PUBLISHER, contender, str(seconds), "0", *arguments) as publisher,
    ):
        await publisher.say("go")
        sent: dict[str, Any] = await publisher.hear(seconds * 4 + 60)
        await subscriber.say(str(sent["ticks"]))
        got: dict[str, Any] = await subscriber.hear()
    until_ns = max(sent["last_stored_ns"], got["last_decoded_ns"])
    return {
        "rate_per_s": sent["ticks"] / ((until_ns - sent["first_offered_ns"]) / 1e9),
        "lost": sent["ticks"] - min(sent["stored"], got["ticks"]),
        "cpu_us_per_item": sent["cpu_us"] / sent["ticks"],
        "subscriber_cpu_us_per_item": got["cpu_us"] / sent["ticks"],
        "ticks": sent["ticks"],
    }


async def _paced(server: EmbeddedServer, seconds: float, *arguments: str) -> Figures:
    async with (
        worker(server, _SUBSCRIBER, "msgpack") as subscriber,
        worker(server, _PUBLISHER, "msgpack", str(seconds), "5000", *arguments) as publisher,
    ):
        await publisher.say("go")
        sent: dict[str, Any] = await publisher.hear(seconds * 4 + 60)
        await subscriber.say(str(sent["ticks"]))
        got: dict[str, Any] = await subscriber.hear()
    return {
        **got["latency"],
        "rate_per_s": sent["ticks"] / ((sent["last_stored_ns"] - sent["first_offered_ns"]) / 1e9),
        "lost": sent["ticks"] - min(sent["stored"], got["ticks"]),
        "cpu_us_per_item": sent["cpu_us"] / sent["ticks"],
    }


def _median(rounds: list[Figures]) -> Figures:
    """The median of each figure; of what was lost, the worst round."""
    figures = {name: median(figures[name] for figures in rounds) for name in rounds[0]}
    return {**figures, "lost": max(figures["lost"] for figures in rounds)}
