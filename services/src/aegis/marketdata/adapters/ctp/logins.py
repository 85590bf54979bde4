"""What a CTP session is started with, out of a profile."""

from __future__ import annotations

from aegis.ctp.logins import fronts_of, login_of
from aegis.marketdata.adapters.ctp.frames import Start
from aegis.profiles import CtpLogin, CtpProfile

__all__ = ["start_of"]


def start_of(profile: CtpProfile, login: CtpLogin) -> Start:
    """For a session of this login of the profile."""
    return Start(
        login=login_of(login),
        fronts=fronts_of(login),
        production=profile.production,
        libraries=profile.libraries,
    )
