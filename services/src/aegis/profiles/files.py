"""Where profiles are, and what they refer to: the only part that reads files.

A profile is named by a path, or by a name that is looked for in $AEGIS_CONFIG_DIR (without it, in aegis/profiles of
$XDG_CONFIG_HOME or of ~/.config), and then among the templates that come with this package.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from aegis.profiles.parsing import Lookup, Unreadable, parse, variables_in
from aegis.profiles.problems import Problem, ProfileError
from aegis.profiles.profile import CtpProfile

__all__ = ["find", "load", "names", "variables"]

TEMPLATES: Final = Path(__file__).parent / "templates"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PROFILE_BYTES: Final = 65_536
_SECRET_BYTES: Final = 4_096


class _Content(NamedTuple):
    text: str
    private: bool  # of this user, and no one else may read it


def load(profile: str, environment: Mapping[str, str]) -> CtpProfile:
    """The profile of this name or path. Raises ProfileError with every problem."""
    path, content = _found(profile, environment)
    lookup = Lookup(
        variable=lambda name: _variable(name, environment),
        file=lambda name: _secret_file(path.parent / Path(name).expanduser()),
        private=content.private,
        path=str(path),
    )
    return parse(path.stem, content.text, lookup)


def variables(profile: str, environment: Mapping[str, str]) -> set[str]:
    """The names of the variables that it refers to: who does not log in has no need of them. Raises ProfileError."""
    return variables_in(_found(profile, environment)[1].text)


def _found(profile: str, environment: Mapping[str, str]) -> tuple[Path, _Content]:
    path = find(profile, environment)
    try:
        return path, _read(path, _PROFILE_BYTES)
    except Unreadable as error:
        raise ProfileError(profile, [Problem("", error.problem, error.fix)]) from None


def find(profile: str, environment: Mapping[str, str]) -> Path:
    """The file of a profile. Raises ProfileError where there is none."""
    if "/" in profile or profile.endswith(".toml"):
        candidates = [Path(profile).expanduser().absolute()]
    elif _NAME.fullmatch(profile):
        candidates = [place / f"{profile}.toml" for place in _places(environment)]
    else:
        fix = "letters, digits, '-' and '_' for one that is looked for, or a path that ends in .toml"
        raise ProfileError(profile, [Problem("", "is neither a name nor a path", fix)])
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(names(environment))
    raise ProfileError(
        profile,
        [Problem("", f"there is no {' or '.join(map(str, candidates))}", f"there are: {known}; or name a file")],
    )


def names(environment: Mapping[str, str]) -> list[str]:
    """All profiles that can be named."""
    return sorted({path.stem for place in _places(environment) for path in place.glob("*.toml")})


def _places(environment: Mapping[str, str]) -> list[Path]:
    if given := environment.get("AEGIS_CONFIG_DIR"):
        return [Path(given).expanduser(), TEMPLATES]
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "/nonexistent") / ".config"
    return [Path(home) / "aegis" / "profiles", TEMPLATES]


def _variable(name: str, environment: Mapping[str, str]) -> str:
    if not environment.get(name):
        raise Unreadable(f"is missing: the variable {name} is not set", f"export {name}=...")
    return environment[name]


def _secret_file(path: Path) -> str:
    content = _read(path, _SECRET_BYTES)
    if not content.private:
        raise Unreadable(f"is in {path}, which others may read", f"chmod 600 {path}; it must belong to you")
    return content.text.strip()


def _read(path: Path, limit: int) -> _Content:
    """A file of at most `limit` bytes, and whether it is private, which is asked of the file that is open."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"is wanted of {path}, which is not a file", "name a file")
            data = file.read(limit + 1)
    except OSError as error:
        raise Unreadable(f"is missing: {path} cannot be read: {error.strerror}", "write this file") from None
    if len(data) > limit:
        raise Unreadable(f"is too long: {path} has more than {limit} bytes", "name the right file")
    private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
    try:
        return _Content(data.decode(), private)
    except UnicodeDecodeError:
        raise Unreadable(f"is not text: {path} is not UTF-8", "write it as UTF-8") from None
