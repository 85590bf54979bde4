"""Profiles that a program writes: of counters that it has started itself, whose users and fronts only it knows."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["write_private", "write_profile"]


def write_profile(
    path: Path, libraries: str | Path, primary: Mapping[str, str], backup: Mapping[str, str] | None = None
) -> None:
    """Of simulated money; the fields of its logins are those of `CtpLogin`."""
    text = f'env = "sim"\nmode = "production"\nlibraries = {json.dumps(str(libraries))}\n'
    for name, login in (("primary", primary), ("backup", backup or {})):
        if login:
            text += f"\n[{name}]\n" + "".join(f"{field} = {json.dumps(value)}\n" for field, value in login.items())
    write_private(path, text)


def write_private(path: Path, text: str) -> None:
    """Readable by its owner only from the first byte on, whole or not at all."""
    partial = path.with_name(f".{path.name}")
    partial.unlink(missing_ok=True)
    with open(partial, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
    partial.replace(path)
