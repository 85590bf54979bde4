"""What is wrong with a profile, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aegis_sdk.errors import ConfigurationError

__all__ = ["Problem", "ProfileError"]


class Problem(NamedTuple):
    """One thing that is wrong. `where` is a field as the file has it, e.g. primary.password; empty: the whole file."""

    where: str
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where} {self.problem}".strip()


class ProfileError(ConfigurationError):
    """A profile cannot be used. `problems` are all that were found; no secret is among their words."""

    def __init__(self, profile: str, problems: Sequence[Problem]) -> None:
        told = "; ".join(map(str, problems))
        super().__init__("profile", f"{profile}: {told} (`aegis config check {profile}` says how to mend it)")
        self.profile = profile
        self.problems = tuple(problems)
