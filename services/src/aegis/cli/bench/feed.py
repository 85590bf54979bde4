"""`aegis bench feed`: whatever happens to the feed that publishes, the other one goes on behind its last tick."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aegis.cli.bench.feed_cluster import Pauses, nodes_killed
from aegis.cli.bench.feed_pair import INSTANCES, STALL_S, FeedPair
from aegis.cli.bench.figures import Case, Report, latencies_ms
from aegis.cli.bench.tried import Say
from aegis_sdk.server import EmbeddedServer

__all__ = ["FAULTS", "LONG", "SHORT", "bench_feed", "play"]

SHORT: Final = 2
LONG: Final = 50
_RATE: Final = 2_000.0
_LEAD_S: Final = 0.3

Hurt = Callable[[FeedPair, str], Awaitable[None]]


def _front(instance: str) -> int:
    return INSTANCES.index(instance)


async def _kill_session(pair: FeedPair, active: str) -> None:
    pair.kill_session(active)


async def _kill_process(pair: FeedPair, active: str) -> None:
    await pair.kill(active)


async def _stop_process(pair: FeedPair, active: str) -> None:
    pair.send_signal(active, signal.SIGSTOP)


async def _refuse(pair: FeedPair, active: str) -> None:
    """Its session is dropped, and every further login refused."""
    front = _front(active)
    await pair.counter.control.fault(f"login_error@market.{front}=7")
    await pair.counter.control.fault(f"login_error@trader.{front}=7")
    await pair.counter.control.fault(f"accept_and_close@market.{front}")


async def _hand_over(pair: FeedPair, active: str) -> None:
    await pair.hand_over(active)


async def _take_down(pair: FeedPair, active: str) -> None:
    await pair.counter.control.send("front_down", front=_front(active))


async def _stall(pair: FeedPair, active: str) -> None:
    await pair.counter.control.fault(f"stall@market.{_front(active)}")


FAULTS: Final[dict[str, Hurt]] = {
    "session_killed": _kill_session,
    "process_killed": _kill_process,
    "process_stopped": _stop_process,
    "refused": _refuse,
    "unreachable": _take_down,
    "stalled": _stall,
    "handed_over": _hand_over,
}


async def bench_feed(server: EmbeddedServer, *, rounds: int, faults: Sequence[str], say: Say) -> Report:
    """A case for each fault: the longest pause that a subscriber of all instruments sees. On a cluster a node dies too.

    `lost`, `repeated` and `left_out` compare what it had with what the counter wrote down, by instrument, over all;
    the same with `stored_` what the stream has. `takeovers` are those in which no instance was killed with its node.
    """
    async with FeedPair.of(server, rate=_RATE) as pair:
        pauses: Pauses = {name: [] for name in faults}
        for number in range(rounds):
            for name in faults:
                pauses[name].append(await play(pair, FAULTS[name]))
                say(f"{name} {number + 1}/{rounds}: {pauses[name][-1] * 1e3:.0f} ms")
        figures: dict[str, float] = {}
        if len(server.nodes) > 1:  # the same feeds: behind their ticks those of another counter would count as old
            killed, takeovers = await nodes_killed(server, pair, rounds=rounds, say=say)
            pauses |= killed
            figures["takeovers"] = float(takeovers)
        await pair.proven()
        figures |= {name: float(count) for name, count in (await pair.compared())._asdict().items()}
        figures |= {f"stored_{name}": float(count) for name, count in (await pair.stored())._asdict().items()}
    say(f"compared: {figures}")
    return Report("feed", [_case(name, seconds, figures) for name, seconds in pauses.items()])


async def play(pair: FeedPair, hurt: Hurt) -> float:
    """The longest pause while one feed is hurt and the other takes over; both are well again afterwards."""
    active = await pair.settled()
    pair.listener.begin()
    await asyncio.sleep(_LEAD_S)
    await hurt(pair, active)
    await pair.taken_over(active)
    await asyncio.sleep(_LEAD_S)
    pause_s = pair.listener.longest_s
    await _mend(pair, active)
    return pause_s


async def _mend(pair: FeedPair, hurt: str) -> None:
    await pair.counter.control.send("clear")
    await pair.counter.control.send("front_up", front=_front(hurt))
    if not pair.is_running(hurt):
        await pair.start(hurt)
    else:
        pair.send_signal(hurt, signal.SIGCONT)
    await pair.settled()


def _case(name: str, seconds: Sequence[float], compared: dict[str, float]) -> Case:
    stall = f"; silence is a stall after {STALL_S:g} s" if name == "stalled" else ""
    return Case(name, {**latencies_ms(seconds), **compared}, note=f"{_RATE:,.0f} ticks/s, {len(seconds)} rounds{stall}")
