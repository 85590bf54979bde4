"""How a single-active service declares itself: its keys, its handlers, and what it does when a key comes or goes.

For each key one instance is active. It answers the handlers declared with `@active`, whose context commits to the
ledger. What it commits is its state: `apply` is called for every committed change, once as it is acknowledged, and
again, in the same order, wherever the key goes next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar, cast, overload

from pydantic import BaseModel

from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError, Moved, Rejected
from aegis_sdk.handler import Rpc
from aegis_sdk.ledger.snapshot import Committed, OpenIntent
from aegis_sdk.method import Method
from aegis_sdk.placement import Placement
from aegis_sdk.service import Service
from aegis_sdk.single_active.context import ActiveContext, Held
from aegis_sdk.timers import AGGRESSIVE, Timers

__all__ = ["MAX_KEYS", "Active", "Settled", "SingleActive", "active", "keys_of"]

MAX_KEYS: Final = 3000
"""Of one service. The longest, so many, fit into a heartbeat twice: those held, and those that cannot be proved."""

Request = TypeVar("Request", bound=BaseModel)
Reply = TypeVar("Reply", bound=BaseModel)


class Settled(NamedTuple):
    """What became of an intent that was found open: the answer its caller gets, and the change of state."""

    reply: BaseModel | Rejected
    change: BaseModel | bytes | None = None


class SingleActive(Service):
    """A service with keys, each of which has one active instance. Name it, declare `keys` and handlers with `@active`.

    A handler must not do anything outside of the process but between `await context.intend(...)` and
    `await context.commit(...)`. State that a handler reads belongs to the key and is changed by `apply` alone. Handlers
    run side by side: one that decides by the state and then commits holds `context.lock`, or shares it with others that
    do the same (`context.lock.together`).
    """

    timers: Timers = AGGRESSIVE  # AEGIS_TIMERS takes its place
    snapshot_every: ClassVar[int] = 1000  # changes of a key, intents too; it bounds what a new holder replays

    _held: Mapping[str, Held] = {}  # this and the next are set by the host
    _look_at_health: Callable[[], None] = staticmethod(lambda: None)

    def keys(self) -> Iterable[str]:
        """The keys of this service: tokens, the same in every instance."""
        raise NotImplementedError

    def placement(self, key: str) -> Placement:
        """Where the key would best be, and how many instances stand by for it. Heeded when a key is claimed."""
        return Placement()

    def restore(self, key: str, snapshot: bytes | None) -> None:
        """Begin the state of a key anew: from what `snapshot` returned, or empty."""

    def apply(self, key: str, change: Committed) -> None:
        """Take a committed change into the state of a key, always in the same way; an error gives the key back."""

    def snapshot(self, key: str) -> bytes | None:
        """The state of a key, as `restore` takes it. None: no snapshots, so the journal only grows."""
        return None

    async def recover(self, key: str, intents: Mapping[str, OpenIntent]) -> None:
        """Make ready to be active: the state is replayed, and no other instance acts for the key any more.

        `intents` were found without a result; `settle` is asked for each afterwards. Must end within
        `timers.recover_s`, with the replay; an error gives the key back.
        """

    async def settle(self, key: str, intent: OpenIntent) -> Settled | None:
        """Find out what became of an intent whose handler did not finish: ask the venue.

        None, or an error: it stays unknown, and this is asked again every second.
        """
        return None

    async def on_active(self, key: str, epoch: int) -> None:
        """This instance is active for the key. `held(key)` commits what is no request's. At most `recover_s` long."""

    async def on_leaving(self, key: str) -> None:
        """The key is about to be handed over, its requests are done: finish what goes on beside them. Still held."""

    async def on_standby(self, key: str) -> None:
        """This instance is not active for the key: at its start, and whenever it has lost or given up the key.

        At most `recover_s` long.
        """

    async def healthy(self) -> bool:
        """Asked every second: False, or no answer for a second, hands over all keys until it is True again."""
        return True

    def health_changed(self) -> None:
        """Have `healthy` asked at once."""
        self._look_at_health()

    def held(self, key: str) -> Held:
        """The key as held by this instance. Raises Moved where it is not."""
        try:
            return self._held[key]
        except KeyError:
            raise Moved(f"{key} is not held here") from None


class Active(Rpc[Request, Reply], Generic[Request, Reply]):
    """A handler of the active instance. On the class it is the `Method` that `Client.call_active` takes."""

    def __init__(
        self, handler: Callable[..., Awaitable[Reply]], method: Method[Any, Any] | None, stale_ok: bool
    ) -> None:
        super().__init__(handler, method, idempotent=method.idempotent if method else False)
        self.stale_ok = stale_ok


@overload
def active(handler: Callable[[Any, Request, ActiveContext], Awaitable[Reply]], /) -> Active[Request, Reply]: ...
@overload
def active(
    method: Method[Request, Reply] | None = None, /, *, stale_ok: bool = False
) -> Callable[[Callable[..., Awaitable[Reply]]], Active[Request, Reply]]: ...
def active(target: Any = None, /, *, stale_ok: bool = False) -> Any:
    """Declare a handler `async (self, request, context: ActiveContext) -> reply` of the active instance.

    With `stale_ok` it only reads, and answers also while the epoch cannot be proved; the reply says so then.
    """
    if callable(target):
        return Active[Any, Any](cast("Any", target), None, stale_ok)

    def declare(handler: Callable[..., Awaitable[Any]]) -> Active[Any, Any]:
        return Active(handler, target, stale_ok)

    return declare


def keys_of(service: SingleActive) -> frozenset[str]:
    """Its keys. Raises ConfigurationError for what is no key, and for too many."""
    keys = frozenset(service.keys())
    if len(keys) > MAX_KEYS:
        raise ConfigurationError("keys", f"{len(keys)} are too many for one service: {MAX_KEYS} at most")
    for key in keys:
        if key == subjects.ANY:
            raise ConfigurationError("keys", "'*' is no key")
        subjects.token(key, "key")
    return keys
