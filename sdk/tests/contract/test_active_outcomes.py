"""What a caller of the active instance is told where there is no answer, and how its calls end."""

from __future__ import annotations

import asyncio

import pytest

from aegis_sdk import codec, subjects
from aegis_sdk.active_calls import ActiveCalls
from aegis_sdk.client import Client
from aegis_sdk.errors import (
    CodecError,
    ConfigurationError,
    DeadlineExceeded,
    InvalidRequest,
    Moved,
    NotExecuted,
    OutcomeUnknown,
    RpcError,
    Suspended,
)
from aegis_sdk.messages import Message
from aegis_sdk.method import Method
from aegis_sdk.transport import Transport

from .active_holder import KEY, SOON_S, Balance, Deposit, Holder, answers, begin, in_turn, is_silent, learned, refuses
from .network import DEADLINE_S


@pytest.fixture
def deposit(name: str) -> Method[Deposit, Balance]:
    return Method(name, "deposit", Deposit, Balance)


@pytest.fixture
async def client(transport: Transport) -> Client:
    return Client(transport)


# The outcome without an answer


async def test_a_call_that_was_never_sent_is_not_executed(client: Client, deposit: Method[Deposit, Balance]) -> None:
    with pytest.raises(NotExecuted, match="nobody holds it"):
        await begin(client, deposit, timeout=0.1)
    with pytest.raises(NotExecuted):
        await begin(client, deposit, timeout=0)


async def test_a_call_whose_every_attempt_is_safe_is_not_executed(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await learned(client, other, deposit)
    calling = begin(client, deposit, timeout=SOON_S)
    holder = await Holder(other, deposit.service, 8, refuses(Moved())).begin(tells=False)
    with pytest.raises(NotExecuted):
        await calling
    assert holder.requests


async def test_an_unanswered_call_is_unknown_at_its_deadline(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await Holder(other, deposit.service, 5, is_silent).begin()
    with pytest.raises(OutcomeUnknown, match="silent") as unknown:
        await begin(client, deposit, timeout=SOON_S, idempotency_key="k1")
    assert unknown.value.details == {"idempotency_key": "k1"}


async def test_an_ambiguous_attempt_stays_so_when_a_later_one_reaches_nobody(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=SOON_S)
    await frozen.asked()
    Holder(other, deposit.service, 8, is_silent).announce()  # nobody listens for it
    with pytest.raises(OutcomeUnknown, match="nobody listens"):
        await calling


async def test_an_ambiguous_attempt_stays_so_when_a_later_one_is_refused(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=SOON_S)
    await frozen.asked()
    await Holder(other, deposit.service, 8, refuses(Moved())).begin()
    with pytest.raises(OutcomeUnknown):
        await calling


async def test_a_dropped_reply_leaves_its_attempt_ambiguous(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    late = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=SOON_S)
    request = await late.asked()
    newer = await Holder(other, deposit.service, 8, refuses(Moved())).begin()
    await newer.asked()
    late.reply(request, 1)
    with pytest.raises(OutcomeUnknown):
        await calling


async def test_an_attempt_refused_late_is_safe_after_all(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    late = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=SOON_S)
    request = await late.asked()
    newer = await Holder(other, deposit.service, 8, refuses(Moved())).begin()
    await newer.asked()
    late.refuse(request, Suspended())
    with pytest.raises(NotExecuted):
        await calling


async def test_a_suspended_holder_ends_the_call_at_once(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, refuses(Suspended("no proof"))).begin()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(NotExecuted, match="no proof"):
            await begin(client, deposit, timeout=60)
    assert len(holder.requests) == 1


async def test_a_suspended_holder_says_nothing_of_earlier_attempts(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=60)
    await frozen.asked()
    await Holder(other, deposit.service, 8, refuses(Suspended())).begin()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(OutcomeUnknown):
            await calling


@pytest.mark.parametrize("error", [OutcomeUnknown(), DeadlineExceeded()], ids=lambda error: error.code)
async def test_a_holder_that_does_not_know_ends_the_call_at_once(
    client: Client, other: Transport, deposit: Method[Deposit, Balance], error: RpcError
) -> None:
    await Holder(other, deposit.service, 5, refuses(error)).begin()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(OutcomeUnknown) as unknown:
            await begin(client, deposit, timeout=60, idempotency_key="k1")
    assert unknown.value.details == {"idempotency_key": "k1"}


async def test_a_stored_not_executed_is_an_answer_whatever_was_unknown_before(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit)
    await frozen.asked()
    await Holder(other, deposit.service, 8, refuses(NotExecuted("given up"))).begin()
    with pytest.raises(NotExecuted, match="given up"):
        await calling


async def test_a_call_that_asks_for_an_unknown_outcome_does_not_deny_it(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    """The second call reached nobody; that says nothing of what the first one did."""
    holder = await Holder(other, deposit.service, 5, in_turn(answers, is_silent)).begin()
    await begin(client, deposit)
    with pytest.raises(OutcomeUnknown):
        await begin(client, deposit, timeout=0.1, idempotency_key="k1")
    await holder.end()
    with pytest.raises(OutcomeUnknown):
        await begin(client, deposit, timeout=0.1, idempotency_key="k1")
    with pytest.raises(NotExecuted):
        await begin(client, deposit, timeout=0.1, idempotency_key="k2")
    again = await Holder(other, deposit.service, 8, answers).begin()
    assert (await begin(client, deposit, idempotency_key="k1")).epoch == 8
    await again.end()
    with pytest.raises(NotExecuted):
        await begin(client, deposit, timeout=0.1, idempotency_key="k1")


# Ends


async def test_a_closed_connection_ends_what_waits(
    client: Client, transport: Transport, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, is_silent).begin()
    sent = begin(client, deposit, timeout=60)
    await holder.asked()
    asked: asyncio.Queue[Message] = asyncio.Queue()
    await other.subscribe(subjects.epoch_asked(deposit.service), asked.put_nowait)
    await other.flush()
    unsent = asyncio.create_task(client.call_active(deposit, "unheld", Deposit(amount=1), timeout=60))
    await asked.get()
    await transport.close()
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(OutcomeUnknown, match="closed"):
            await sent
        with pytest.raises(NotExecuted, match="closed"):
            await unsent
        with pytest.raises(NotExecuted):
            await begin(client, deposit)


async def test_a_cancelled_call_leaves_nothing_and_is_not_denied_later(
    transport: Transport, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    calls = ActiveCalls(transport)
    holder = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = asyncio.create_task(calls.call(deposit, KEY, Deposit(amount=1), idempotency_key="k1"))
    await holder.asked()
    assert calls.pending == 1
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert calls.pending == 0
    await holder.end()
    with pytest.raises(OutcomeUnknown):
        await calls.call(deposit, KEY, Deposit(amount=1), idempotency_key="k1", timeout=0.1)


async def test_what_cannot_be_sent_is_refused_at_once(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await Holder(other, deposit.service, 5, answers).begin()
    for key in ("", "*", "a.b", "a b"):
        with pytest.raises(ConfigurationError):
            await client.call_active(deposit, key, Deposit(amount=1))
    for idempotency_key in ("a b", "a\nb", "x" * 129, "é"):
        with pytest.raises(InvalidRequest):
            await begin(client, deposit, idempotency_key=idempotency_key)
    big: Method[Big, Balance] = Method(deposit.service, "deposit", Big, Balance)
    with pytest.raises(CodecError):
        await client.call_active(big, KEY, Big(text="x" * (2 << 20)))


async def test_only_so_many_keys_are_remembered_and_none_that_a_call_waits_for(
    transport: Transport, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    calls = ActiveCalls(transport, max_routes=2)
    waiting = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = asyncio.create_task(calls.call(deposit, KEY, Deposit(amount=1)))
    request = await waiting.asked()
    holders = [await Holder(other, deposit.service, 6, answers, key).begin() for key in ("B", "C")]
    for key in ("B", "B", "C", "C", "B"):
        await calls.call(deposit, key, Deposit(amount=1))
    assert [len(holder.questions) for holder in holders] == [2, 1]
    waiting.reply(request, 3)
    assert (await calling).value == Balance(amount=3)


async def test_the_key_that_was_called_longest_ago_is_forgotten_first(
    transport: Transport, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    calls = ActiveCalls(transport, max_routes=2)
    holders = {key: await Holder(other, deposit.service, 5, answers, key).begin() for key in "ABC"}
    for key in "ABACA":
        await calls.call(deposit, key, Deposit(amount=1))
    assert {key: len(holder.questions) for key, holder in holders.items()} == {"A": 1, "B": 1, "C": 1}
    await calls.call(deposit, "B", Deposit(amount=1))
    assert len(holders["B"].questions) == 2


async def test_what_is_no_announcement_and_no_answer_harms_nobody(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    asked = asyncio.Event()

    def mumble(message: Message) -> None:
        asked.set()
        for payload in (b"junk", codec.encode_json([KEY]), codec.encode_json(["another", 9, "a"])):
            other.publish(message.reply, payload)

    await other.subscribe(subjects.epoch_asked(deposit.service), mumble)
    holder = await Holder(other, deposit.service, 5, answers).begin(tells=False)
    calling = begin(client, deposit)
    await asked.wait()
    other.publish(subjects.epochs_begun(deposit.service), b"junk")
    holder.announce()
    assert (await calling).epoch == 5


class Big(Deposit):
    text: str
    amount: int = 0


# Plain data


async def test_a_tool_calls_with_plain_data(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await Holder(other, deposit.service, 5, answers).begin()
    answer = await client.call_active_json(deposit.service, "deposit", KEY, {"amount": 21}, idempotency_key="mine")
    assert answer == ({"amount": 42}, 5, 7, False, "mine")


# Two calls with one idempotency key at a time


async def test_a_call_is_not_safe_to_repeat_where_its_twin_ended_uncertain(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    """Repeated as new it would be done twice, if the twin was done."""
    holder = await Holder(other, deposit.service, 5, in_turn(is_silent, refuses(Moved("elsewhere")))).begin()
    uncertain = begin(client, deposit, timeout=SOON_S, idempotency_key="k1")
    await holder.asked()
    refused = begin(client, deposit, timeout=2 * SOON_S, idempotency_key="k1")
    for call in (uncertain, refused):
        with pytest.raises(OutcomeUnknown):
            await call
    with pytest.raises(OutcomeUnknown):
        await begin(client, deposit, timeout=SOON_S, idempotency_key="k1")
