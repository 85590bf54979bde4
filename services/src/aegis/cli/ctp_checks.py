"""`aegis doctor --ctp`: each step of a CTP login, at the fronts of a profile."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from aegis.cli.checks import Check
from aegis.ctp.failures import Failure, Kind, Step
from aegis.marketdata.adapters.ctp.logins import start_of
from aegis.marketdata.adapters.ctp.probe import probe
from aegis.marketdata.adapters.ctp.watched import Limits
from aegis.profiles import ProfileError, load

if TYPE_CHECKING:
    from aegis.profiles import CtpLogin, CtpProfile

__all__ = ["ctp_checks"]

_STEPS: Final = (
    Step.CONNECT_TRADER,
    Step.AUTHENTICATE,
    Step.LOGIN_TRADER,
    Step.QUERY_INSTRUMENTS,
    Step.CONNECT_MARKET,
    Step.LOGIN_MARKET,
)
_TODO: Final = {
    Kind.CREDENTIALS: "correct the profile before another attempt: the account may be locked",
    Kind.SETUP: "make setup, on a machine with a C++ compiler",
    Kind.NOT_READY: "is the counter open now, and the address right? `aegis config show` has it",
    Kind.OTHER: "ask the broker what this error means",
}


async def ctp_checks(name: str) -> list[Check]:
    """The steps of the primary login, and of the backup where there is one."""
    try:
        profile = load(name, os.environ)
    except ProfileError as error:
        return [Check("ctp profile", "FAIL", str(error), f"`aegis config check {name}` lists all that is wrong")]
    checks = await _login_checks("ctp primary", profile, profile.primary)
    if profile.backup is not None:
        checks += await _login_checks("ctp backup", profile, profile.backup)
    return checks


async def _login_checks(name: str, profile: CtpProfile, login: CtpLogin) -> list[Check]:
    reached: dict[Step, float] = {}
    began_at = time.monotonic()

    def on_step(step: Step) -> None:
        reached[step] = time.monotonic() - began_at

    found = await probe(start_of(profile, login), Limits(), on_step)
    checks = [
        Check(name, "OK", f"{step}: {reached[step] * 1000:.0f} ms after the start")
        for step in _STEPS
        if step in reached
    ]
    if isinstance(found, Failure):
        return [*checks, Check(name, "FAIL", str(found), _TODO[found.kind])]
    return [*checks, Check(name, "OK", f"{found:,} instruments; logged out again")]
