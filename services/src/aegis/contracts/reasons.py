"""Why something is as it is: a stable code with what stands in its sentence, so that it can be said in any language."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["NOT_LISTED", "NOT_TAKEN", "NO_SESSION", "SENTENCES", "Reason", "sentence_of"]

SENTENCES: Final[dict[str, str]] = {
    # words of others: a venue, an error, a person
    "said": "{text}",
    # an instrument
    "not_listed": "the feed does not list it",
    "not_taken": "the feed does not know it",
    "no_session_yet": "the feed has no session yet",
    "not_written_so": "it is not written EXCHANGE.SYMBOL",
    "none_listed": "the feed lists none of them",
    "not_asked_for": "{consumer} does not ask for it",
    "no_snapshot": "not even its snapshot came",
    # a feed set
    "nobody_publishes": "nobody publishes the feed",
    "feed_is": "the feed is {state}",
    "feed_is_because": "the feed is {state}: {text}",
    "feed_not_there": "the feed is not there",
    "nothing_known": "nothing that is wanted is known",
    "no_ticks_of": "no ticks of {exchanges}",
    "not_heard_yet": "nothing was heard of {exchanges} yet",
    "listed_no_more": "{count} listed no more, {first} and so on",
    "found": "{count} {verdict}",
    "not_helped": "repairs have not helped",
    # the check itself
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
    "asked_again": "{count} asked for again",
    "session_renewed": "a fresh session of {instance}",
    "no_answer": "no answer: {text}",
    "call_failed": "{error}: {text}",
    "no_lease": "no lease of {key} is held",
    "no_taker": "nobody but {holder} could take {feed}",
    "taker_covers_little": "{instance} has subscribed {subscribed} of {wanted}",
    "given_up": "{holder} has given {feed} up",
}
"""Codes, stable, with the English sentence; `found` has a verdict of the health agent."""


class Reason(BaseModel):
    """A code, and the names and numbers that stand in its sentence. A code that is not known is its own sentence."""

    model_config = ConfigDict(
        frozen=True, json_schema_extra={"examples": [{"code": "no_ticks_of", "places": {"exchanges": "SHFE"}}]}
    )

    code: Annotated[str, Field(json_schema_extra={"enum": list(SENTENCES)})]
    places: dict[str, str | int] = {}

    @classmethod
    def of(cls, code: str, **places: str | int) -> Self:
        return cls(code=code, places=places)

    @classmethod
    def read(cls, sentence: str) -> Self | None:
        """The reason of a sentence that has no places, or what others say in their own words; none of an empty one."""
        if not sentence:
            return None
        code = _CODES.get(sentence)
        return cls(code=code) if code else cls.of("said", text=sentence)

    def __str__(self) -> str:
        return SENTENCES.get(self.code, self.code).format(**self.places)


def sentence_of(reasons: Iterable[Reason]) -> str:
    """Several in one line."""
    return "; ".join(map(str, reasons))


_CODES: Final = {sentence: code for code, sentence in SENTENCES.items()}

NOT_LISTED: Final = SENTENCES["not_listed"]
NOT_TAKEN: Final = SENTENCES["not_taken"]
NO_SESSION: Final = SENTENCES["no_session_yet"]
