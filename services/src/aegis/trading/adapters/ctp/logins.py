"""What a session that trades is started with, out of a profile."""

from __future__ import annotations

from aegis.ctp.logins import fronts_of, login_of
from aegis.profiles import CtpLogin, CtpProfile
from aegis.trading.adapters.ctp.frames import Start

__all__ = ["start_of"]


def start_of(profile: CtpProfile, login: CtpLogin) -> Start:
    """For a session of this login of the profile."""
    return Start(
        login=login_of(login),
        fronts=fronts_of(login),
        production=profile.production,
        libraries=profile.libraries,
    )
