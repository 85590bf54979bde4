"""The trading service as a program that kills or stops itself at a step of an order, where its standard input says so.

    python -m trading_rounds.struck

The line `P0 submit before SIGSTOP 2` strikes once, before the second submit of account P0 from then on.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from threading import Thread
from typing import Any, Final

from aegis.trading import bootstrap
from aegis.trading.adapters.ctp import CtpVenue, Pace, VenueOptions
from aegis.trading.adapters.paper import PaperVenue
from aegis_sdk.program import run
from aegis_sdk.single_active import ActiveContext

STEPS: Final[dict[str, tuple[tuple[type, str], ...]]] = {
    "intend": ((ActiveContext, "intend"),),
    "submit": ((PaperVenue, "submit"), (CtpVenue, "submit")),
    "cancel": ((PaperVenue, "cancel"), (CtpVenue, "cancel")),
    "commit": ((ActiveContext, "commit"),),
}
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


def _watched(step: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def call(*arguments: Any, **named: Any) -> Any:
        account = arguments[0].key if isinstance(arguments[0], ActiveContext) else arguments[1].account
        _pass(account, step, "before")
        answer = await original(*arguments, **named)
        _pass(account, step, "after")
        return answer

    return call


def _listen() -> None:
    for line in sys.stdin:
        account, step, when, how, number = line.split()
        _armed[:] = [Strike(account, step, when, signal.Signals[how], int(number))]


if __name__ == "__main__":
    for step, places in STEPS.items():
        for owner, name in places:
            setattr(owner, name, _watched(step, getattr(owner, name)))
    vars(bootstrap)["CtpVenue"] = partial(CtpVenue, options=PACE)
    Thread(target=_listen, daemon=True).start()
    run(bootstrap.build)
