"""Invariants 1 to 5: what the ledger holds, against what was claimed, written and commanded. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from aegis_sdk.election_events import Role
from aegis_sdk.ledger.journal import Contradiction, Journal
from aegis_sdk.ledger.records import Begin, Intent, Result

from .evidence import Evidence, Rule, Violation, grouped
from .history import Commanded, Fault
from .stored import Book, Placed, is_begin


def epochs_increase(evidence: Evidence) -> Iterator[Violation]:
    """As instances lived them, and as the ledger has them.

    A process may learn late that it has held an epoch; for itself its epochs increase all the same.
    """
    holders: dict[tuple[str, int], str] = {}
    highest: dict[tuple[str, str], int] = {}
    for seen, became in evidence.history.became():
        if became.role not in (Role.RECOVERING, Role.ACTIVE) or not became.epoch:
            continue
        who = f"{seen.instance}/{seen.pid}"
        if (known := holders.setdefault((became.key, became.epoch), who)) != who:
            yield Violation(Rule.EPOCHS, became.key, f"epoch {became.epoch} of {known} is held by {who} too")
        if became.role is Role.RECOVERING and became.epoch < (before := highest.get((became.key, who), 0)):
            yield Violation(Rule.EPOCHS, became.key, f"{who} begins {became.epoch} after it had begun {before}")
        highest[became.key, who] = max(highest.get((became.key, who), 0), became.epoch)
    lived = set(holders) | {(key, call.ended.epoch) for key, calls in evidence.answers.items() for call in calls}
    for key, epoch in sorted(lived):
        if epoch not in evidence.book(key).epochs:
            yield Violation(Rule.EPOCHS, key, f"epoch {epoch} was lived, but the ledger has no lease of it")
    for book in evidence.books.values():
        yield from _leases_match(book)


def _leases_match(book: Book) -> Iterator[Violation]:
    """Each begin stands right behind its lease and says the same; each entry's epoch has a lease."""
    for sequence, epoch, entry in book.valid:
        lease = book.epochs.get(epoch)
        if lease is None:
            yield Violation(Rule.EPOCHS, book.key, f"entry {sequence} is of epoch {epoch}, which no lease began")
        elif is_begin(entry):
            begin = next(record for record in entry.records if isinstance(record, Begin))
            if (begin.holder, begin.incarnation, begin.attempt) != (lease.holder, lease.incarnation, lease.attempt):
                yield Violation(Rule.EPOCHS, book.key, f"lease {epoch} and its begin differ: {lease}, {begin}")


def fenced(evidence: Evidence) -> Iterator[Violation]:
    """An acknowledged write counts as one of the ledger, also a proof that left nothing there."""
    acknowledged = grouped((key, wrote) for (key, _, _), all_wrote in evidence.wrote.items() for wrote in all_wrote)
    for key, book in evidence.books.items():
        leases = [sequence for sequence, _ in book.leases]
        written = {(sequence, entry.epoch, f"entry {entry.n}") for sequence, entry in book.entries if entry.n}
        written |= {(each.sequence, each.epoch, f"{each.what} {each.n}") for each in acknowledged.get(key, [])}
        for sequence, epoch, what in sorted(written):
            after = bisect_right(leases, epoch)
            if after < len(leases) and leases[after] < sequence:
                text = f"{what} of epoch {epoch} is at {sequence}, after lease {leases[after]}"
                yield Violation(Rule.FENCED, key, text)


def one_intent(evidence: Evidence) -> Iterator[Violation]:
    for key, book in evidence.books.items():
        for kind in (Intent, Result):
            first: dict[str, Placed] = {}
            for placed in book.records():
                if not isinstance(placed.record, kind) or not placed.record.idempotency_key:
                    continue
                known = first.setdefault(placed.record.idempotency_key, placed)
                if known is not placed:
                    text = f"{kind.__name__} of {placed.record.idempotency_key} at {known.sequence}"
                    yield Violation(Rule.INTENT, key, f"{text} and again at {placed.sequence}")


def replay_agrees(evidence: Evidence) -> Iterator[Violation]:
    """The product's own replay finds no contradiction, and the same results as ours."""
    for key, book in evidence.books.items():
        journal = Journal()
        try:
            for sequence, entry in book.entries:
                journal.take(entry, sequence)
        except Contradiction as contradiction:
            yield Violation(Rule.EPOCHS, key, f"replay: {contradiction}")
            continue
        theirs = {name: outcome.sequence for name, outcome in journal.outcomes.items()}
        ours = {name: placed.sequence for name, placed in book.results.items() if name}
        if book.whole and not book.has_snapshot and theirs != ours:
            differing = sorted(set(theirs.items()) ^ set(ours.items()))[:3]
            yield Violation(Rule.INTENT, key, f"the product's replay and the entries differ: {differing}")


def one_command(evidence: Evidence) -> Iterator[Violation]:
    of_command = grouped((command.idempotency_key, command) for command in evidence.history.commanded)
    for idempotency_key, commands in of_command.items():
        in_time = [command for command in commands if not window(evidence, command)]
        if len(in_time) > 1:
            text = ", ".join(f"{each.instance} in epoch {each.epoch} at {each.at:.3f}" for each in in_time)
            yield Violation(Rule.COMMAND, commands[0].key, f"{idempotency_key} reached the venue from {text}")
        if sum(command.executed for command in commands) > 1:
            yield Violation(Rule.COMMAND, commands[0].key, f"{idempotency_key} was executed twice by the venue")


def window(evidence: Evidence, command: Commanded) -> Fault | None:
    """The stop of the sender that lies between its last check and the arrival of a command."""
    for calling in evidence.calling.get((command.idempotency_key, command.pid), []):
        for stop in evidence.history.stops():
            if stop.pid == command.pid and calling.at <= stop.ended <= command.at:
                return stop
    return None


def durable(evidence: Evidence) -> Iterator[Violation]:
    for node, books in evidence.replicas.items():
        for key in sorted({*evidence.books, *books}):
            book, first = books.get(key) or Book(key), evidence.book(key)
            if (book.leases, book.entries) != (first.leases, first.entries):
                yield Violation(Rule.DURABLE, key, f"{node} holds something else than {next(iter(evidence.replicas))}")
        for key in evidence.answers:
            yield from _answers_stored(evidence, node, books.get(key) or Book(key))
        for (key, epoch, _), all_wrote in evidence.wrote.items():
            book = books.get(key) or Book(key)
            for wrote in all_wrote:
                found = book.numbers.get(wrote.sequence)
                if wrote.what == "entry" and wrote.sequence >= book.first and found != (epoch, wrote.n):
                    text = f"n {wrote.n} of epoch {epoch} was acknowledged at {wrote.sequence}"
                    yield Violation(Rule.DURABLE, key, f"{text}; {node} has {found}")


def _answers_stored(evidence: Evidence, node: str, book: Book) -> Iterator[Violation]:
    for sent, ended in evidence.answers[book.key]:
        if sent.method in evidence.reads or not ended.sequence or ended.sequence < book.first:
            continue
        placed = book.results.get(sent.idempotency_key)
        # A write that was sent again may stand there twice: the first counts, the last was acknowledged.
        if placed is None or book.numbers.get(placed.sequence) != book.numbers.get(ended.sequence):
            text = f"{sent.idempotency_key} was acknowledged at {ended.sequence}"
            yield Violation(Rule.DURABLE, book.key, f"{text}; {node} has it at {placed and placed.sequence}")
