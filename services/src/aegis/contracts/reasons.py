"""Why something is as it is: a stable code with what stands in its sentence, so that it can be said in any language.

Whoever knows the reason gives the code; sentences are made where a person reads them. Without Pydantic: the processes
of CTP sessions give reasons too, and stay small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self, TypeVar

from aegis_sdk.errors import RpcError

__all__ = ["REFUSALS", "SENTENCES", "Reason", "explained", "reason_of", "sentence_of"]

E = TypeVar("E", bound=RpcError)

SENTENCES: Final[dict[str, str]] = {
    # words of others: a venue, an error, a person
    "said": "{text}",
    "error": "{error}: {text}",
    # an instrument
    "not_listed": "the feed does not list it",
    "not_taken": "the feed does not know it",
    "counter_refuses": "the counter refuses it (error {error}): {text}",
    "counter_silent": "the counter does not answer",
    "counter_late": "the counter answers after more than {seconds} s",
    "no_session_yet": "the feed has no session yet",
    "not_written_so": "it is not written EXCHANGE.SYMBOL",
    "none_listed": "the feed lists none of them",
    "not_asked_for": "{consumer} does not ask for it",
    "no_snapshot": "not even its snapshot came",
    # a feed
    "renewed": "a fresh session was asked for",
    "day_begun": "its instruments are those of a new trading day",
    "played": "{quotes} quotes, {rows} rows rejected",
    "other_env": "the feed set {feed} is {theirs}, and this feed is {ours}: it never publishes there. "
    "Run it on a desk of its own; or, where all of them shall change, stop them, purge TICKS, delete the key "
    "{feed}.env of the bucket aegis_reference and start again",
    # what a CTP session could not do
    "could_not_start": "could not start",
    "could_not_connect_trader": "could not connect to the trader front",
    "could_not_authenticate": "could not authenticate",
    "could_not_login_trader": "could not log in at the trader front",
    "could_not_query_instruments": "could not query the instruments",
    "could_not_connect_market": "could not connect to the market data front",
    "could_not_login_market": "could not log in at the market data front",
    "could_not_flow": "could not receive market data",
    "could_not_trade": "could not trade",
    # and of what
    "counter_says": "the counter says (error {error}): {text}",
    "counter_error": "the counter answers with error {error}, and gives no reason",
    "front_closed": "the front closed the connection (error {error})",
    "lists_nothing": "the counter lists no contract that can be used",
    "request_refused": "CTP does not take the request (error {error})",
    "no_answer_for": "no answer for {seconds} s",
    "query_unanswered": "no answer to the query {what} for {seconds} s",
    "no_tick_for": "no tick for {seconds} s, while the market is open",
    "process_silent": "its process has said nothing for {seconds} s",
    "process_killed": "its process ended by {signal}",
    "process_exited": "its process ended with exit code {status}",
    "process_unasked": "its process ended unasked",
    "process_unreadable": "what its process says cannot be read: {text}",
    "ticks_unfetchable": "no more ticks can be fetched: {error}: {text}",
    "queue_full": "{megabytes} MB of ticks wait in the wrapper's queue",
    "vnpy_missing": "vnpy_ctp is not installed: make setup, on a machine with a C++ compiler",
    "locale_missing": "the locale {locale} is missing: make setup, or locale-gen {locale}",
    "libraries_differ": "CTP's libraries are {loaded}, not {wanted}",
    "gate_unfit": "{text}: make setup installs the vnpy_ctp of requirements-ctp.lock, and builds the gate for it",
    # a feed set
    "nobody_publishes": "nobody publishes the feed",
    "feed_is": "the feed is {state}",
    "feed_not_there": "the feed is not there",
    "nothing_known": "nothing that is wanted is known",
    "no_ticks_of": "no ticks of {exchanges}",
    "not_heard_yet": "nothing was heard of {exchanges} yet",
    "listed_no_more": "{count} listed no more, {first} and so on",
    "found": "{count} {verdict}",
    "not_helped": "repairs have not helped",
    # the check itself
    "check_failed": "the check could not run: {text}",
    "nats_away": "NATS is away",
    "not_asked_yet": "market data was not asked yet",
    "being_asked": "market data is still being asked",
    "cannot_be_asked": "market data cannot be asked: {text}",
    "ticks_unreadable": "ticks cannot be read here: is AEGIS_CODEC of market data pickle?",
    "publisher_silent": "no instance that publishes the feed {feed} answers",
    "market_data_silent": "no instance of market data with the feed {feed} answers",
    "no_market_data": "no instance of market data with the feed {feed} is there",
    "wanted_not_told": "{instance} does not say what is subscribed: {text}",
    # what became of a repair
    "resubscribed_lately": "one resubscription in {seconds} s",
    "renewed_lately": "one fresh session in {seconds} s",
    "session_missing": "the feed is {state}: it has no session",
    "one_session": "the feed has only one session",
    "asked_again": "{count} asked for again",
    "session_renewed": "a fresh session of {instance}",
    "no_answer": "no answer: {text}",
    "no_lease": "no lease of {key} is held",
    "no_taker": "nobody but {holder} could take {feed}",
    "taker_covers_little": "{instance} has subscribed {subscribed} of {wanted}",
    "given_up": "{holder} has given {feed} up",
}
"""Codes, stable, with the English sentence; a `verdict` is the health agent's, a `state` that of a feed."""

REFUSALS: Final[dict[str, str]] = {
    # wishes
    "too_many_consumers": "{most} consumers have a wish already; `aegis subscriptions` shows them",
    "too_many_instruments": "{consumer} would want more than {most} instruments: use a scope",
    "too_many_scopes": "{consumer} would want more than {most} scopes",
    "everything_alone": "`everything` leaves nothing to be named beside it",
    "wish_of_desk": "what {consumer} wants is the setting AEGIS_WANTED of the market data service",
    "wish_not_stored": "the wish is not stored as a whole: {text}",
    "no_universe": "the instruments are not known before the first session of the feed",
    # trading
    "cancel_not_sent": "the cancel of {order} was not sent: {text}",
    "cancel_unanswered": "the venue has not answered the cancel of {order}",
    "day_ends": "{account} is at the end of {day}: ask again in a moment",
    "held_back": "{account} stands still to be compared with its venue; nothing was sent",
    "key_held": "{account} is traded under {key} by {holder}: end that first",
    "mode_changed": "{account} is {mode} by now: another mode is set by who has seen that",
    "no_books": "{account} has no books yet: its venue was not reached so far",
    "no_order": "{account} has no order {order} today",
    "no_statement": "{account} has no statement of {day}",
    "not_comparable": "{account} could not be compared: {text}",
    "not_compared": "{account} is not compared with its venue yet; nothing was sent",
    "not_of_key": "{account} is no account of {key}",
    "restless": "{account} did not stand still for long enough to be compared",
    "restless_alone": "{account} did not stand still, though its orders waited for {seconds} s",
    "terms_not_stored": "terms of {instrument} are not stored yet; nothing was sent",
    "venue_away": "{text}; nothing was sent",
    "venue_silent": "the venue has not said what became of {orders}",
}
"""Why a service does not do what it is asked. Reasons of orders stand in `order_reasons`."""


def _described(schema: dict[str, Any]) -> None:
    schema["properties"]["code"]["enum"] = list(SENTENCES)
    schema["examples"] = [{"code": "no_ticks_of", "places": {"exchanges": "SHFE"}}]


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, and the names and numbers that stand in its sentence. A code that is not known is its own sentence."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"json_schema_extra": _described}

    code: str
    places: dict[str, str | int] = field(default_factory=dict[str, str | int])

    @classmethod
    def of(cls, code: str, **places: str | int) -> Self:
        return cls(code, places)

    @classmethod
    def of_error(cls, error: BaseException) -> Self:
        """An error in its own words."""
        return cls.of("error", error=type(error).__name__, text=str(error))

    def __str__(self) -> str:
        return SENTENCES.get(self.code, self.code).format(**self.places)


def explained(kind: type[E], code: str, **places: str | int) -> E:
    """An error of a service with its reason: the code is `reason` of its details, what stands in it is beside that."""
    return kind((SENTENCES | REFUSALS)[code].format(**places), reason=code, **places)


def reason_of(error: RpcError) -> Reason:
    """Why a service says no; in its own words where it has given no code of ours."""
    places = {name: place for name, place in error.details.items() if isinstance(place, str | int)}
    code = str(places.pop("reason", ""))
    return Reason(code, places) if code in SENTENCES else Reason.of("said", text=error.message)


def sentence_of(reasons: Iterable[Reason]) -> str:
    """Several in one line; empty of none."""
    return "; ".join(map(str, reasons))
