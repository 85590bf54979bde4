"""Services of which exactly one instance is active for each key: declared, elected, asked.

`declaration` and `context` are what a service uses, `host` runs it; docs/single-active.md is the theory of it.
"""

from aegis_sdk.ledger.snapshot import Committed, OpenIntent
from aegis_sdk.placement import Placement
from aegis_sdk.single_active.context import ActiveContext, Held
from aegis_sdk.single_active.declaration import Settled, SingleActive, active
from aegis_sdk.single_active.host import ActiveHost
from aegis_sdk.timers import AGGRESSIVE, BALANCED, CONSERVATIVE, Timers

__all__ = [
    "AGGRESSIVE",
    "BALANCED",
    "CONSERVATIVE",
    "ActiveContext",
    "ActiveHost",
    "Committed",
    "Held",
    "OpenIntent",
    "Placement",
    "Settled",
    "SingleActive",
    "Timers",
    "active",
]
