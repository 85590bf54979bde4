"""Invariants 6 to 8, and what callers may never see. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from aegis_sdk.election_turns import switch_delay_s
from aegis_sdk.ledger.records import LeaseState, Result, Verdict

from .causes import OF_NODES
from .evidence import Evidence, Rule, Violation, grouped
from .history import Fault, Outcome
from .stored import Book

LATE_S: Final = 0.3
"""By so much later a caller may write its outcome down; if the machine kept it from running, by as much more."""
OUTAGE_S: Final = 1.0
"""Who calls healthy instances hears within this time what became of it, although a node is down."""


def real_time_order(evidence: Evidence) -> Iterator[Violation]:
    for key, answers in evidence.answers.items():
        told = [call for call in answers if call.ended.sequence]
        ends, highest = [call.ended.at for call in told], _running_max(call.ended.sequence for call in told)
        for sent, ended in told:
            before = bisect_left(ends, evidence.first_sent[sent.idempotency_key])
            limit = highest[before - 1] if before else 0
            if ended.sequence < limit or (ended.sequence == limit and sent.method not in evidence.reads):
                text = f"{sent.method} {sent.idempotency_key} is at {ended.sequence}"
                yield Violation(Rule.ORDER, key, f"{text}, though one at {limit} had ended before it began")


def no_caller_goes_back(evidence: Evidence) -> Iterator[Violation]:
    highest: dict[tuple[str, str], int] = {}
    for sent, ended in evidence.calls:
        who = sent.caller, sent.key
        if 0 < ended.epoch < highest.get(who, 0):
            text = f"{sent.caller} got a reply of epoch {ended.epoch} after one of {highest[who]}"
            yield Violation(Rule.CALLER, sent.key, text)
        highest[who] = max(highest.get(who, 0), ended.epoch)


def no_switch_without_cause(evidence: Evidence) -> Iterator[Violation]:
    began = {(became.key, became.epoch): became.at for _, became in reversed([*evidence.history.became()])}
    for key, book in evidence.books.items():
        for (_, before), (epoch, lease) in zip(book.leases, book.leases[1:], strict=False):
            at = began.get((key, epoch))
            damped_s = switch_delay_s(len([one for one in book.epochs if one < epoch]))
            if lease.state is not LeaseState.ACTIVE or at is None or _has_cause(evidence, before.holder, at, damped_s):
                continue
            text = f"{before.holder} lost it to {lease.holder} ({before.state}, gap {lease.gap_ms} ms)"
            yield Violation(Rule.STICKY, key, f"{text} at {at:.3f}, and no fault explains it")


def _has_cause(evidence: Evidence, holder: str, at: float, damped_s: float) -> bool:
    return any(
        fault.whom in (holder, "all") and fault.began <= at <= until + damped_s for fault, until in evidence.causes
    )


def prompt(evidence: Evidence) -> Iterator[Violation]:
    """A call ends by its deadline; where a node was killed and all else was well, within a second."""
    ends = {ended.call: (ended.at, ended.kept_s) for ended in evidence.history.ended}
    last = max((at for at, _ in ends.values()), default=0.0)
    for sent in evidence.history.sent:
        ended_at, kept_s = ends.get(sent.call, (last, 0.0))
        limit_s = sent.timeout_s
        if _only_one_node_was_down(evidence, sent.at, ended_at):
            limit_s = min(limit_s, OUTAGE_S)
        if ended_at - sent.at > limit_s + LATE_S + kept_s:
            text = f"{sent.method} {sent.call} of {sent.timeout_s:g} s had no outcome for {ended_at - sent.at:.3f} s"
            yield Violation(Rule.PROMPT, sent.key, f"{text}, {limit_s:g} s was due")


def _only_one_node_was_down(evidence: Evidence, began: float, ended: float) -> bool:
    during = [fault for fault in evidence.history.faults if fault.began <= ended and began <= fault.ended]
    match [fault for fault in during if fault.what in OF_NODES]:
        case [Fault(what="node_killed", whom=node)] if "," not in node:
            return not any(cause.began <= ended and began <= until for cause, until in evidence.causes)
        case _:
            return False


def no_stale_answer(evidence: Evidence) -> Iterator[Violation]:
    for key, answers in evidence.answers.items():
        ends, highest = [call.ended.at for call in answers], _running_max(call.ended.epoch for call in answers)
        for sent, ended in answers:
            before = bisect_left(ends, sent.at)
            if before and ended.epoch < highest[before - 1]:
                text = f"{sent.call} was answered in epoch {ended.epoch}"
                yield Violation(Rule.STALE, key, f"{text}; it began after epoch {highest[before - 1]} had answered")


def told_what_happened(evidence: Evidence) -> Iterator[Violation]:
    """Not executed means no effect; what the venue did the journal says, and nothing stays open after healing."""
    outcomes = grouped(((sent.key, sent.idempotency_key), ended.outcome) for sent, ended in evidence.calls)
    for (key, idempotency_key), seen in outcomes.items():
        definite = [outcome for outcome in seen if outcome is not Outcome.UNKNOWN]
        if definite and definite[-1] is not Outcome.OK:
            done = _verdict(evidence.book(key), idempotency_key) is Verdict.OK
            if done or idempotency_key in evidence.executed:
                text = f"{idempotency_key} is {definite[-1]}, but the {'journal' if done else 'venue'} has done it"
                yield Violation(Rule.OUTCOME, key, text)
    for key, book in evidence.books.items():
        for idempotency_key, placed in book.intents.items():
            verdict, executed = _verdict(book, idempotency_key), idempotency_key in evidence.executed
            if verdict is None:
                yield Violation(Rule.OUTCOME, key, f"the intent {idempotency_key} at {placed.sequence} is still open")
            elif (verdict is Verdict.OK) != executed:
                text = f"the journal says {verdict}, the venue {'did' if executed else 'did not do'} it"
                yield Violation(Rule.OUTCOME, key, f"{idempotency_key}: {text}")


def _verdict(book: Book, idempotency_key: str) -> Verdict | None:
    placed = book.results.get(idempotency_key)
    return placed.record.verdict if placed and isinstance(placed.record, Result) else None


class _Change(msgspec.Struct):
    amount: int


class _Told(msgspec.Struct):
    balance: int | None  # not known of what was settled later


def balances_add_up(evidence: Evidence) -> Iterator[Violation]:
    """Each stored reply is the sum of all changes until then, and each answer is what is stored."""
    for key, book in evidence.books.items():
        balance = 0 if book.whole else None
        steps: list[tuple[int, int]] = []
        replies: dict[str, int] = {}
        for sequence, _, record in book.records():
            if not isinstance(record, Result) or record.verdict is not Verdict.OK:
                continue
            amount = msgspec.json.decode(record.data, type=_Change).amount
            told = msgspec.json.decode(record.reply, type=_Told).balance
            after = told if balance is None else balance + amount
            if told is not None and told != after:
                yield Violation(Rule.VALUE, key, f"at {sequence}: {balance} and {amount} became {told}")
            balance = after if told is None else told
            if balance is not None:
                steps.append((sequence, balance))
            if told is not None:
                replies[record.idempotency_key] = told
        for sent, ended in evidence.answers.get(key, []):
            if sent.method not in evidence.reads:
                expected = replies.get(sent.idempotency_key)
            elif found := bisect_right(steps, ended.sequence, key=lambda step: step[0]):
                expected = steps[found - 1][1]
            else:
                expected = 0 if book.whole else None
            if ended.value is not None and ended.sequence and expected not in (None, ended.value):
                text = f"{sent.method} {sent.idempotency_key} told {ended.value} at {ended.sequence}"
                yield Violation(Rule.VALUE, key, f"{text}, the journal has {expected}")


def _running_max(numbers: Iterable[int]) -> list[int]:
    found: list[int] = []
    for number in numbers:
        found.append(max(number, found[-1]) if found else number)
    return found
