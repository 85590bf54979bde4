"""Who holds which key, and what its holders did: leases and journals in streams that refuse a deposed holder's writes.

`records`, `snapshot` and `journal` are pure; `ledger` is the edge, and `restoration` is for the worst case. Names are
imported when they are first used, so that who decides does not bring the streams along.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aegis_sdk.ledger.epoch import HeldEpoch
    from aegis_sdk.ledger.fates import Fate, classify
    from aegis_sdk.ledger.journal import Contradiction, Journal
    from aegis_sdk.ledger.leases import KeyName, Leases, StoredLease
    from aegis_sdk.ledger.ledger import JournalRead, Ledger
    from aegis_sdk.ledger.restoration import restore
    from aegis_sdk.ledger.snapshot import Committed, OpenIntent, Outcome

_MODULES = {
    "epoch": ("HeldEpoch",),
    "fates": ("Fate", "classify"),
    "journal": ("Contradiction", "Journal"),
    "leases": ("KeyName", "Leases", "StoredLease"),
    "ledger": ("JournalRead", "Ledger"),
    "restoration": ("restore",),
    "snapshot": ("Committed", "OpenIntent", "Outcome"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Committed",
    "Contradiction",
    "Fate",
    "HeldEpoch",
    "Journal",
    "JournalRead",
    "KeyName",
    "Leases",
    "Ledger",
    "OpenIntent",
    "Outcome",
    "StoredLease",
    "classify",
    "restore",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
