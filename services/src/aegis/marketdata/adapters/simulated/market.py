"""The simulated market: listed futures, and which of them is quoted when. No clock of its own: time is an argument.

The same seed, clock, watched instruments and steps give the same quotes. Only what is watched moves. Contracts are
those listed on the start day, until `relist` is called; one that expires falls silent. Three universes: `core`, at most
`MONTHS` of a product; all `futures`; and `options` of them too, some 25,000 contracts in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import Final, Literal

from aegis.contracts.market import Instrument, InstrumentId, Quote
from aegis.exchanges.products import PRODUCTS, Product
from aegis.exchanges.sessions import Phase
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, Clock
from aegis.marketdata.adapters.simulated.contract import Contract, Trend
from aegis.marketdata.adapters.simulated.options import options_of
from aegis.marketdata.adapters.simulated.prices import FIVE_LEVELS, activities, base_price, limit_ratio
from aegis.marketdata.domain.instruments import instrument_of, listed_months

UniverseName = Literal["core", "futures", "options"]

MONTHS: Final = 7
SLOT_NS: Final = SECOND_NS // 50
_SLOTS: Final = 25  # in half a second, the interval at which an exchange sends snapshots


class Market:
    """All contracts, those that are watched, and how far the running time of its clock has come.

    `rate` is the number of quotes in a second of running time, evenly spaced; None leaves each contract its own pace.
    Those that are traded more have more of them; `in_turn`: all have as many, one after the other.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 1,
        rate: float | None = None,
        in_turn: bool = False,
        begin_ns: int = 0,
        universe: UniverseName = "core",
    ) -> None:
        self.running_ns = begin_ns
        self._clock = clock
        self._rate = rate
        self._in_turn = in_turn
        self._random = Random(seed)
        self._universe: UniverseName = universe
        self._contracts: dict[InstrumentId, Contract] = {}
        self._watched: dict[InstrumentId, Contract] = {}
        self.relist()

    def relist(self) -> None:
        """List the contracts of the present day; those that were listed go on as they are, the others are forgotten."""
        day = self._clock.at(self.running_ns).trading_day
        listed = (one for product in PRODUCTS.values() for one in _listed(product, day, self._random, self._universe))
        self._contracts = {one.instrument.id: self._contracts.get(one.instrument.id, one) for one in listed}
        self._order = {instrument: index for index, instrument in enumerate(self._contracts)}
        self._watched = {one: contract for one, contract in self._watched.items() if one in self._contracts}
        self._arrange()

    @property
    def instruments(self) -> list[Instrument]:
        return [contract.instrument for contract in self._contracts.values()]

    @property
    def watched(self) -> frozenset[InstrumentId]:
        return frozenset(self._watched)

    def watch(self, instruments: Iterable[InstrumentId]) -> list[InstrumentId]:
        """Let these move too; returns those that were not watched before."""
        fresh = [one for one in dict.fromkeys(instruments) if one in self._contracts and one not in self._watched]
        self._watched.update((one, self._contracts[one]) for one in fresh)
        self._arranged &= not fresh
        return fresh

    def unwatch(self, instruments: Iterable[InstrumentId]) -> None:
        for one in instruments:
            self._watched.pop(one, None)
        self._arranged = False

    @property
    def next_ns(self) -> int:
        """The running time before which nothing more is quoted."""
        if self._rate is None:
            return (self.running_ns // SLOT_NS + 1) * SLOT_NS
        return int((int(self.running_ns * self._rate / SECOND_NS) + 1) * SECOND_NS / self._rate)

    def knows(self, instrument: InstrumentId) -> bool:
        return instrument in self._contracts

    def step(self, until_ns: int, received_ns: int) -> list[Quote]:
        """What is quoted from the end of the last step to `until_ns` of running time, in its order."""
        if not self._arranged:  # here, and not with each of many changes
            self._arrange()
        due = self._at_own_pace(until_ns) if self._rate is None else self._evenly(self._rate, until_ns)
        quotes = [quote for at_ns, contract in due if (quote := self._quoted(contract, at_ns, received_ns))]
        self.running_ns = until_ns
        return quotes

    def skip(self, ns: int) -> None:
        """Let that much running time pass without a quote."""
        self.running_ns += ns

    def snapshot(self, instrument: InstrumentId, received_ns: int) -> Quote:
        """The present state of a contract, without a change. Raises KeyError for one that is not known."""
        contract = self._contracts[instrument]
        moment = self._clock.at(self.running_ns)
        if contract.trading_day != moment.trading_day:
            contract.begin_day(moment.trading_day)
        idle = self._clock.phase(contract.hours, moment) in (Phase.CLOSED, Phase.BREAK)
        return contract.quote(moment, received_ns, ("snapshot", "out_of_session") if idle else ("snapshot",))

    def _quoted(self, contract: Contract, at_ns: int, received_ns: int) -> Quote | None:
        moment = self._clock.at(at_ns)
        phase = self._clock.phase(contract.hours, moment)
        if phase not in (Phase.AUCTION, Phase.TRADING):
            return None
        if contract.trading_day != moment.trading_day:
            contract.begin_day(moment.trading_day)
        if contract.expired:
            return None
        if phase == Phase.TRADING:
            contract.move()
            return contract.quote(moment, received_ns)
        if contract.matched or not contract.hours.is_match(moment.second):
            return None
        contract.match()
        return contract.quote(moment, received_ns, ("auction",))

    def _arrange(self) -> None:
        """Lay out the watched contracts for choosing, in the order of their listing."""
        order = self._order
        watched = sorted(self._watched, key=order.__getitem__)
        self._choices = [self._contracts[one] for one in watched]
        self._weights = list(accumulate(contract.activity for contract in self._choices))
        self._by_slot = [list[Contract]() for _ in range(_SLOTS)]
        for one, contract in zip(watched, self._choices, strict=True):
            self._by_slot[order[one] % _SLOTS].append(contract)
        self._arranged = True

    def _at_own_pace(self, until_ns: int) -> Iterator[tuple[int, Contract]]:
        """Each contract has its place in the half second, and comes by its chance."""
        random = self._random.random
        for slot in range(self.running_ns // SLOT_NS + 1, until_ns // SLOT_NS + 1):
            for contract in self._by_slot[slot % _SLOTS]:
                if random() < contract.activity:
                    yield slot * SLOT_NS, contract

    def _evenly(self, rate: float, until_ns: int) -> Iterator[tuple[int, Contract]]:
        first, last = int(self.running_ns * rate / SECOND_NS), int(until_ns * rate / SECOND_NS)
        if self._choices and last > first:
            if self._in_turn:
                chosen = [self._choices[number % len(self._choices)] for number in range(first, last)]
            else:
                chosen = self._random.choices(self._choices, cum_weights=self._weights, k=last - first)
            for number, contract in enumerate(chosen, first + 1):
                yield int(number * SECOND_NS / rate), contract


def _listed(product: Product, day: str, random: Random, universe: UniverseName) -> Sequence[Contract]:
    futures = _futures(product, listed_months(product, day)[: MONTHS if universe == "core" else None], random)
    return [*futures, *options_of(product, day, random)] if universe == "options" else futures


def _futures(product: Product, months: Sequence[str], random: Random) -> Sequence[Contract]:
    trend = Trend(limit_ratio(product), random)
    slope = 0.008 * (random.random() - 0.5)  # of the price from one month to the next
    return [
        Contract(
            instrument_of(product, month),
            product,
            base_price=base_price(product) * (1 + slope * index),
            limit=limit_ratio(product),
            activity=activity,
            levels=5 if product.exchange in FIVE_LEVELS else 1,
            trend=trend,
            random=random,
        )
        for index, (month, activity) in enumerate(zip(months, activities(product, months), strict=True))
    ]
