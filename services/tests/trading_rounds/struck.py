"""The trading service as a program that kills or stops itself at a step of an order, where its standard input says so.

    python -m trading_rounds.struck

The line `P0 submit before SIGSTOP 2` strikes once, before the second submit of account P0 from then on. What the ledger
does is of a key, which is the group of an account that is in one.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from inspect import iscoroutinefunction
from threading import Thread
from typing import Any, Final

from aegis.trading import bootstrap
from aegis.trading.adapters.ctp import CtpVenue, Pace, VenueOptions
from aegis.trading.adapters.paper import PaperVenue
from aegis.trading.domain.changes import DayRolled
from aegis.trading.endpoints import Trading
from aegis.trading.handlers.acting import Acting
from aegis.trading.stores import StatementStore
from aegis_sdk.program import run
from aegis_sdk.single_active import ActiveContext
from aegis_sdk.single_active.reports import Reports

Places = dict[str, tuple[tuple[type, str], ...]]

OF_A_KEY: Final[Places] = {
    "intend": ((ActiveContext, "intend"),),
    "commit": ((ActiveContext, "commit"),),
    "snapshot": ((Reports, "snapshot_stored"),),
}
OF_AN_ACCOUNT: Final[Places] = {
    "submit": ((PaperVenue, "submit"), (CtpVenue, "submit")),
    "cancel": ((PaperVenue, "cancel"), (CtpVenue, "cancel")),
}
OF_A_DAY: Final[Places] = {
    "statement": ((StatementStore, "put"),),
    "roll": ((Acting, "commit"),),
}
"""Of an account, when its day ends."""
SNAPSHOT_EVERY: Final = 20
"""Changes; so what a snapshot swallows plays its part in each round."""
PACE: Final = VenueOptions(pace=Pace(interval_s=0.03))
"""The counter of the rounds answers fast, so that there are many of them."""


@dataclass
class Strike:
    account: str
    step: str
    when: str
    how: signal.Signals
    left: int


_armed: list[Strike] = []


def _pass(account: str, step: str, when: str) -> None:
    for one in [one for one in _armed if (one.account, one.step, one.when) == (account, step, when)]:
        one.left -= 1
        if one.left == 0:
            _armed.remove(one)
            os.kill(os.getpid(), one.how)


def _whose(owner: Any, first: Any = None, second: Any = None, *_: Any) -> str:
    """Key or account of a call."""
    match owner:
        case ActiveContext():
            return owner.key
        case Reports():
            return first.key
        case StatementStore():
            return first
        case Acting():
            return next((change.account for change in second if isinstance(change, DayRolled)), "")
        case _:
            return first.account


def _watched(step: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def call(*arguments: Any, **named: Any) -> Any:
        of = _whose(*arguments)
        _pass(of, step, "before")
        answer = await original(*arguments, **named)
        _pass(of, step, "after")
        return answer

    @wraps(original)
    def call_now(*arguments: Any) -> None:
        _pass(_whose(*arguments), step, "before")
        original(*arguments)
        _pass(_whose(*arguments), step, "after")

    return call if iscoroutinefunction(original) else call_now


def _listen() -> None:
    for line in sys.stdin:
        account, step, when, how, number = line.split()
        _armed[:] = [Strike(account, step, when, signal.Signals[how], int(number))]


if __name__ == "__main__":
    Trading.snapshot_every = SNAPSHOT_EVERY
    for step, places in (OF_A_KEY | OF_AN_ACCOUNT | OF_A_DAY).items():
        for owner, name in places:
            setattr(owner, name, _watched(step, getattr(owner, name)))
    vars(bootstrap)["CtpVenue"] = partial(CtpVenue, options=PACE)
    Thread(target=_listen, daemon=True).start()
    run(bootstrap.build)
