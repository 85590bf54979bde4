"""`aegis bench failover`: how long a key has no active instance, as its callers see it, and what must not end its turn.

Three instances in processes of their own, and callers which commit with each call. In the cases of `instance_faults`
and `many_keys` the holder is harmed; in those of `cluster_faults` the cluster or the machine, and no key may move.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from aegis.cli.bench import cluster_faults, instance_faults, many_keys
from aegis.cli.bench.cases import FailoverCase
from aegis.cli.bench.figures import Case, Report
from aegis.cli.bench.tried import Say
from aegis.cli.bench.witness import witness
from aegis_sdk.server import EmbeddedServer

__all__ = ["LONG", "LONG_OF_A_CLUSTER", "SHORT", "Extent", "bench_failover"]


class Extent(NamedTuple):
    """How long each case is played."""

    rounds: int  # of sigkill, sigstop and handover, each
    rounds_of_many: int
    leaders_killed: int
    rolling_restarts: int  # of all three nodes
    busy_s: float
    many: int = 1_000


SHORT: Final = Extent(5, 2, 1, 1, 20.0)
LONG: Final = Extent(100, 10, 30, 10, 600.0)
LONG_OF_A_CLUSTER: Final = LONG._replace(rounds=30)


async def bench_failover(
    server: EmbeddedServer, *, cases: Collection[FailoverCase], extent: Extent, say: Say
) -> Report:
    """Play the cases one after the other; `say` hears of each round.

    `stale`: answers and commits of a deposed instance that were accepted; `lost`: answered calls whose commit is not
    in the ledger; `failed`: calls that ended with an error instead of an answer, `unknown` those of them of which
    nobody could say whether they were done; `switches`: epochs that began though every instance was in health;
    `machine_gap_max_ms`, `disk_sync_max_ms`: for how long the machine kept an idle process from running, and a write
    from the disk.
    """
    rounds = extent.rounds
    plays: Mapping[FailoverCase, Callable[[], Awaitable[Case]]] = {
        FailoverCase.SIGKILL: partial(instance_faults.sigkill, server, rounds, say),
        FailoverCase.SIGSTOP: partial(instance_faults.sigstop, server, rounds, say),
        FailoverCase.HANDOVER: partial(instance_faults.handover, server, rounds, say),
        FailoverCase.MANY_KEYS: partial(many_keys.many_keys, server, extent.rounds_of_many, extent.many, say),
        FailoverCase.LEADER_KILLED: partial(cluster_faults.leader_killed, server, extent.leaders_killed, say),
        FailoverCase.ROLLING_RESTART: partial(cluster_faults.rolling_restart, server, extent.rolling_restarts, say),
        FailoverCase.BUSY: partial(cluster_faults.busy, server, extent.busy_s, say),
    }
    played: list[Case] = []
    async with witness(server) as beside:
        for case, play in plays.items():
            if case in cases:
                await beside.worst()
                made = await play()
                played.append(replace(made, aegis={**made.aegis, **await beside.worst()}))
    return Report("failover", played)
