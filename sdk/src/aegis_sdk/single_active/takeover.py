"""How a key comes to this instance, and how it leaves it: what takes time of the election's decisions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from aegis_sdk import clock, codec
from aegis_sdk.election_events import (
    Claim,
    Claimed,
    ClaimRefused,
    ClaimUnknown,
    Event,
    Recovered,
    RecoveryFailed,
    Release,
    Released,
)
from aegis_sdk.errors import AegisError, EpochEnded, LedgerUnavailable, Moved, Rejected, Suspended
from aegis_sdk.instances import InstanceRecord
from aegis_sdk.ledger.ledger import Ledger
from aegis_sdk.ledger.records import Lease, LeaseState, Result, Verdict
from aegis_sdk.ledger.snapshot import OpenIntent
from aegis_sdk.single_active.announcements import Announcements
from aegis_sdk.single_active.context import raw
from aegis_sdk.single_active.declaration import Settled, SingleActive
from aegis_sdk.single_active.holding import Holding
from aegis_sdk.single_active.holdings import Holdings
from aegis_sdk.single_active.hooks import uncancelled
from aegis_sdk.single_active.tails import Tails

__all__ = ["Takeover"]

_log = structlog.get_logger("aegis.active")

_AGAIN_S: Final = 0.05
_AT_A_TIME: Final = 50
"""Keys that are begun before others have their turn in the loop."""
_TURN_S: Final = 0.01
"""So long keys are replayed before others have their turn in the loop, heartbeats above all."""


class Takeover:
    """Claims, adopts and releases keys for an instance, and tells its election how that ended."""

    def __init__(
        self,
        service: SingleActive,
        record: InstanceRecord,
        ledger: Ledger,
        tails: Tails,
        holdings: Holdings,
        announcements: Announcements,
        tell: Callable[[Event], None],
    ) -> None:
        self._service = service
        self._record = record
        self._ledger = ledger
        self._tails = tails
        self._holdings = holdings
        self._announcements = announcements
        self._tell = tell
        self._replaying = asyncio.Lock()
        self._turn_began_at = 0.0
        self._settling: set[str] = set()

    async def claim(self, claims: Sequence[Claim]) -> None:
        """Claim keys, all in one go; what came of each is told."""
        attempt = secrets.token_hex(8)
        try:
            outcomes = await self._ledger.claim(
                claims,
                holder=self._record.instance,
                incarnation=self._record.incarnation,
                attempt=attempt,
                timeout=2 * self._service.timers.write_s,  # a late claim is still ours: it is found by its lease
            )
        except Exception:
            for claim in claims:
                self._tell(ClaimUnknown(claim.key))
            raise
        acked_at = clock.now()
        unanswered: list[AegisError] = []
        for number, (key, outcome) in enumerate(outcomes.items(), start=1):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            match outcome:
                case int():
                    self._tell(Claimed(key, outcome, attempt, acked_at))
                case EpochEnded():
                    self._tell(ClaimRefused(key))
                case _:
                    unanswered.append(outcome)
                    self._tell(ClaimUnknown(key))
        if unanswered:
            _log.warning("claims_unanswered", keys=len(unanswered), reason=str(unanswered[0]))

    async def adopt(self, holding: Holding, answer_from: float) -> None:
        """Make an epoch effective: replay, wait until the holder before has no proof left, recover, serve."""
        try:
            await self._holdings.subscribe(holding)
            self._announcements.begun(holding.key, holding.epoch)
            with holding.work.bound():
                await self._make_effective(holding, answer_from)
        except TimeoutError:
            _log.error("recovery_took_too_long", key=holding.key, epoch=holding.epoch)
            await self.give_back(holding)
        except Exception as error:
            if not holding.is_ended:
                _log.exception("recovery_failed", key=holding.key, epoch=holding.epoch, reason=repr(error))
                await self.give_back(holding)

    async def _make_effective(self, holding: Holding, answer_from: float) -> None:
        key = holding.key
        self._prove_ahead(holding, answer_from)
        async with asyncio.timeout(self._service.timers.recover_s):
            await self._holdings.in_turn(key, self._replay(holding))
            while (left := answer_from - clock.now()) > 0:  # noqa: ASYNC110 - a loop may wake us up a moment too early
                await asyncio.sleep(left)
            await self._holdings.in_turn(key, self._service.recover(key, holding.journal.intents))
        await self._settle_at_first(holding)
        if not holding.is_ended and not holding.releasing:
            self._holdings.open(holding)
            self._tell(Recovered(key, holding.epoch))
            await self._holdings.run_hook(key, self._service.on_active(key, holding.epoch))

    def _prove_ahead(self, holding: Holding, answer_from: float) -> None:
        """See to a proof that is there when the first answer may be given; those of many keys go together."""
        prove_at = answer_from - self._service.timers.proof_s / 3
        loop = asyncio.get_running_loop()
        loop.call_later(max(prove_at - clock.now(), 0), lambda: holding.refresh(clock.now()))

    async def _replay(self, holding: Holding) -> None:
        journal = await self._tails.journal(holding.key, holding.epoch)
        async with self._replaying:
            if clock.now() - self._turn_began_at > _TURN_S:
                await asyncio.sleep(0)
                self._turn_began_at = clock.now()
            self._service.restore(holding.key, journal.snapshot)
            for change in journal.changes:
                self._service.apply(holding.key, change)
                if clock.now() - self._turn_began_at > _TURN_S:
                    await asyncio.sleep(0)
                    self._turn_began_at = clock.now()
            holding.begin(journal)

    async def _settle_at_first(self, holding: Holding) -> None:
        """Settle what can be settled at once: requests wait meanwhile. The rest is tried again."""
        if not holding.journal.intents:
            return
        try:
            async with asyncio.timeout(self._service.timers.outcome_s):
                await self._settle(holding)
        except Exception as error:
            _log.warning("not_settled", key=holding.key, reason=repr(error), intents=len(holding.journal.intents))

    async def settle_again(self, holding: Holding) -> None:
        """Settle what is still open while requests are handled; where that is being done already, nothing."""
        if holding.journal.intents and holding.key not in self._settling:
            self._settling.add(holding.key)
            try:
                with holding.work.bound():
                    await self._settle(holding)
            except (Moved, Suspended) as error:
                _log.info("not_settled", key=holding.key, reason=str(error))
            finally:
                self._settling.discard(holding.key)

    async def _settle(self, holding: Holding) -> None:
        """Ask the service what became of intents without a result; what it does not know stays open."""
        outcome_s = self._service.timers.outcome_s
        for intent in tuple(holding.journal.intents.values()):
            if not holding.is_abandoned(intent.idempotency_key):
                continue
            await holding.proven(clock.now() + outcome_s)
            settled = await self._settled(holding.key, intent)
            if settled is None:
                continue
            async with holding.lock:  # whoever holds it decides by a state that must not change under it
                if holding.is_abandoned(intent.idempotency_key):
                    await holding.written(_result(intent, settled), clock.now() + outcome_s, keep=True)

    async def _settled(self, key: str, intent: OpenIntent) -> Settled | None:
        """What the service finds out. One that hangs or fails must not keep the others from being asked about."""
        try:
            async with asyncio.timeout(self._service.timers.recover_s):
                return await uncancelled(self._service.settle(key, intent))
        except Exception as error:
            _log.warning("intent_not_settled", key=key, idempotency_key=intent.idempotency_key, reason=repr(error))
            return None

    async def release(self, release: Release, holding: Holding | None, drain_s: float) -> None:
        """Finish what is at work within `drain_s`, then end the epoch; tried until it is known to have ended."""
        key, epoch = release.key, release.epoch
        if holding is not None and release.drain and not await holding.drained(drain_s):
            _log.warning("released_undrained", key=key, epoch=epoch, at_work=holding.work.requests)
        if holding is not None and release.drain:
            await self._holdings.run_hook(key, self._service.on_leaving(key))
        state = LeaseState.HANDOVER if release.successor else LeaseState.VACANT
        lease = Lease(state, self._record.instance, self._record.incarnation, successor=release.successor)
        writer = self._ledger.epoch(key, epoch)
        if holding is not None:
            holding.leave()
        while True:  # also if it has ended here alone: by the ledger it is ours until it is given back
            try:
                await writer.end(lease, self._service.timers.write_s)
                break
            except EpochEnded:
                break
            except LedgerUnavailable as error:
                _log.info("release_unanswered", key=key, reason=str(error))
                await asyncio.sleep(_AGAIN_S)
        if holding is not None:
            await self._holdings.drop(holding)
        self._tell(Released(key, epoch))

    async def give_back(self, holding: Holding) -> None:
        """The state that we have of a key cannot be trusted: somebody replays it anew."""
        await self._holdings.drop(holding)
        self._tell(RecoveryFailed(holding.key, holding.epoch))


def _result(intent: OpenIntent, settled: Settled) -> Result:
    if isinstance(settled.reply, Rejected):
        reply = msgspec.Raw(codec.encode_json(settled.reply.to_wire()))
        return Result(intent.idempotency_key, Verdict.REJECTED, raw(settled.change), reply)
    return Result(intent.idempotency_key, Verdict.OK, raw(settled.change), raw(settled.reply))
