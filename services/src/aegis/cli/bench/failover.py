"""`aegis bench failover`: how long a key has no active instance, as its callers see it.

Three instances in processes of their own, of which one holds the key; two callers, which together call every 10 ms
and commit with each call. A crew serves for five rounds, each with a key that has not moved yet: a key that is taken
over more often within a minute is claimed with a delay.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aegis.cli.bench.crew import INSTANCES, Crew, Held
from aegis.cli.bench.figures import Case, Figures, Report, latencies
from aegis.cli.bench.paced_calls import Answered, Calls, JournalCheck, paced_calls, stale_answers
from aegis.cli.bench.tally import Add
from aegis_sdk import codec, subjects
from aegis_sdk.errors import DeadlineExceeded, RpcError, Unavailable
from aegis_sdk.messages import ERROR_CODE, TIMEOUT_MS
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.single_active.operations import Handover, handover_of

_ROUNDS_A_CREW: Final = 5
_LEAD_S: Final = 0.2
"""Of calls before and after what is measured."""
_REVIVED_S: Final = 1.0
_ASKED: Final = 5
_CALLERS: Final = 64
_HANDOVERS: Final = 16
_RECORDS: Final = 10
_ANSWERED_S: Final = 60.0
_GIVEN_BACK_S: Final = 60.0


class Tried:
    """What the rounds of a case have shown."""

    def __init__(self) -> None:
        self.gaps_s: list[float] = []
        self.counts: Counter[str] = Counter()
        self._answered: list[Answered] = []

    def take(self, gap_s: float, calls: Calls) -> None:
        self.gaps_s.append(gap_s)
        self.note(calls)

    def note(self, calls: Calls) -> None:
        self.counts["failed"] += calls.failed
        self.counts["stale"] += stale_answers(calls.answered)
        self._answered += calls.answered

    async def check(self, crew: Crew) -> None:
        """Look up in the ledger what a crew has done; the end of its rounds."""
        check = JournalCheck()
        async for key, entry, sequence in crew.journals():
            check.take(key, entry, sequence)
        self.counts["stale"] += check.stale
        self.counts["lost"] += check.lost(self._answered)
        self._answered.clear()

    @property
    def figures(self) -> Figures:
        return {**latencies(self.gaps_s), **{name: float(self.counts[name]) for name in ("stale", "lost", "failed")}}


Repair = Callable[[], Awaitable[None]]
"""What is to be done before the next round."""
Round = Callable[[Crew, str, Tried], Awaitable[Repair]]


async def bench_failover(
    server: EmbeddedServer, *, nodes: int, rounds: int, rounds_of_many: int, many: int = 1_000
) -> Report:
    """Cases sigkill, sigstop, handover and many_keys (the last with `rounds_of_many` rounds of `many` keys).

    `stale`: answers and commits of a deposed instance that were accepted; `lost`: answered calls whose commit is not
    in the ledger; `failed`: calls that ended with an error instead of an answer.
    """
    cases: dict[str, tuple[Round, str]] = {
        "sigkill": (_kill, "from SIGKILL to the first answer of the next holder"),
        "sigstop": (_stop, "from SIGSTOP to the first answer of the next holder; afterwards SIGCONT"),
        "handover": (_hand_over, "the longest time between two answers, less the 10 ms between two calls"),
    }
    made: list[Case] = []
    for name, (play, note) in cases.items():
        tried = await _played(server, name, play, rounds, nodes, keys=min(rounds, _ROUNDS_A_CREW))
        if name == "sigstop":
            refused = tried.counts["refused"]
            note += f", when it refused {refused} of {_ASKED * rounds} requests in its old epoch"
        made.append(Case(name, tried.figures, note=note))
    tried = await _played(server, "many", _kill_holder_of_many, rounds_of_many, nodes, keys=many)
    note = f"from SIGKILL to the answer of the last of its keys, a third of {many:,} with {_RECORDS} entries each"
    return Report("failover", [*made, Case("many_keys", tried.figures, note=note)])


async def _played(server: EmbeddedServer, name: str, play: Round, rounds: int, nodes: int, keys: int) -> Tried:
    tried = Tried()
    for first in range(0, rounds, _ROUNDS_A_CREW):
        async with Crew.of(server, f"{name}-{first}", keys=keys, nodes=nodes) as crew:
            if play is _kill_holder_of_many:
                await _fill(crew, tried)
            repair: Repair = crew.settled
            for number in range(min(_ROUNDS_A_CREW, rounds - first)):
                await repair()
                repair = await play(crew, crew.keys[number % keys], tried)
            await tried.check(crew)
    return tried


async def _kill(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, key) as calls:
        holder = await _called_for_a_while(crew, key)
        killed_at = time.perf_counter()
        crew.send_signal(holder.instance, signal.SIGKILL)
        gap_s = await calls.answered_by_later(holder.epoch) - killed_at
    tried.take(gap_s, calls)
    return partial(crew.restart, holder.instance)


async def _stop(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, key) as calls:
        holder = await _called_for_a_while(crew, key)
        stopped_at = time.perf_counter()
        crew.send_signal(holder.instance, signal.SIGSTOP)
        gap_s = await calls.answered_by_later(holder.epoch) - stopped_at
        asked = [asyncio.create_task(_ask_in_epoch(crew, key, holder.epoch)) for _ in range(_ASKED)]
        await asyncio.sleep(_LEAD_S)
        crew.send_signal(holder.instance, signal.SIGCONT)
        for said in await asyncio.gather(*asked):
            tried.counts[said] += 1
    tried.take(gap_s, calls)
    return crew.settled


async def _ask_in_epoch(crew: Crew, key: str, epoch: int) -> str:
    """Ask the holder of an epoch that has ended, as no caller would; what came of it."""
    subject = subjects.active(crew.service.name, key, epoch, crew.service.total.name)
    body, headers = codec.encode_model(Add(amount=0)), {TIMEOUT_MS: str(int(_REVIVED_S * 1000))}
    try:
        reply = await crew.transport.request(subject, body, headers, _LEAD_S + _REVIVED_S)
    except (DeadlineExceeded, Unavailable):
        return "silent"
    return "refused" if ERROR_CODE in reply.headers else "stale"


async def _hand_over(crew: Crew, key: str, tried: Tried) -> Repair:
    async with paced_calls(crew.clients, crew.service.add, key) as calls:
        holder = await _called_for_a_while(crew, key)
        await crew.clients[0].call(handover_of(crew.service.name), Handover(key=key), instance=holder.instance)
        await calls.answered_by_later(holder.epoch)
        await asyncio.sleep(_LEAD_S)
    tried.take(calls.longest_gap_s, calls)
    return _nothing


async def _nothing() -> None:
    """The one who gave the key away can take another at once."""


async def _called_for_a_while(crew: Crew, key: str) -> Held:
    """Who holds the key, when both callers have found it."""
    await asyncio.sleep(_LEAD_S)
    return await crew.holder(key)


# Many keys


async def _fill(crew: Crew, tried: Tried) -> None:
    """Give each instance as many keys as the others, and each key its entries."""
    await crew.settled()
    tried.note(await _call_each(crew, crew.keys, Add(amount=1, changes=_RECORDS)))
    held = await _held(crew)
    fair = -(-len(crew.keys) // len(held))
    spare = [key for keys in held.values() for key in keys[fair:]]
    moves = [(spare.pop(), instance) for instance, keys in held.items() for _ in range(fair - len(keys)) if spare]
    await _hand_over_all(crew, moves)


async def _held(crew: Crew) -> dict[str, list[str]]:
    """The keys of each instance."""
    held: dict[str, list[str]] = {instance: [] for instance in INSTANCES}
    for key in crew.keys:
        held[(await crew.holder(key)).instance].append(key)
    return held


async def _call_each(crew: Crew, keys: list[str], request: Add) -> Calls:
    """Call each key until it answers."""
    calls, callers = Calls(), asyncio.Semaphore(_CALLERS)

    async def call(key: str) -> None:
        async with callers:
            while not await calls.make(crew.clients[0], crew.service.add, key, request):
                pass

    async with asyncio.timeout(_ANSWERED_S), asyncio.TaskGroup() as group:
        for key in keys:
            group.create_task(call(key))
    return calls


async def _kill_holder_of_many(crew: Crew, key: str, tried: Tried) -> Repair:
    victim = (await crew.holder(key)).instance
    keys = (await _held(crew))[victim]
    killed_at = time.perf_counter()
    crew.send_signal(victim, signal.SIGKILL)
    calls = await _call_each(crew, keys, Add(amount=1))
    tried.take(max(call.at for call in calls.answered) - killed_at, calls)
    return partial(_give_back, crew, keys, victim)


async def _give_back(crew: Crew, keys: list[str], instance: str) -> None:
    """Start an instance again, and hand keys over to it, so that it holds as many as before."""
    await crew.restart(instance)
    await _hand_over_all(crew, [(key, instance) for key in keys])


async def _hand_over_all(crew: Crew, moves: list[tuple[str, str]]) -> None:
    """Hand each key over to the instance named with it."""
    handovers = asyncio.Semaphore(_HANDOVERS)

    async def hand_over(key: str, instance: str) -> None:
        async with handovers:
            while (holder := (await crew.holder(key)).instance) != instance:
                try:
                    request = Handover(key=key, to=instance)
                    await crew.clients[0].call(handover_of(crew.service.name), request, instance=holder)
                    return
                except RpcError:  # as long as the instance takes no keys
                    await asyncio.sleep(_LEAD_S)

    async with asyncio.timeout(_GIVEN_BACK_S), asyncio.TaskGroup() as group:
        for key, instance in moves:
            group.create_task(hand_over(key, instance))
