"""Days of the simulated market by the real hours, second by second, before the judge; faults are planted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aegis.contracts.market import Instrument
from aegis.contracts.subscriptions import SubscriptionState
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.sessions import to_utc_ns
from aegis.marketdata.adapters.simulated.clock import SECOND_NS, WallClock
from aegis.marketdata.adapters.simulated.market import Market
from aegis.marketdata.health.domain.findings import Findings
from aegis.marketdata.health.domain.judge import FeedSeen, Judge
from aegis.marketdata.health.domain.repairs import Kind, Repair, Repairs

Hours = tuple[tuple[int, int], ...]


def _hours(spans: str) -> Hours:
    return tuple(
        (int(begin[:2]) * 3600 + int(begin[3:]) * 60, int(end[:2]) * 3600 + int(end[3:]) * 60)
        for begin, end in (span.split("-") for span in spans.split())
    )


WHOLE = _hours("08:50-15:20 20:50-26:35")
"""All in which anything trades, with the breaks, in seconds of the day."""
IN_PARTS = _hours(
    "08:58-09:45 10:10-10:34 11:28-11:33 12:58-13:05 13:28-14:05 14:58-15:18 "
    "20:58-21:40 22:58-23:03 24:58-25:03 26:28-26:33"
)
"""Around each of its beginnings and ends, and for some time in between."""
OPENINGS = _hours("08:59-09:04 09:29-09:34 10:29-10:33 12:59-13:04 13:29-13:34 20:59-21:04 24:00-24:02")
"""Of a day on which nothing opens."""


@dataclass(kw_only=True)
class Fault:
    """What goes wrong at a moment, until one of its `cures` is applied. Times are UTC nanoseconds."""

    name: str
    begin_ns: int
    hits: Callable[[str], bool]  # instruments that fall silent
    unsubscribed: bool = False  # and market data knows it
    cures: tuple[Kind, ...] = (Kind.RESUBSCRIBE, Kind.RENEW, Kind.FAIL_OVER)
    found_after_s: float | None = None
    usual_s: float | None = None  # of the first that was found
    healed: bool = False


@dataclass(kw_only=True)
class Alarm:
    """An instrument with an alarm that no fault explains."""

    at_ns: int
    instrument: str
    verdict: str


class Week:
    """The market, the judge, the repairs, and what came of them. `wanted` are instruments of the market."""

    def __init__(
        self,
        market: Market,
        wanted: Iterable[Instrument],
        begin_ns: int,
        faults: Iterable[Fault] = (),
        calendar: Calendar = CALENDAR,
    ) -> None:
        self.market = market
        self.wanted = sorted(str(one.id) for one in wanted)
        self.faults = list(faults)
        self.judge = Judge(begin_ns, begin_ns / SECOND_NS, calendar)
        self.repairs = Repairs()
        self.done: list[tuple[int, Repair]] = []
        self.false: list[Alarm] = []
        self.ticks = self.looks = 0
        self._session = 1
        self._hit: dict[str, Fault] = {}
        self._after: set[str] = set()  # healed, and yet to tick
        market.watch(one.id for one in wanted)
        self.judge.list({str(one.id): one.expiry_day for one in wanted})
        self.judge.feed(FeedSeen(session="1", state="ready"))
        self._tell_states()

    def live(self, day: str, hours: Hours) -> None:
        """Let parts of a day pass, second by second; whatever lies before each passes unseen."""
        for span in hours:
            begin_ns, end_ns = (to_utc_ns(day, 0) + second * SECOND_NS for second in span)
            self.market.skip(begin_ns - self.market.running_ns)
            self._set_clock(begin_ns)
            for now_ns in range(begin_ns + SECOND_NS, end_ns + 1, SECOND_NS):
                self._second(now_ns)

    def _set_clock(self, now_ns: int) -> None:
        """In life the judge's clock goes on by its looks while nothing ticks; here stamps of no instrument move it."""
        self.judge.look(now_ns / SECOND_NS)
        for _ in range(3):
            self.judge.tick("NONE.clock", now_ns, (), now_ns / SECOND_NS)

    def _second(self, now_ns: int) -> None:
        self._begin_faults(now_ns)
        now_s = now_ns / SECOND_NS
        tick, hit, after = self.judge.tick, self._hit, self._after
        for quote in self.market.step(now_ns, now_ns):
            name = f"{quote.exchange}.{quote.symbol}"
            if name not in hit:
                tick(name, quote.ts_exchange_ns, quote.flags, quote.ts_exchange_ns / SECOND_NS)
                self.ticks += 1
                if after:
                    after.discard(name)
        found = self.judge.look(now_s)
        self.looks += 1
        self._check(found, now_ns)
        repair = self.repairs.decide(found, now_s)
        if repair is not None:
            self._do(repair, now_ns, now_s)

    def _begin_faults(self, now_ns: int) -> None:
        for fault in self.faults:
            if now_ns == fault.begin_ns:
                self._hit.update(dict.fromkeys(filter(fault.hits, self.wanted), fault))
                self._tell_states()

    def _check(self, found: Findings, now_ns: int) -> None:
        for case in found.cases:
            fault = self._hit.get(case.instrument)
            if fault is not None:
                if fault.found_after_s is None:
                    fault.found_after_s = (now_ns - fault.begin_ns) / SECOND_NS
                    fault.usual_s = case.usual_s
            elif case.instrument not in self._after:
                self.false.append(Alarm(at_ns=now_ns, instrument=case.instrument, verdict=case.verdict.value))

    def _do(self, repair: Repair, now_ns: int, now_s: float) -> None:
        self.done.append((now_ns, repair))
        self.repairs.done(repair, "done", now_s)
        meant = set(repair.instruments or self.wanted) if repair.kind is Kind.RESUBSCRIBE else set(self.wanted)
        for name, fault in list(self._hit.items()):
            if name in meant and repair.kind in fault.cures:
                fault.healed = True
                del self._hit[name]
                self._after.add(name)
        self._tell_states()
        if repair.kind in (Kind.RENEW, Kind.FAIL_OVER):
            self._session += 1
            self.judge.feed(FeedSeen(session=str(self._session), state="ready"))

    def _tell_states(self) -> None:
        def state(name: str) -> SubscriptionState:
            return "waiting" if name in self._hit and self._hit[name].unsubscribed else "ticking"

        self.judge.want([(name, state(name), None) for name in self.wanted])


def a_market(begin_ns: int, seed: int) -> Market:
    """All futures that exist by then."""
    return Market(WallClock(), seed=seed, begin_ns=begin_ns, universe="futures")
