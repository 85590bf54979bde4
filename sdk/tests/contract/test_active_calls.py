"""What a caller of the active instance can rely on. The holders are scripted: they answer as the wire says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from aegis_sdk import subjects
from aegis_sdk.client import Client
from aegis_sdk.errors import (
    Draining,
    Moved,
    NotExecuted,
    Overloaded,
    Rejected,
    RpcError,
    Suspended,
)
from aegis_sdk.messages import EPOCH, IDEMPOTENCY_KEY, TIMEOUT_MS, Message
from aegis_sdk.method import Method
from aegis_sdk.transport import ConnectionState, Transport
from aegis_sdk.transport_memory import MemoryTransport

from .active_holder import KEY, SOON_S, Balance, Deposit, Holder, answers, begin, in_turn, is_silent, learned, refuses
from .network import DEADLINE_S, MemoryNetwork, NatsNetwork, Network, reached


class TooMuch(Rejected):
    """More than there is."""

    code = "too_much_for_active"


@pytest.fixture
def deposit(name: str) -> Method[Deposit, Balance]:
    return Method(name, "deposit", Deposit, Balance)


@pytest.fixture
async def client(transport: Transport) -> Client:
    return Client(transport)


@pytest.fixture
async def apart(network: Network, request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    """A connection that `cut_off` spares."""
    if isinstance(network, MemoryNetwork):
        yield await network.connect()
        return
    another = NatsNetwork(request.getfixturevalue("nats_access"))
    yield await another.connect()
    await another.close()


@asynccontextmanager
async def cut_off(network: Network, transport: Transport) -> AsyncGenerator[None]:
    """One connection is broken, and may be made again afterwards."""
    if isinstance(network, MemoryNetwork):
        assert isinstance(transport, MemoryTransport)
        network.broker.disconnect(transport)
        yield
        network.broker.reconnect(transport)
    else:
        await network.stop()
        yield
        await network.start()


async def test_a_call_that_came_before_its_holder_listened_is_sent_again_when_that_is_announced(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    """It need not ask once more."""
    holder = await Holder(other, deposit.service, 5, answers).begin(announce=False)
    assert holder._serving is not None
    await holder._serving.unsubscribe()
    calling = begin(client, deposit)
    async with asyncio.timeout(DEADLINE_S):
        while len(holder.questions) < 2:  # noqa: ASYNC110 - one that knows no epoch, one that has missed it
            await asyncio.sleep(0.001)
    await holder.hush()
    await holder.begin(tells=False)
    assert (await calling).epoch == 5


async def test_a_call_whose_answer_may_be_lost_is_sent_again_when_its_holder_is_announced_again(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    """What a holder sent into a connection that broke never arrives."""
    holder = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit, timeout=2 * DEADLINE_S)
    await holder.asked()
    holder.answering = answers
    await holder.hush()
    holder.announce()
    assert (await calling).epoch == 5
    assert len(set(holder.idempotency_keys)) == 1


# An answer


async def test_the_first_call_asks_who_holds_the_key_and_others_go_there_at_once(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, answers).begin()
    for _ in range(3):
        answer = await begin(client, deposit, idempotency_key="k1")
        assert answer == (Balance(amount=42), 5, 7, False, "k1")
    assert holder.questions == [{"key": KEY, "missed": 0}]


async def test_a_request_carries_the_time_left_its_key_and_the_highest_epoch_seen(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, answers).begin()
    answer = await begin(client, deposit, timeout=2)
    headers = holder.requests[0].headers
    assert 1500 < int(headers[TIMEOUT_MS]) <= 2000
    assert headers[EPOCH] == "5"
    assert headers[IDEMPOTENCY_KEY] == answer.idempotency_key
    assert len(bytes.fromhex(answer.idempotency_key)) == 16
    assert (await begin(client, deposit)).idempotency_key != answer.idempotency_key


async def test_an_answer_without_a_proof_says_so(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await Holder(other, deposit.service, 5, lambda holder, message: holder.reply(message, 1, stale=True)).begin()
    assert (await begin(client, deposit)).stale


async def test_a_business_error_arrives_as_its_class_and_is_not_repeated(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, refuses(TooMuch("no", available=7))).begin()
    with pytest.raises(TooMuch) as refused:
        await begin(client, deposit)
    assert refused.value.details == {"available": 7}
    assert len(holder.requests) == 1


async def test_the_same_idempotency_key_gets_the_stored_outcome(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    stored: dict[str, int] = {}

    def remembers(holder: Holder, message: Message) -> None:
        holder.reply(message, stored.setdefault(message.headers[IDEMPOTENCY_KEY], len(stored)))

    first = await Holder(other, deposit.service, 5, remembers).begin()
    before = await begin(client, deposit, idempotency_key="order-1")
    await first.end()
    await Holder(other, deposit.service, 8, remembers).begin()
    after = await begin(client, deposit, idempotency_key="order-1")
    assert (before.value, before.epoch) == (Balance(amount=0), 5)
    assert (after.value, after.epoch) == (Balance(amount=0), 8)


# The key moves


async def test_a_call_that_reached_nobody_goes_to_the_epoch_that_is_announced(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await learned(client, other, deposit)
    calling = begin(client, deposit)
    holder = await Holder(other, deposit.service, 8, answers).begin(tells=False)
    assert (await calling).epoch == 8
    assert len(holder.requests) == 1


async def test_who_reached_nobody_says_so_when_asking(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await learned(client, other, deposit)
    holder = await Holder(other, deposit.service, 8, answers).begin(announce=False)
    assert (await begin(client, deposit)).epoch == 8
    assert holder.questions == [{"key": KEY, "missed": 5}]


async def test_an_unanswered_call_is_sent_to_a_newer_epoch_with_the_same_key(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit)
    await frozen.asked()
    holder = await Holder(other, deposit.service, 8, answers).begin(tells=False)
    assert (await calling).epoch == 8
    assert holder.idempotency_keys == frozen.idempotency_keys
    assert holder.requests[0].headers[EPOCH] == "8"


async def test_a_newer_epoch_whose_announcement_was_lost_is_found_by_asking(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit)
    await frozen.asked()
    await Holder(other, deposit.service, 8, answers).begin(announce=False)
    assert (await calling).epoch == 8


async def test_without_a_holder_a_call_waits_for_one(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    calling = begin(client, deposit)
    holder = await Holder(other, deposit.service, 5, answers).begin(announce=False)
    assert (await calling).epoch == 5
    assert len(holder.requests) == 1


@pytest.mark.parametrize("refusal", [Moved(), Draining(), Overloaded()], ids=lambda error: error.code)
async def test_a_refused_call_goes_to_the_newer_epoch(
    client: Client, other: Transport, deposit: Method[Deposit, Balance], refusal: RpcError
) -> None:
    before = await Holder(other, deposit.service, 5, refuses(refusal)).begin()
    calling = begin(client, deposit)
    await before.asked()
    await Holder(other, deposit.service, 8, answers).begin(tells=False)
    assert (await calling).epoch == 8


async def test_a_holder_that_refused_and_is_there_is_tried_again_but_not_hammered(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    refusal = refuses(Overloaded())
    holder = await Holder(other, deposit.service, 5, in_turn(refusal, refusal, answers)).begin()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await begin(client, deposit)).epoch == 5
    assert len(holder.requests) == 3
    assert 0.1 <= loop.time() - began < 1


async def test_many_calls_that_miss_a_holder_together_do_not_ask_each_for_itself(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    await learned(client, other, deposit)
    questions: list[Message] = []
    await other.subscribe(subjects.epoch_asked(deposit.service), questions.append)
    await other.flush()
    calls = [begin(client, deposit, timeout=SOON_S) for _ in range(100)]
    for call in calls:
        with pytest.raises(NotExecuted):
            await call
    assert len(questions) < 12


async def test_a_request_that_was_lost_on_its_way_is_sent_again_while_its_holder_is_there(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(other, deposit.service, 5, in_turn(is_silent, answers)).begin()
    assert (await begin(client, deposit)).epoch == 5
    assert len(set(holder.idempotency_keys)) == 1


async def test_a_reply_of_a_lower_epoch_than_seen_is_dropped(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    late = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit)
    request = await late.asked()
    holder = await Holder(other, deposit.service, 8, is_silent).begin()
    request_again = await holder.asked()
    late.reply(request, 1)
    await other.flush()
    holder.reply(request_again, 2)
    assert (await calling)[:2] == (Balance(amount=2), 8)


async def test_a_reply_that_names_a_lower_epoch_is_dropped_wherever_it_comes_from(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    confused = in_turn(lambda holder, message: holder.reply(message, 1, epoch=5), answers)
    await Holder(other, deposit.service, 8, confused).begin()
    assert (await begin(client, deposit))[:2] == (Balance(amount=42), 8)


async def test_a_late_refusal_of_an_old_epoch_does_not_end_what_a_newer_one_is_at(
    client: Client, other: Transport, deposit: Method[Deposit, Balance]
) -> None:
    frozen = await Holder(other, deposit.service, 5, is_silent).begin()
    calling = begin(client, deposit)
    request = await frozen.asked()
    holder = await Holder(other, deposit.service, 8, is_silent).begin()
    request_again = await holder.asked()
    frozen.refuse(request, Suspended())
    await other.flush()
    holder.reply(request_again, 2)
    assert (await calling).epoch == 8


async def test_the_connections_return_sends_a_call_again_with_the_same_key(
    client: Client, network: Network, transport: Transport, apart: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(apart, deposit.service, 5, in_turn(answers, is_silent, answers)).begin()
    await begin(client, deposit)
    await holder.hush()
    calling = begin(client, deposit)
    await holder.asked(2)
    async with cut_off(network, transport):
        await reached(transport, ConnectionState.RECONNECTING)
    assert (await calling).epoch == 5
    assert holder.idempotency_keys[1] == holder.idempotency_keys[2]


async def test_a_call_begun_without_a_connection_is_sent_when_it_is_there(
    client: Client, network: Network, transport: Transport, apart: Transport, deposit: Method[Deposit, Balance]
) -> None:
    holder = await Holder(apart, deposit.service, 5, answers).begin()
    await begin(client, deposit)
    async with cut_off(network, transport):
        await reached(transport, ConnectionState.RECONNECTING)
        calling = begin(client, deposit)
        await asyncio.sleep(0)
    assert (await calling).epoch == 5
    assert len(holder.requests) == 2
