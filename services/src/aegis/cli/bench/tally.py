"""A benchmark process: an instance of a single-active service that adds up amounts, by key."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import cast

from pydantic import BaseModel, Field, SecretStr

from aegis.cli.bench.workers import access, run, tell
from aegis_sdk.config import Settings
from aegis_sdk.program import serve
from aegis_sdk.single_active import ActiveContext, Committed, SingleActive, active


class Add(BaseModel):
    """So much is added, as so many changes."""

    amount: int
    changes: int = Field(default=1, ge=1)


class Total(BaseModel):
    total: int


class Tally(SingleActive):
    """Says `ready` when it stands by. Makes no snapshots, so that its journals tell everything afterwards."""

    name = "tally"

    def __init__(self, keys: int) -> None:
        self._keys = keys
        self._totals: dict[str, int] = {}
        self._is_ready = False

    def keys(self) -> Iterable[str]:
        return map(key_of, range(self._keys))

    def restore(self, key: str, snapshot: bytes | None) -> None:
        self._totals[key] = 0

    def apply(self, key: str, change: Committed) -> None:
        if change.data != b"null":
            self._totals[key] += Add.model_validate_json(change.data).amount

    async def on_standby(self, key: str) -> None:
        if not self._is_ready:
            self._is_ready = True
            tell("ready")

    @active
    async def add(self, request: Add, context: ActiveContext) -> Total:
        """Commit the changes one after the other, the last of them with the call's outcome."""
        for _ in range(request.changes - 1):
            await self.held(context.key).commit(Add(amount=request.amount))
        total = self._totals[context.key] + request.amount
        return await context.commit(Add(amount=request.amount), Total(total=total))

    @active
    async def total(self, request: Add, context: ActiveContext) -> Total:
        return Total(total=self._totals[context.key])


def key_of(number: int) -> str:
    return f"K{number}"


def tally(name: str) -> type[Tally]:
    """The service under a name of its own: what happened to others of its kind does not concern it."""
    return cast("type[Tally]", type("Tally", (Tally,), {"name": name}))


def settings(instance: str, nodes: int) -> Settings:
    """In a worker: those of an instance against the server under test."""
    urls, user, password = access()
    return Settings.model_validate(
        {
            "nats_url": urls,
            "nats_user": user,
            "nats_password": SecretStr(password),
            "nats_replicas": nodes,
            "instance": instance,
        }
    )


def main(name: str, instance: str, keys: str, nodes: str) -> None:
    run(serve(tally(name)(int(keys)), settings(instance, int(nodes))))


if __name__ == "__main__":
    main(*sys.argv[1:])
