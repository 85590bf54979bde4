"""A trading service without processes: its ledger and its venue are here, and both can fail at every step.

The ledger is a list: what is in it was stored. An instance dies by an exception at a step that a test names, and from
then on neither ledger nor venue hears it; the next one begins from the list, as a takeover does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from samples import TICK
from trading_desk import DAY, REBAR
from trading_venue import ACCOUNT, Connection, Fate, Killed, ScriptedVenue

from aegis.accounting.book import Book
from aegis.contracts.market import Level
from aegis.contracts.trading import SetMode
from aegis.exchanges.sessions import to_utc_ns
from aegis.trading.domain.risk import RiskSettings
from aegis.trading.endpoints import Parts, Trading
from aegis.trading.market import Market
from aegis.trading.settings import AccountSettings, TradingSettings
from aegis.trading.stores import ConfigStore, StatementStore
from aegis_sdk.errors import InternalError, Moved, Rejected, RpcError
from aegis_sdk.events import Events
from aegis_sdk.single_active import Committed, OpenIntent
from aegis_sdk.single_active.key_lock import KeyLock
from aegis_sdk.single_active.writing import MAX_ENTRY_BYTES
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

_DEADLINE_S = 30.0
OPEN_NS = to_utc_ns(DAY, 10 * 3600)
"""A moment at which everything trades."""
_ACCOUNT = {"env": "sim", "venue": "scripted"}


@dataclass
class Stored:
    """What outlives instances: the journal of the key, and what NATS keeps."""

    journal: list[Committed] = field(default_factory=list[Committed])
    snapshot: bytes | None = None
    swallowed: int = 0  # changes of the journal that lie before it
    outcomes: dict[str, Any] = field(default_factory=dict[str, Any])
    intents: dict[str, OpenIntent] = field(default_factory=dict[str, OpenIntent])
    broker: MemoryBroker = field(default_factory=MemoryBroker)


class Ledger:
    """The key as one instance holds it; stands in for both `Held` and what a request's context does with it."""

    def __init__(self, stored: Stored, fate: Fate) -> None:
        self.stored = stored
        self.fate = fate
        self.lock = KeyLock(lambda: 0.0, self._written)
        self.service: Trading | None = None

    async def write(self, kind: Any, name: str, data: bytes, fatal: bool = True) -> None:
        if self.fate.is_dead:
            raise Moved("dead")
        if len(data) > MAX_ENTRY_BYTES:
            raise InternalError(f"{len(data)} bytes are too many for the ledger: {MAX_ENTRY_BYTES} at most")
        step = "intend" if kind == "intent" else "commit"
        if fatal:
            self.fate.comes(step, "before")
        await asyncio.sleep(0)
        if self.fate.is_dead:
            raise Moved("dead")
        change = Committed(len(self.stored.journal) + 1, 1, kind, name, data)
        self.stored.journal.append(change)
        if kind == "intent":
            self.stored.intents[name] = OpenIntent(name, "", data, 1, change.sequence)
        assert self.service is not None
        self.service.apply(ACCOUNT, change)

    async def _written(self, limit: float) -> None:
        """Each write is stored before who made it goes on."""

    def after(self, step: str) -> None:
        self.fate.comes(step, "after")

    async def commit(self, change: bytes) -> int:
        await self.write("result", "", change, fatal=False)
        self.fate.comes("entry", "after")
        return len(self.stored.journal)

    async def prove(self) -> None:
        if self.fate.is_dead:
            raise Moved("dead")


@dataclass
class Context:
    """Stands in for `ActiveContext`."""

    ledger: Ledger
    method: str
    idempotency_key: str
    key: str = ACCOUNT
    time_left: float = 0.2
    intended: bool = False

    @property
    def lock(self) -> KeyLock:
        return self.ledger.lock

    async def intend(self, data: bytes) -> None:
        await self.ledger.write("intent", self.idempotency_key, data)
        found = self.ledger.stored.intents[self.idempotency_key]
        self.ledger.stored.intents[self.idempotency_key] = msgspec.structs.replace(found, method=self.method)
        self.intended = True
        self.ledger.after("intend")

    async def prove(self) -> None:
        await self.ledger.prove()

    async def commit(self, change: bytes, reply: Any) -> Any:
        await self.ledger.write("result", self.idempotency_key, change)
        self.ledger.stored.intents.pop(self.idempotency_key, None)
        self.ledger.stored.outcomes[self.idempotency_key] = reply
        self.ledger.after("commit")
        return reply


class Instance:
    """One instance of the service, from its takeover to its death."""

    def __init__(
        self, stored: Stored, venue: ScriptedVenue, fate: Fate | None = None, file: Mapping[str, Any] = {}, **risk: Any
    ) -> None:
        self.stored = stored
        self.fate = fate or Fate()
        self.ledger = Ledger(stored, self.fate)
        self.transport = MemoryTransport(stored.broker)
        given = {"orders_per_s": 1000, "cancels_per_s": 1000, "max_position_lots": 10_000, **risk}
        self.settings = TradingSettings(
            accounts={ACCOUNT: AccountSettings(**{**_ACCOUNT, **file}, risk=RiskSettings(**given))},
            settle_s=0,
        )
        self.venue = Connection(venue, self.fate)
        self.service = Trading(self.settings, self._parts)
        self.ledger.service = self.service

    def _parts(self, transport: Any) -> Parts:
        risk = {name: one.risk for name, one in self.settings.accounts.items()}
        return Parts(
            venues={"scripted": self.venue},
            market=lambda may_hear: Market(None, may_hear, lambda: OPEN_NS),
            config=ConfigStore(transport, risk),
            statements=StatementStore(transport),
            events=Events(transport),
            voiding=frozenset(("scripted",)) if self.venue.venue.voids else frozenset(),
        )

    async def take(self) -> Instance:
        """Take the key over, as the host does it; returns when the account takes orders, if its venue is up."""
        self.service.transport = self.transport
        await self.service.on_start()
        self.quote()
        self.service.restore(ACCOUNT, self.stored.snapshot)
        for change in self.stored.journal[self.stored.swallowed :]:
            self.service.apply(ACCOUNT, change)
        await self.settle()
        self.service._held = {ACCOUNT: self.ledger}  # type: ignore[assignment]  # pyright: ignore
        await self.service.on_active(ACCOUNT, 1)
        state = self.service.states[ACCOUNT]
        if self.venue.venue.is_up and not self.service.acting.not_here(ACCOUNT, state.group.books.get(ACCOUNT)):
            async with asyncio.timeout(_DEADLINE_S):
                await self.account.ready.wait()
        return self

    def snapshot(self) -> None:
        """Swallow the journal, as the host does between two writes."""
        self.stored.snapshot = self.service.snapshot(ACCOUNT)
        self.stored.swallowed = len(self.stored.journal)

    async def settle(self) -> None:
        for name, intent in tuple(self.stored.intents.items()):
            settled = await self.service.settle(ACCOUNT, intent)
            if settled is not None:
                await self.ledger.write("result", name, settled.change or b"null", fatal=False)
                del self.stored.intents[name]
                self.stored.outcomes[name] = settled.reply

    @property
    def account(self) -> Any:
        return self.service.states[ACCOUNT].accounts[ACCOUNT]

    @property
    def book(self) -> Book:
        return self.service.states[ACCOUNT].group.books[ACCOUNT]

    def quote(self, price: int = 3000, **other: Any) -> None:
        exchange, symbol = REBAR.split(".")
        facts: dict[str, Any] = {
            "exchange": exchange,
            "symbol": symbol,
            "env": self.settings.accounts[ACCOUNT].env,
            "bids": (Level(float(price - 1), 10),),
            "asks": (Level(float(price + 1), 10),),
            "last_price": float(price),
            "upper_limit_price": 3300.0,
            "lower_limit_price": 2700.0,
            "trading_day": self.venue.venue.book.trading_day,
            "ts_exchange_ns": OPEN_NS,
            "ts_received_ns": time.time_ns(),
            "flags": (),
        }
        self.service.acting.market.hear(msgspec.structs.replace(TICK, **{**facts, **other}))

    async def call(self, method: str, request: Any, name: str) -> Any:
        """The reply, or the error that the caller would get; Killed where there is no answer."""
        if name in self.stored.outcomes:
            return self.stored.outcomes[name]
        context = Context(self.ledger, method, name)
        try:
            return await getattr(self.service, method)(request, context)
        except (Killed, Moved) as error:
            return Killed(str(error))
        except RpcError as error:
            if isinstance(error, Rejected) and context.intended:
                await self.ledger.write("result", name, b"null", fatal=False)
                del self.stored.intents[name]
                self.stored.outcomes[name] = error
            return error

    async def arm(self) -> None:
        await self.call("set_mode", SetMode(account=ACCOUNT, armed=True), "arm")

    async def still(self) -> None:
        """Return when all reports that came are committed."""
        async with asyncio.timeout(_DEADLINE_S):
            await self.account.taken.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds`; nobody tells of that, so it is looked at again and again."""
        async with asyncio.timeout(_DEADLINE_S):
            while not holds():  # noqa: ASYNC110 - pure state
                await asyncio.sleep(0.001)

    async def end(self) -> None:
        """The end of its process, in order or not."""
        self.fate.is_dead = True
        await self.service.on_standby(ACCOUNT)
        await self.service.on_stop()
        await self.transport.close()
