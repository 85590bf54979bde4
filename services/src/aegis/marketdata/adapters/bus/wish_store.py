"""What is wanted, in the bucket `aegis_subscriptions`: followed, and changed on a consumer's behalf."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import structlog

from aegis.contracts.subscriptions import BUCKET, Scope, WishPart
from aegis.marketdata.domain.wishes import SCOPES, Place, Wishes, by_part
from aegis_sdk import codec, subjects
from aegis_sdk.errors import AegisError, InvalidRequest
from aegis_sdk.kv import KeyValue, KeyValueEntry, RevisionMismatch
from aegis_sdk.transport import Transport

__all__ = ["WishStore"]

_log = structlog.get_logger("aegis.subscriptions")

_MAX_BYTES: Final = 64 << 20  # then writes are refused: a consumer that goes wild harms no other bucket
_MARKER_S: Final = 1
_DELETION_S: Final = 3600  # then nothing is left of a consumer that is gone
_RETRY_S: Final = 1.0
_ATTEMPTS: Final = 20
_LOOK_AGAIN_S: Final = 300.0
"""What expires while the connection is away may leave no trace: so often the whole bucket is read again."""

Edit = Callable[[WishPart], WishPart]


class WishStore:
    """The wishes for one feed set. `table` has them all as soon as `follow` has caught up with the bucket."""

    def __init__(self, transport: Transport, feed: str, *, replicas: int = 1) -> None:
        self.table: Final = Wishes()
        self._bucket = KeyValue(transport, BUCKET)
        self._feed = feed
        self._replicas = replicas

    async def ensure(self) -> None:
        """Create the bucket where it is missing."""
        await self._bucket.ensure(replicas=self._replicas, max_bytes=_MAX_BYTES, marker_ttl_s=_MARKER_S)

    async def follow(self, on_changed: Callable[[], None]) -> None:
        """Keep `table` true until the connection is closed, whatever becomes of JetStream on the way.

        `on_changed` is called once all that is there is known, and then after each change.
        """
        while True:
            try:
                async with asyncio.timeout(_LOOK_AGAIN_S):
                    await self._follow(on_changed)
                    return
            except TimeoutError:
                continue
            except AegisError as error:
                _log.warning("wishes_not_readable", reason=str(error), retry_s=_RETRY_S)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self, on_changed: Callable[[], None]) -> None:
        heard: set[Place] = set()
        caught_up = False
        async with self._bucket.watch(f"{self._feed}.{subjects.REST}") as entries:
            async for entry in entries:
                if entry is None:
                    await self._drop_unheard(heard)
                    caught_up = True
                    on_changed()
                elif (place := self._place(entry.key)) is not None:
                    heard.add(place)
                    if self._take(place, entry) and caught_up:
                        on_changed()

    async def _drop_unheard(self, heard: set[Place]) -> None:
        for place in [one for one in self.table.all_places if one not in heard]:
            if await self._bucket.get(self._key(place)) is None:
                self.table.drop(place)
        self.table.forget_deletions()

    async def add(self, consumer: str, names: Iterable[str], scopes: Iterable[Scope], ttl_s: int) -> None:
        """Want these too; all that the consumer wants expires `ttl_s` seconds from now, 0: never."""
        parts = by_part(names)
        scopes = tuple(scopes)
        places = {place.part for place in self.table.places(consumer)} | {*parts, *((SCOPES,) if scopes else ())}

        def with_more(part: str) -> Edit:
            return lambda old: WishPart(
                instruments=tuple(sorted(parts.get(part, set()).union(old.instruments))),
                scopes=tuple(dict.fromkeys((*old.scopes, *(scopes if part == SCOPES else ())))),
                ttl_s=ttl_s,
            )

        await _all(self._edit(Place(consumer, part), with_more(part), renew=True) for part in places)

    async def remove(self, consumer: str, names: Iterable[str], scopes: Iterable[Scope]) -> None:
        """Want these no more, whichever part names them."""
        gone, gone_scopes = frozenset(names), frozenset(scopes)

        def without(old: WishPart) -> WishPart:
            instruments = tuple(name for name in old.instruments if name not in gone)
            scopes = tuple(scope for scope in old.scopes if scope not in gone_scopes)
            return WishPart(instruments=instruments, scopes=scopes, ttl_s=old.ttl_s)

        await _all(self._edit(place, without) for place in self.table.places(consumer))

    async def put(self, consumer: str, scopes: Iterable[Scope]) -> None:
        """Want these scopes, and no others, for ever."""
        await self._edit(Place(consumer, SCOPES), lambda _: WishPart(scopes=tuple(scopes)))

    async def forget(self, consumer: str) -> None:
        """Want nothing any more."""
        await _all(self._edit(place, lambda _: WishPart()) for place in self.table.places(consumer))

    async def _edit(self, place: Place, edit: Edit, *, renew: bool = False) -> None:
        """Change one part, guarded against others who change it too; an empty one is deleted.

        One that expires and does not change is written again only to `renew` it.
        """
        for attempt in range(_ATTEMPTS):
            entry = await self._bucket.get(self._key(place))
            old = (self._decoded(entry) if entry else None) or WishPart()
            new = edit(old)
            if new == old and not (renew and new.ttl_s):
                return
            try:
                await self._store(place, new, entry)
                return
            except RevisionMismatch:
                if attempt == _ATTEMPTS - 1:
                    raise

    async def _store(self, place: Place, part: WishPart, entry: KeyValueEntry | None) -> None:
        key = self._key(place)
        if not (part.instruments or part.scopes):
            if entry is not None:
                await self._bucket.delete(key, entry.revision, _DELETION_S)
                self.table.apply(place, None, entry.revision + 1)
            return
        payload = codec.encode_model(part)
        if entry is None:
            await self._bucket.create(key, payload, part.ttl_s)
        else:
            await self._bucket.update(key, payload, entry.revision, part.ttl_s)
        stored = await self._bucket.get(key)
        if stored is not None:
            self._take(place, stored)

    def _take(self, place: Place, entry: KeyValueEntry) -> bool:
        if entry.revision <= self.table.revision(place):
            return False  # what one wrote oneself comes back: it need not be decoded again
        part = None if entry.deleted else self._decoded(entry)
        return self.table.apply(place, part, entry.revision, entry.created_ns)

    def _decoded(self, entry: KeyValueEntry) -> WishPart | None:
        try:
            return codec.decode_model(WishPart, entry.value)
        except InvalidRequest as error:
            _log.error("wish_malformed", key=entry.key, reason=str(error), hint="it counts as none")
            return None

    def _key(self, place: Place) -> str:
        return f"{self._feed}.{place.consumer}.{place.part}"

    def _place(self, key: str) -> Place | None:
        tokens = subjects.split(key)
        return Place(tokens[1], tokens[2]) if len(tokens) == 3 else None


async def _all(edits: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Edit parts at the same time, at most as many as a wish has; raises the first error once all have ended."""
    for outcome in await asyncio.gather(*edits, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
