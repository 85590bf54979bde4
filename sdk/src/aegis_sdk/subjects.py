"""The grammar of subjects: the only place where dots are joined and split.

A *token* is what stands between two dots. Free text (a symbol, an account) becomes a token by `escape`,
reversibly: letters, digits, `-` and `_` stay, each other byte of its UTF-8 form becomes `=XX`. The result is
valid in subjects and in KV keys alike. docs/subjects.md lists every subject; a test compares the two.
"""

from __future__ import annotations

import re
from typing import Final

from aegis_sdk.errors import ConfigurationError

__all__ = [
    "active",
    "audit",
    "command",
    "direct",
    "epoch_asked",
    "epochs_begun",
    "escape",
    "event",
    "heartbeat",
    "inbox",
    "instance_key",
    "kv",
    "kv_key",
    "ledger",
    "ledger_key",
    "log",
    "matches",
    "metric",
    "report",
    "rpc",
    "split",
    "srv",
    "tick",
    "tick_marker",
    "tick_stored",
    "token",
    "unescape",
]

TOKEN: Final = re.compile(r"[A-Za-z0-9_=-]{1,128}")
_ESCAPED: Final = re.compile(rb"=([0-9A-F]{2})")
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

ANY: Final = "*"
"""Matches one token in a subscription."""
REST: Final = ">"
"""Matches one token or more at the end of a subscription."""


def token(text: str, what: str = "token") -> str:
    """`text` itself, if it is a valid token; `*` too, for subscriptions.

    Raises ConfigurationError, named `what`, if it is empty, longer than 128 or has another character.
    """
    if text == ANY or TOKEN.fullmatch(text):
        return text
    raise ConfigurationError(what, f"{text!r} is not 1 to 128 of letters, digits, '-', '_' and '='")


def escape(text: str) -> str:
    """Any text as a token: `SP m2505&m2509` becomes `SP=20m2505=26m2509`."""
    return "".join(chr(b) if b in _PLAIN else f"={b:02X}" for b in text.encode())


def unescape(text: str) -> str:
    """What `escape` was given. Raises ValueError for what it cannot have made."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode()).decode()


def split(subject: str) -> list[str]:
    """The tokens of a subject."""
    return subject.split(".")


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to `pattern` gets `subject`; for two patterns, whether some subject is in both."""
    ours, theirs = split(pattern), split(subject)
    for one, other in zip(ours, theirs, strict=False):
        if REST in (one, other):
            return True
        if one != other and ANY not in (one, other):
            return False
    return len(ours) == len(theirs)


def rpc(service: str, method: str) -> str:
    """A call to any instance of a service; its queue group is the service's name."""
    return f"rpc.{token(service, 'service')}.{token(method, 'method')}"


def direct(service: str, instance: str, method: str) -> str:
    """A call to one instance."""
    return f"direct.{token(service, 'service')}.{token(instance, 'instance')}.{token(method, 'method')}"


def active(service: str, key: str, epoch: int, method: str) -> str:
    """A call to the holder of one epoch of a key."""
    return f"active.{token(service, 'service')}.{token(key, 'key')}.{epoch}.{token(method, 'method')}"


def any_active(service: str, method: str) -> str:
    """Calls of a method to the holders of all keys and epochs."""
    return f"active.{token(service, 'service')}.*.*.{token(method, 'method')}"


def epochs_begun(service: str) -> str:
    """Who holds which key from now on, told by new holders on core NATS."""
    return f"epoch.{token(service, 'service')}.begun"


def epoch_asked(service: str) -> str:
    """Who holds a key; its holder answers, others take it as a hint that the holder may be gone."""
    return f"epoch.{token(service, 'service')}.asked"


def ledger(shard: int, service: str, key: str, part: str) -> str:
    """One part of a key's ledger: `lease`, `journal` or `proof`; `key` may be `*` in a subscription."""
    return f"ledger.{shard}.{token(service, 'service')}.{token(key, 'key')}.{token(part, 'part')}"


def ledger_key(subject: str) -> str:
    """The key of a ledger's subject."""
    return split(subject)[3]


def event(domain: str, *rest: str) -> str:
    """An event, e.g. `event.trading.A1.order`; the last part may be `>` in a subscription."""
    parts = [part if part == REST else token(part, "event") for part in rest]
    return ".".join(["event", token(domain, "domain"), *parts])


def command(service: str, name: str) -> str:
    """A command to a service."""
    return f"cmd.{token(service, 'service')}.{token(name, 'command')}"


def audit(who: str, action: str) -> str:
    """An entry of the audit trail: a user, `_` for nobody that is known, and what he did."""
    return f"audit.{token(who, 'who')}.{token(action, 'action')}"


def tick(exchange: str, symbol: str) -> str:
    """The ticks of one instrument; `symbol` is any text, or `*`."""
    return f"tick.{token(exchange, 'exchange')}.{symbol if symbol == ANY else escape(symbol)}"


def tick_stored(exchange: str, symbol: str) -> str:
    """For ticks that only the stream lacks: it stores them as if they were published to `tick`."""
    return f"tickstore.{token(exchange, 'exchange')}.{escape(symbol)}"


def tick_marker(feed: str) -> str:
    """The markers that end each batch of ticks of a feed; stored in the same stream."""
    return f"tickmark.{token(feed, 'feed')}"


def heartbeat(service: str, instance: str) -> str:
    """The heartbeats of an instance, on core NATS."""
    return f"hb.{token(service, 'service')}.{token(instance, 'instance')}"


def inbox(name: str) -> str:
    """Where one connection hears what is meant for nobody else; the name is random."""
    return f"_INBOX.{token(name, 'inbox')}"


def log(service: str, instance: str) -> str:
    """The log tail of a process, on core NATS, one JSON object a line."""
    return f"log.{token(service, 'service')}.{token(instance, 'instance')}"


def metric(service: str, instance: str) -> str:
    """The samples that an instance takes of its own figures."""
    return f"metric.{token(service, 'service')}.{token(instance, 'instance')}"


def report(service: str, key: str) -> str:
    """What happens in a key, numbered by its holder; on core NATS, since who missed some of it asks the holder."""
    return f"report.{token(service, 'service')}.{token(key, 'key')}"


def instance_key(service: str, instance: str) -> str:
    """The KV key of an instance record."""
    return f"{token(service, 'service')}.{token(instance, 'instance')}"


def kv(bucket: str, key: str) -> str:
    """Where a KV bucket keeps a key of one token or more; the last may be `>` in a subscription."""
    parts = [part if part == REST else token(part, "key") for part in split(key)]
    return ".".join(["$KV", token(bucket, "bucket"), *parts])


def kv_key(subject: str) -> str:
    """The key of a subject of a KV bucket."""
    return ".".join(split(subject)[2:])


def srv(verb: str, service: str = "", instance: str = "") -> str:
    """A discovery subject of ADR-32: verb PING, INFO or STATS, for all, one service or one instance."""
    return ".".join(["$SRV", verb, *(token(part) for part in (service, instance) if part)])
