"""The first administrator: made where there is none, with a password that is told once and must be changed at once."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog

from aegis.management.access.passwords import Passwords, made_up
from aegis.management.access.roles import Role
from aegis.management.access.users import User, Users
from aegis.management.audit import Trail, of_this_machine
from aegis_sdk.kv import RevisionMismatch

__all__ = ["FIRST", "Note", "ensure_administrator", "write_note"]

_log = structlog.get_logger("aegis.management")

FIRST: Final = "admin"


class Note(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where we listen, and, after a first run, who may sign in."""

    address: str
    user: str = ""
    password: str = ""


async def ensure_administrator(users: Users, passwords: Passwords, trail: Trail, now: datetime) -> str | None:
    """The password of `admin`, if no administrator could sign in before. Of several instances one makes it."""
    stored = await users.all()
    if any(one.user.role is Role.ADMIN and one.user.enabled for one in stored):
        return None
    password = made_up()
    before = next((one for one in stored if one.user.name == FIRST), None)
    user = User(
        name=FIRST,
        role=Role.ADMIN,
        password_hash=await passwords.hashed(password),
        generation=1 if before is None else before.user.generation + 1,
        created_at=now,
        changed_at=now,
    )
    try:
        if before is None:
            await users.create(user)
        else:
            await users.replace(user, before.revision)
    except RevisionMismatch:
        return None  # another instance was faster
    _log.info("first_administrator_made", user=FIRST)
    await trail.record(of_this_machine("first run"), "make_administrator", FIRST, "done", "", {})
    return password


def write_note(path: Path, note: Note) -> None:
    """Write it so that only its owner can read it, and nobody sees half of it."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(msgspec.json.encode(note))
    new.replace(path)
