"""`aegis bench feed`: whatever happens to the feed that publishes, the other one goes on behind its last tick."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Final

from aegis.cli.bench.cases import OF_A_FEED_CLUSTER, FeedCase
from aegis.cli.bench.feed_cluster import node_killed
from aegis.cli.bench.feed_pair import INSTANCES, FeedPair
from aegis.cli.bench.feed_record import Comparison
from aegis.cli.bench.figures import Case, Report, latencies_ms
from aegis.cli.bench.tried import Say
from aegis_sdk.server import EmbeddedServer

__all__ = ["FAULTS", "LONG", "SHORT", "bench_feed", "play"]

SHORT: Final = 2
LONG: Final = 50
_LEAD_S: Final = 0.3
_TAKEN_OVER_MS: Final = 300.0
_EXACT: Final = {
    f"{of}{figure}": 0.0 for of in ("", "stored_") for figure in ("lost", "repeated", "left_out", "untrue")
}
_NO_BAR: Final = frozenset({FeedCase.PROCESS_STOPPED, FeedCase.FEED_TOO_KILLED})
"""Whose pause has none."""

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


FAULTS: Final[dict[FeedCase, Hurt]] = {
    FeedCase.SESSION_KILLED: _kill_session,
    FeedCase.PROCESS_KILLED: _kill_process,
    FeedCase.PROCESS_STOPPED: _stop_process,
    FeedCase.REFUSED: _refuse,
    FeedCase.UNREACHABLE: _take_down,
    FeedCase.STALLED: _stall,
    FeedCase.HANDED_OVER: _hand_over,
}


async def bench_feed(
    server: EmbeddedServer, *, rounds: int, cases: Sequence[FeedCase], rate: float, stall_s: float, say: Say
) -> Report:
    """A case for each fault: the longest pause that a subscriber of all instruments sees. On a cluster a node dies too.

    `lost`, `repeated`, `left_out` and `untrue` compare what it had with what the counter wrote down, by instrument,
    from the begin of each of its rounds to the next round; the same with `stored_` what the stream has. `takeovers` are
    those in which no instance was killed.
    """
    pauses: defaultdict[FeedCase, list[float]] = defaultdict(list)
    takeovers: defaultdict[FeedCase, int] = defaultdict(int)
    async with FeedPair.of(server, rate=rate, stall_s=stall_s) as pair:
        for number in range(rounds):
            for case in cases:  # those of a cluster with the same feeds: the quotes of another counter would be old
                before = max(1, len(pair.listener.epochs))
                is_node = case in OF_A_FEED_CLUSTER
                pauses[case].append(await (node_killed(server, pair, case) if is_node else play(pair, case)))
                takeovers[case] += max(0, len(pair.listener.epochs) - before)
                say(f"{case} {number + 1}/{rounds}: {pauses[case][-1] * 1e3:.0f} ms")
        await pair.proven()
        compared, stored = await pair.compared(), await pair.stored()
    report: list[Case] = []
    for case, seconds in pauses.items():
        figures = {**latencies_ms(seconds), **_figures(compared[case]), **_figures(stored[case], "stored_")}
        bars = dict(_EXACT)
        if case in OF_A_FEED_CLUSTER - {FeedCase.FEED_TOO_KILLED}:
            figures["takeovers"], bars["takeovers"] = float(takeovers[case]), 0.0
        if case not in _NO_BAR:
            bars["max_ms"] = _TAKEN_OVER_MS + (stall_s * 1e3 if case is FeedCase.STALLED else 0)
        stall = f"; silence is a stall after {stall_s:g} s" if case is FeedCase.STALLED else ""
        note = f"{rate:,.0f} ticks/s, {len(seconds)} rounds{stall}"
        report.append(Case(case, figures, note=note, bars=bars))
    return Report("feed", report)


def _figures(found: Comparison, of: str = "") -> dict[str, float]:
    return {f"{of}{name}": float(count) for name, count in asdict(found).items()}


async def play(pair: FeedPair, case: FeedCase) -> float:
    """The longest pause while one feed is hurt and the other takes over; both are well again afterwards."""
    active = await pair.settled()
    pair.begin(case)
    await asyncio.sleep(_LEAD_S)
    await FAULTS[case](pair, active)
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
