"""The judge: whether each wanted instrument is subscribed, and ticks as it should. No clock, no NATS: time is given in.

It is told what the feed lists, what is wanted, what became of that, and each tick. It learns the pace of each
instrument, at night apart from that of the day, and judges silence by it: of an instrument only while its front ticks,
of the front by the pace of all its instruments that trade now. Where fewer than `MEMBERS` of it are known, it is not
judged as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aegis.contracts.reasons import Reason
from aegis.contracts.subscriptions import SubscriptionState
from aegis.exchanges.calendar import CALENDAR, Calendar
from aegis.exchanges.products import PRODUCTS, Product, product_of
from aegis.exchanges.sessions import BOND, DAY, STOCK_INDEX, Phase, to_shanghai, trading_day_of
from aegis.marketdata.domain.instruments import contract_month, expiry_day
from aegis.marketdata.health.domain.findings import ALARMS, Case, Findings, Verdict, exchange_of
from aegis.marketdata.health.domain.front import MEMBERS, Front, look_at_all
from aegis.marketdata.health.domain.market_time import MarketTime, TradingTime
from aegis.marketdata.health.domain.pace import LEAST_S, Pace
from aegis.marketdata.health.domain.summary import Tally, summed_up

__all__ = ["FeedSeen", "Judge"]

SETTLES_S: Final = 2.0
"""For so long a subscription may wait until it is an alarm."""
SNAPSHOT_S: Final = 15.0
"""So long after a subscription its snapshot has come."""
DOWN_S: Final = 3.0
"""So long a feed may be without a session, or without anybody who publishes it."""

_EVENING: Final = 18 * 3600
_MORNING: Final = 6 * 3600
_NOON: Final = 11 * 3600 + 1800
_HOURS_OF: Final = {"CFFEX": STOCK_INDEX}
"""Of products that the table does not know: the hours that all of their exchange share. Of all others it is the day."""
_SUBSCRIBED: Final = ("ticking", "subscribed")
_NOT_TICKS: Final = frozenset(("snapshot", "stale"))


@dataclass(frozen=True, kw_only=True)
class FeedSeen:
    """What the instance that publishes says of its feed; while nobody publishes, one that stands by."""

    session: str
    state: str  # as ports.FeedState
    why: tuple[Reason, ...] = ()
    snapshots: bool = True  # a subscription is answered with a tick; not so in a replay
    published: bool = True  # somebody hands it on


class _Instrument:
    """What is known of one that is wanted or has ticked."""

    __slots__ = (
        *("changed_s", "exchange", "expiry", "front", "group", "is_bond", "mark_s", "name", "paces", "paused_s"),
        *("stalled", "state", "ticks", "why"),
    )

    def __init__(self, name: str, front: Front, group: TradingTime, expiry: str, now_s: float) -> None:
        self.name = name
        self.exchange = exchange_of(name)
        self.front = front
        self.group = group
        self.expiry = expiry
        self.is_bond = group.hours is BOND
        self.paces = (Pace(), Pace())  # of the day, of the night
        self.mark_s = -1.0  # of its trading time, at its last tick; below 0: not yet
        self.paused_s = 0.0  # of its front, by then
        self.ticks = 0
        self.state: SubscriptionState | None = None
        self.why: Reason | None = None
        self.changed_s = now_s  # when it came into its state, by our clock
        self.stalled = False


class Judge:
    """`begin_ns` is the time until ticks tell a better one, UTC; `wall_s` are seconds of our clock, never back."""

    def __init__(self, begin_ns: int, wall_s: float, calendar: Calendar = CALENDAR) -> None:
        hours = {product.hours.name: product.hours for product in PRODUCTS.values()}
        self._time = MarketTime(hours.values(), begin_ns, wall_s, calendar)
        self._calendar = calendar
        self._feed = FeedSeen(session="", state="")
        self._wall_s = wall_s
        self._alive_s = wall_s  # when the feed was last up, or heard
        self._known: dict[str, _Instrument] = {}
        self._in_order: list[_Instrument] = []  # those that somebody wants
        self._subscribed = 0
        self._listed: dict[str, str] = {}  # the trading day on which each was, last
        self._unlisted: dict[str, str] = {}  # of these, those that are no more
        self._fronts: dict[str, Front] = {}
        self._looked_ns = begin_ns
        self._silent_s = 0.0  # all fronts
        self._night = self._is_night()

    # What it is told

    def list(self, expiries: Mapping[str, str | None]) -> None:
        """The instruments that the feed lists, and their last trading days where these are known."""
        trading_day = self._trading_day()
        for name, expiry in expiries.items():
            self._instrument(name).expiry = expiry or ""
            self._listed[name] = trading_day
        self._unlisted = {name: day for name, day in self._listed.items() if name not in expiries}

    def want(self, states: Iterable[tuple[str, SubscriptionState, Reason | None]]) -> None:
        """All that somebody wants, what became of each, and why. While more become subscribed, none waits too long."""
        states = list(states)
        subscribed = sum(state in _SUBSCRIBED for _, state, _ in states)
        is_on_its_way, self._subscribed = subscribed > self._subscribed, subscribed
        wanted: list[_Instrument] = []
        for name, state, why in states:
            one = self._instrument(name)
            wanted.append(one)
            if state != one.state or (is_on_its_way and state == "waiting"):
                one.state, one.changed_s = state, self._wall_s
            one.why = why
        self._in_order = sorted(wanted, key=lambda one: one.name)

    def feed(self, seen: FeedSeen) -> None:
        """How the feed is. In a new session silence begins anew, but what was found stalled has to tick first."""
        if seen.session != self._feed.session:
            self.listen_anew()
        self._feed = seen

    def listen_anew(self) -> None:
        """What was silent till now counts not: we could not have heard it."""
        now_ns = self._time.now_ns
        for one in self._known.values():
            if one.mark_s >= 0:
                one.mark_s = one.group.seconds(now_ns)
                one.paused_s = one.front.paused_s
            one.changed_s = self._wall_s
        for front in self._fronts.values():
            front.ticked_ns = now_ns

    def tick(self, name: str, ts_ns: int, flags: tuple[str, ...], wall_s: float) -> None:
        """A tick of an instrument; `ts_ns` is its exchange time."""
        time = self._time
        odd = bool(flags) and not _NOT_TICKS.isdisjoint(flags)
        if not odd:
            time.tick(ts_ns, wall_s)
        one = self._known.get(name)
        if one is None:
            one = self._instrument(name)
        one.ticks += 1
        one.stalled = False
        self._alive_s = wall_s
        front, group = one.front, one.group
        front.tick(time.now_ns, group.opened_ns, snapshot=odd)
        mark_s = group.seconds(time.now_ns)
        if one.mark_s >= 0 and group.opened_ns and not flags:
            one.paces[self._night].learn(max(mark_s - one.mark_s - (front.paused_s - one.paused_s), 0.0))
        one.mark_s, one.paused_s = mark_s, front.paused_s

    # What it finds

    def look(self, wall_s: float) -> Findings:
        """Judge; several times a second."""
        self._wall_s = wall_s
        self._time.passed(wall_s)
        self._night = self._is_night()
        if self._is_up:
            self._alive_s = wall_s
        self._look_at_fronts()
        trading_day = self._trading_day()
        tallies: dict[str, Tally] = defaultdict(Tally)
        cases: list[Case] = []
        for one in self._in_order:
            verdict, why = self._verdict(one, trading_day)
            tallies[one.exchange].count(
                verdict, one.group.phase, subscribed=one.state in _SUBSCRIBED, ticked=one.ticks > 0
            )
            if verdict in ALARMS:
                cases.append(self._case(one, verdict, why))
        trouble, is_down = self._trouble(cases), self._is_down()
        missing = self._missing(trading_day)
        note = [Reason.of("listed_no_more", count=len(missing), first=missing[0])] if missing else []
        if is_down and not self._in_order:
            note = [*self._why_down(), Reason.of("nothing_known")]
        unproven = self._unproven()
        return summed_up(tallies, cases, trouble, note, unproven, self._time.now_ns, is_down=is_down, missing=missing)

    @property
    def market_ns(self) -> int:
        """The time of the market, UTC nanoseconds."""
        return self._time.now_ns

    def _look_at_fronts(self) -> None:
        now_ns = self._time.now_ns
        elapsed_s, self._looked_ns = (now_ns - self._looked_ns) / 1e9, now_ns
        for front in self._fronts.values():
            front.begin()
        if not self._is_up:
            return
        night = self._night
        for one in self._in_order:
            if opened_ns := one.group.opened_ns:
                one.front.count(opened_ns, one.paces[night], subscribed=one.state in _SUBSCRIBED)
        self._silent_s = look_at_all(self._fronts.values(), elapsed_s, now_ns)

    def _case(self, one: _Instrument, verdict: Verdict, why: tuple[Reason, ...]) -> Case:
        return Case(
            instrument=one.name,
            verdict=verdict,
            why=why,
            silent_s=self._silence_s(one) if one.mark_s >= 0 else None,
            usual_s=one.paces[self._night].usual_s or None,
        )

    def _verdict(self, one: _Instrument, trading_day: str) -> tuple[Verdict, tuple[Reason, ...]]:
        why = () if one.why is None else (one.why,)
        if one.expiry and one.expiry < trading_day:
            return Verdict.EXPIRED, ()
        if one.state == "refused" and one.why and one.why.code == "not_listed":
            return Verdict.NOT_LISTED, why
        if self._feed.state == "ended":
            return Verdict.ENDED, ()
        is_open = one.group.phase is Phase.TRADING
        if not self._is_up:
            return self._without_session(one) if is_open else Verdict.RESTING, self._feed.why
        if one.state in ("waiting", "refused"):
            lasts = self._wall_s - one.changed_s > SETTLES_S
            return (Verdict.NOT_SUBSCRIBED if lasts else Verdict.QUIET), why
        if not is_open or self._has_ended_early(one, trading_day):
            return Verdict.RESTING, ()
        return self._of_subscribed(one)

    def _without_session(self, one: _Instrument) -> Verdict:
        """For a moment that is nothing; but what was found before has to tick first."""
        if self._is_down():
            return Verdict.SESSION_DOWN
        if one.front.is_silent:
            return Verdict.FRONT_SILENT
        return Verdict.STALLED if one.stalled else Verdict.RESTING

    def _of_subscribed(self, one: _Instrument) -> tuple[Verdict, tuple[Reason, ...]]:
        if one.front.is_silent:
            return Verdict.FRONT_SILENT, ()
        if self._is_stalled(one):
            return Verdict.STALLED, ()
        if one.state == "subscribed" and self._feed.snapshots and self._wall_s - one.changed_s > SNAPSHOT_S:
            return Verdict.NEVER_TICKED, (Reason.of("no_snapshot"),)
        return (Verdict.HEALTHY if one.ticks and one.paces[self._night].is_known else Verdict.QUIET), ()

    def _is_stalled(self, one: _Instrument) -> bool:
        """Found only where others have ticked for most of its silence; once found, until it ticks again."""
        pace, front = one.paces[self._night], one.front
        if not one.stalled and one.group.opened_ns and one.mark_s >= 0 and pace.is_known:
            silent_s = self._silence_s(one)
            if silent_s <= LEAST_S:  # as most are: no pause makes it longer
                return False
            silent_s -= front.paused_s - one.paused_s + front.pause_s(front.silent_s)
            others_s = front.silent_s if front.members >= MEMBERS else self._silent_s
            one.stalled = silent_s > pace.limit_s * front.lull and others_s < silent_s / 2
        return one.stalled

    def _silence_s(self, one: _Instrument) -> float:
        return one.group.seconds(self._time.now_ns) - one.mark_s

    @property
    def _is_up(self) -> bool:
        """Whether ticks can come."""
        return self._feed.state == "ready" and self._feed.published

    def _is_down(self) -> bool:
        """Whether none can, and that for longer than a failover takes."""
        if self._feed.state == "ended":
            return False
        return self._feed.state == "failed" or self._wall_s - self._alive_s > DOWN_S

    def _why_down(self) -> tuple[Reason, ...]:
        state = self._feed.state
        if state == "ready":
            return (Reason.of("nobody_publishes"),)
        return (Reason.of("feed_is", state=state), *self._feed.why) if state else (Reason.of("feed_not_there"),)

    def _trouble(self, cases: list[Case]) -> tuple[Reason, ...]:
        """What is wrong with the session as a whole. One that has failed for good waits for a person at any hour."""
        if self._feed.state == "failed" or any(one.verdict is Verdict.SESSION_DOWN for one in cases):
            return self._why_down()
        silent = sorted({exchange_of(one.instrument) for one in cases if one.verdict is Verdict.FRONT_SILENT})
        return (Reason.of("no_ticks_of", exchanges=", ".join(silent)),) if silent else ()

    def _unproven(self) -> Reason | None:
        """What should have been heard, and was not yet for a moment: it may be well or not."""
        trading = {name: front for name, front in self._fronts.items() if front.subscribed}
        unheard = [name for name, front in trading.items() if front.is_unproven]
        if len(unheard) < len(trading):
            unheard = [name for name in unheard if trading[name].subscribed >= MEMBERS]
        return Reason.of("not_heard_yet", exchanges=", ".join(sorted(unheard))) if unheard else None

    # What it knows

    def _instrument(self, name: str) -> _Instrument:
        one = self._known.get(name)
        if one is None:
            exchange, _, symbol = name.partition(".")
            product = product_of(exchange, symbol)
            group = self._time.group(product.hours if product else _HOURS_OF.get(exchange, DAY))
            expiry = self._expiry(product, symbol) if product else ""
            front = self._fronts.setdefault(exchange, Front())
            one = self._known[name] = _Instrument(name, front, group, expiry, self._wall_s)
        return one

    def _expiry(self, product: Product, symbol: str) -> str:
        """Of a future by the calendar, until the feed tells it."""
        is_future = symbol.removeprefix(product.code).isdecimal()
        month = contract_month(symbol, self._trading_day()) if is_future else None
        return expiry_day(product, month, self._calendar) if month else ""

    def _missing(self, trading_day: str) -> tuple[str, ...]:
        """What was listed and is no more, though its last trading day is yet to come. A replay lists what it likes."""
        if not self._is_up or not self._feed.snapshots:
            return ()
        return tuple(
            sorted(
                name for name, day in self._unlisted.items() if day <= trading_day <= (self._known[name].expiry or "")
            )
        )

    def _has_ended_early(self, one: _Instrument, trading_day: str) -> bool:
        """Bonds trade only in the morning of their last day."""
        return one.is_bond and one.expiry == trading_day and to_shanghai(self._time.now_ns)[1] > _NOON

    def _is_night(self) -> bool:
        second = to_shanghai(self._time.now_ns)[1]
        return second >= _EVENING or second < _MORNING

    def _trading_day(self) -> str:
        day, second, _ = to_shanghai(self._time.now_ns)
        return trading_day_of(day, second, self._calendar)
