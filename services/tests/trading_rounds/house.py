"""The processes of the rounds: a cluster, both venues, two instances that trade at both, and a market that moves."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from paper_stage import DAY, FEED, PaperHouse, connect, instruments, paper_house, ready, tick

from aegis.contracts.tick_codec import tick_codec
from aegis.contracts.trading import SERVICE
from aegis.exchanges.sessions import next_trading_day
from aegis.profiles.writing import write_profile
from aegis_sdk import NatsTransport, subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import AegisError
from aegis_sdk.server import EmbeddedServer
from aegis_sdk.testing import NatsAccess
from ctpsim.testing import RunningFront, front

PAPER: Final = "P0"
PAPERS: Final = (PAPER, "P1")
"""The accounts at the paper venue. They are one group, and so one key:"""
GROUP: Final = "pair"
INSTANCES: Final = ("first", "second")
SETTLE_S: Final = 4.0
"""An order that the counter has not heard of for so long is called not sent: longer than most that a round stops."""
KEEP: Final = os.environ.get("AEGIS_TRADING_LOGS", "")
"""A directory for what the instances log."""
DEADLINE_S: Final = 60.0
"""A busy machine takes long to start a process."""
_TESTS: Final = Path(__file__).parent.parent
_JSON: Final = tick_codec("json")
_RISK: Final = (
    f'tick_feeds = ["sim/{FEED}"], max_position_lots = 100_000, orders_per_s = 1000, cancels_per_s = 1000, '
    "day_limits = { SHFE = { cancels = 1_000_000, self_trades = 1_000_000 } }"
)


@dataclass
class House:
    server: EmbeddedServer
    counter: RunningFront
    paper: PaperHouse
    transport: NatsTransport
    directory: Directory
    accounts_file: Path
    traded: dict[str, tuple[str, int]]
    """The instrument of each account, and the price around which it moves."""
    instances: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, "subprocess.Popen[bytes]"])
    strikes: Iterator[tuple[str, str, str, signal.Signals]] = field(default_factory=lambda: iter(()))
    """Those of this round, one after the other."""
    strikes_of_a_day: Iterator[tuple[str, str, str, signal.Signals]] = field(default_factory=lambda: iter(()))
    day: str = DAY
    """Of the paper venue's market, and the price at which the day before it was settled:"""
    settled: int = 3000
    harming: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """One fault of an instance, or of the nodes, at a time."""
    _seen: set[str] = field(default_factory=set[str])  # incarnations

    @property
    def ctp(self) -> str:
        """The account at the counter."""
        return self.counter.user.user_id

    @staticmethod
    def key(account: str) -> str:
        """Under which it is held."""
        return GROUP if account in PAPERS else account

    def next_day(self, chance: Random) -> None:
        """Let the market of the paper venue go on with its next trading day."""
        self.day, self.settled = next_trading_day(self.day), 3000 + chance.randint(-9, 9)

    def start(self, name: str) -> None:
        self.instances[name] = start_trading(self.paper, self.accounts_file, name)

    def order(self, name: str, line: str) -> None:
        """See `struck`."""
        to = self.instances[name].stdin
        assert to is not None
        to.write(line.encode() + b"\n")
        to.flush()

    async def holder(self, account: str) -> str:
        """Who holds an account; waits for somebody."""

        def found(directory: Directory) -> list[str]:
            return [one.record.instance for one in directory.instances(SERVICE) if key in one.record.keys]

        key = self.key(account)

        await self.directory.wait_for(lambda known: bool(found(known)), DEADLINE_S)
        return found(self.directory)[0]

    async def restart(self, name: str) -> None:
        """After its end."""
        self.instances[name].wait()
        self.start(name)
        await self.running(name)

    async def running(self, name: str) -> None:
        """Return when the process that was started last is there."""

        def new(known: Directory) -> set[str]:
            of_name = {one.record.incarnation for one in known.instances(SERVICE) if one.record.instance == name}
            return of_name - self._seen

        await self.directory.wait_for(lambda known: bool(new(known)), DEADLINE_S)
        self._seen |= new(self.directory)

    async def move(self, chance: Random) -> None:
        """The market, until cancelled: each account's instrument around its price, and what waits there is filled."""
        while True:
            for account, (instrument, middle) in self.traded.items():
                last = middle + chance.randint(-4, 4)
                of_day = {"trading_day": self.day, "action_day": self.day, "pre_settlement_price": float(self.settled)}
                facts = of_day if account in PAPERS else {}
                one = tick(instrument, (last - 1, 50), (last + 1, 50), last, 1, **facts)
                try:
                    self.transport.publish(subjects.tick(one.exchange, one.symbol), _JSON.encode(one), _JSON.headers)
                except AegisError:
                    continue  # its node is away: the next one comes
                if account == self.ctp:
                    book = {"bids": [(last - 1, 50)], "asks": [(last + 1, 50)], "last_price": last}
                    await self.counter.control.send("tick", symbol=one.symbol, hold=True, **book)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def begun(server: EmbeddedServer, directory: Path) -> AsyncIterator[House]:
    """All of it, on a cluster, with accounts that have traded nothing; its processes are gone afterwards."""
    user = server.credentials
    access = NatsAccess(urls=server.urls, user=user.user, password=user.password)
    async with AsyncExitStack() as stack:
        counter = await stack.enter_async_context(
            front(market="load", day="20251128", limits={"query_interval_ms": 20})
        )
        paper = stack.enter_context(paper_house(access, len(PAPERS)))
        transport = await connect(access)
        stack.push_async_callback(transport.close)
        found = await stack.enter_async_context(Directory.open(transport))
        rebar = (await instruments(transport, "SHFE", "rb", DEADLINE_S))[-1]
        traded = {**dict.fromkeys(PAPERS, (rebar, 3000)), counter.user.user_id: ("SHFE.rb2605", 3080)}
        accounts = accounts_at(counter, directory, papers=PAPERS)
        house = House(server, counter, paper, transport, found, accounts, traded)
        market = asyncio.create_task(house.move(Random(1)))
        stack.callback(market.cancel)
        for name in INSTANCES:
            house.start(name)
        for account in PAPERS:
            await ready(transport, account, DEADLINE_S)
        for name in INSTANCES:
            await house.running(name)
        yield house


def start_trading(house: PaperHouse, accounts: Path, name: str) -> subprocess.Popen[bytes]:
    """An instance that asks its counter fast, and can be told to strike itself."""
    return house.start(
        "trading_rounds.struck",
        log=str(Path(KEEP) / f"{name}.log") if KEEP else os.devnull,
        AEGIS_INSTANCE=name,
        AEGIS_ACCOUNTS=str(accounts),
        AEGIS_SETTLE_S=f"{SETTLE_S:g}",
        PYTHONPATH=os.pathsep.join((str(_TESTS), os.environ.get("PYTHONPATH", ""))),
    )


def accounts_at(counter: RunningFront, directory: Path, risk: str = _RISK, papers: Sequence[str] = (PAPER,)) -> Path:
    """A file of the accounts at each venue; several at the paper venue are a group."""
    profile, accounts = directory / "counter.toml", directory / "accounts.toml"
    write_profile(profile, counter.libraries, counter.access.login())
    group = f'group = "{GROUP}"' if len(papers) > 1 else ""
    at_paper = "".join(f'[accounts.{one}]\nenv = "paper"\n{group}\nrisk = {{ {risk} }}\n' for one in papers)
    accounts.write_text(f"""
    {at_paper}
    [accounts.{counter.user.user_id}]
    env = "sim"
    venue = "ctp"
    profile = "{profile}"
    rules = {{ closing = "average", close_holds_commission = false }}
    risk = {{ {risk} }}
    """)
    return accounts


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    try:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def go_on(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)
