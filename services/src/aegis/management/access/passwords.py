"""Passwords: argon2id, in threads of their own, two at a time: each takes 64 MiB and some 50 ms of a core."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated, Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from pydantic import Field

from aegis.management.problems import Problem

__all__ = ["NewPassword", "Passwords", "made_up"]

NewPassword = Annotated[str, Field(min_length=12, max_length=128)]

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32


class Passwords:
    """Makes hashes and checks them. Beyond 32 waiting it refuses: Problem `overloaded`."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobodys = self._hasher.hash(secrets.token_hex())  # compared with where there is no such user
        self._place = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        async with self:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def is_right(self, password: str, hashed: str | None) -> bool:
        """Whether it is the one that was hashed. None, for a user who does not exist: never, and as slowly."""
        async with self:
            return await asyncio.to_thread(self._verify, password, hashed or self._nobodys) and hashed is not None

    def _verify(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def __aenter__(self) -> None:
        if self._waiting >= _MOST_WAITING:
            raise Problem("overloaded", "many_sign_in", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            await self._place.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._place.release()


def made_up() -> str:
    """A password of 120 random bits, in groups that people can type."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(5))
