"""Invariants 6 to 8, and what callers may never see. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from aegis_sdk.ledger.records import LeaseState, Result, Verdict

from .evidence import Evidence, Rule, Violation, grouped
from .history import History, Outcome
from .stored import Book

CAUSE_LASTS_S: Final = 15.0
"""For so long after the end of a fault a switch may still be its consequence: an election of NATS, then ours."""
HARMLESS: Final = ("node_killed", "node_restarted", "wall_clock")
"""Faults after which no healthy instance may lose a key."""


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
            if lease.state is not LeaseState.ACTIVE or at is None or _has_cause(evidence.history, before.holder, at):
                continue
            text = f"{before.holder} lost it to {lease.holder} ({before.state}, gap {lease.gap_ms} ms)"
            yield Violation(Rule.STICKY, key, f"{text} at {at:.3f}, and no fault explains it")


def _has_cause(history: History, holder: str, at: float) -> bool:
    return any(
        fault.whom in (holder, "all")
        and fault.what not in HARMLESS
        and fault.began <= at <= fault.ended + CAUSE_LASTS_S
        for fault in history.faults
    )


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
        if set(seen) <= {Outcome.NOT_EXECUTED, Outcome.REJECTED}:
            done = _verdict(evidence.book(key), idempotency_key) is Verdict.OK
            if done or idempotency_key in evidence.executed:
                text = f"{idempotency_key} is {seen[-1]}, but the {'journal' if done else 'venue'} has done it"
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
