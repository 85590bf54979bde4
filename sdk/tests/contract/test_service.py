"""What a service and its caller can rely on, over the memory transport and over a real server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from aegis_sdk.client import Client
from aegis_sdk.errors import (
    ConfigurationError,
    DeadlineExceeded,
    Draining,
    InternalError,
    InvalidRequest,
    Overloaded,
    Rejected,
    Unavailable,
)
from aegis_sdk.handler import Context, rpc
from aegis_sdk.messages import TIMEOUT_MS
from aegis_sdk.method import Empty, Method
from aegis_sdk.service import HostOptions, Service, ServiceHost
from aegis_sdk.transport import Transport

from .network import Network

Connect = Callable[[], Awaitable[Transport]]


@pytest.fixture
def connect(network: Network) -> Connect:
    """Makes connections to one message system."""
    return network.connect


class Amount(BaseModel):
    value: int = Field(ge=0, le=1000)


class TooMuch(Rejected):
    """More than there is."""

    code = "too_much"


class Till(Service):
    name = "till"
    version = "1.2.3"

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.release = asyncio.Event()
        self.entered = asyncio.Event()
        self.left = asyncio.Event()

    @rpc(idempotent=True)
    async def add_one(self, request: Amount) -> Amount:
        self.calls += 1
        return Amount(value=request.value + 1)

    @rpc
    async def pay(self, request: Amount) -> Empty:
        self.calls += 1
        raise TooMuch("there is less", available=7)

    @rpc
    async def fail(self, request: Empty) -> Empty:
        self.calls += 1
        raise ZeroDivisionError("a secret of the house")

    @rpc
    async def time_left(self, request: Empty, context: Context) -> Amount:
        return Amount(value=int(context.time_left * 100))

    @rpc
    async def hold(self, request: Empty) -> Empty:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.entered.set()
        try:
            await self.release.wait()
        finally:
            self.at_once -= 1
            self.left.set()
        return Empty()


async def start(connect: Connect, till: Till, **options: Any) -> ServiceHost:
    host = ServiceHost(await connect(), till, HostOptions(**options))
    await host.start()
    return host


async def until_waiting(host: ServiceHost) -> None:
    """Return when a request has arrived that waits for its turn."""
    async with asyncio.timeout(5):
        while not host.admission.waiting:  # noqa: ASYNC110 (some turns of the loop)
            await asyncio.sleep(0)


async def test_a_call_gets_its_typed_answer(connect: Connect) -> None:
    host = await start(connect, Till())
    assert await Client(await connect()).call(Till.add_one, Amount(value=1)) == Amount(value=2)
    await host.stop()


async def test_a_payload_that_the_model_refuses_never_reaches_the_handler(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till)
    client = Client(await connect())
    for body in ({"value": "many"}, {"value": 1001}, {}, [1], None):
        with pytest.raises(InvalidRequest) as refused:
            await client.call_json("till", "add_one", body)
        assert refused.value.details["problems"]
    assert till.calls == 0
    await host.stop()


async def test_a_business_error_arrives_as_its_class_with_its_details_and_is_not_repeated(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till)
    with pytest.raises(TooMuch, match="there is less") as refused:
        await Client(await connect()).call(Till.pay, Amount(value=8))
    assert refused.value.details == {"available": 7}
    assert till.calls == 1
    await host.stop()


async def test_a_failing_handler_gives_nothing_away_and_harms_no_other_call(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till)
    client = Client(await connect())
    with pytest.raises(InternalError, match="ZeroDivisionError") as failed:
        await client.call(Till.fail, Empty())
    assert "secret" not in str(failed.value.to_wire())
    assert till.calls == 1
    assert await client.call(Till.add_one, Amount(value=1)) == Amount(value=2)
    await host.stop()


async def test_the_deadline_travels_as_time_left(connect: Connect) -> None:
    host = await start(connect, Till())
    left = await Client(await connect()).call(Till.time_left, Empty(), timeout=3.0)
    assert 200 < left.value <= 300
    await host.stop()


async def test_a_handler_is_ended_at_the_callers_deadline(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till)
    with pytest.raises(DeadlineExceeded):
        await Client(await connect()).call(Till.hold, Empty(), timeout=0.1)
    async with asyncio.timeout(5):
        await till.left.wait()
    assert till.at_once == 0
    await host.stop()


async def test_a_malformed_deadline_is_refused(connect: Connect) -> None:
    host = await start(connect, Till())
    transport = await connect()
    reply = await transport.request("rpc.till.add_one", b'{"value":1}', {TIMEOUT_MS: "soon"})
    assert json.loads(reply.payload)["code"] == "invalid_request"
    assert reply.headers["Nats-Service-Error-Code"] == "400"
    await host.stop()


async def test_calls_run_at_the_same_time_within_the_bound_of_the_service(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till, max_concurrent=3, max_waiting=2)
    client = Client(await connect())
    calls = [asyncio.create_task(client.call(Till.hold, Empty())) for _ in range(6)]
    done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Overloaded):
        done.pop().result()
    assert not done
    till.release.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, Empty) for result in results) == 5
    assert till.most_at_once == 3
    await host.stop()


async def test_a_call_that_waited_past_its_deadline_is_not_begun(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till, max_concurrent=1)
    client = Client(await connect())
    first = asyncio.create_task(client.call(Till.hold, Empty()))
    await till.entered.wait()
    late = asyncio.create_task(client.call(Till.add_one, Amount(value=1), timeout=0.05))
    await until_waiting(host)
    with pytest.raises(DeadlineExceeded):
        await late
    await asyncio.sleep(0.05)  # the host counts from the arrival
    till.release.set()
    await first
    assert till.calls == 0
    await host.stop()


async def test_a_stopping_instance_answers_what_has_arrived(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till)
    call = asyncio.create_task(Client(await connect()).call(Till.hold, Empty()))
    await till.entered.wait()
    stopping = asyncio.create_task(host.stop())
    await asyncio.sleep(0)
    till.release.set()
    assert await call == Empty()
    await stopping


async def test_a_drain_ends_at_its_timeout_and_the_caller_is_told(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till, drain_timeout_s=0.1)
    call = asyncio.create_task(Client(await connect()).call(Till.hold, Empty()))
    await till.entered.wait()
    await host.stop()
    with pytest.raises(InternalError, match="stopped"):
        await call


async def test_what_still_waits_when_a_drain_ends_is_refused_as_not_begun(connect: Connect) -> None:
    till = Till()
    host = await start(connect, till, max_concurrent=1, drain_timeout_s=0.1)
    client = Client(await connect())
    at_work = asyncio.create_task(client.call(Till.hold, Empty()))
    await till.entered.wait()
    waiting = asyncio.create_task(client.call(Till.pay, Amount(value=1)))
    await until_waiting(host)
    await host.stop()
    with pytest.raises(Draining):
        await waiting
    with pytest.raises(InternalError):
        await at_work
    assert till.calls == 0


async def test_nobody_serving_is_told_at_once_to_a_method_that_is_not_idempotent(connect: Connect) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable, match=r"nobody serves rpc\.till\.pay"):
            await Client(await connect()).call(Till.pay, Amount(value=1), timeout=60)


async def test_an_idempotent_call_is_repeated_until_somebody_serves(connect: Connect) -> None:
    transport = await connect()
    call = asyncio.create_task(Client(transport).call(Till.add_one, Amount(value=1), timeout=5))
    with pytest.raises(Unavailable):
        await Client(transport).call(Till.pay, Amount(value=1))
    assert not call.done()
    host = await start(connect, Till())
    assert await call == Amount(value=2)
    await host.stop()


async def test_one_of_several_instances_answers_each_call_and_each_can_be_named(connect: Connect) -> None:
    tills = [Till(), Till()]
    hosts = [await start(connect, till, instance=f"till-{number}") for number, till in enumerate(tills)]
    client = Client(await connect())
    for _ in range(20):
        await client.call(Till.add_one, Amount(value=1))
    assert sum(till.calls for till in tills) == 20
    before = tills[1].calls
    await client.call(Till.add_one, Amount(value=1), instance="till-1")
    assert tills[1].calls == before + 1
    for host in hosts:
        await host.stop()


async def test_foreign_tools_discover_the_service(connect: Connect) -> None:
    """ADR-32: ping, info and statistics, for all, by name and by instance."""
    host = await start(connect, Till(), instance="till-a")
    transport = await connect()
    await Client(transport).call(Till.add_one, Amount(value=1))
    with pytest.raises(TooMuch):
        await Client(transport).call(Till.pay, Amount(value=1))
    for scope in ("", ".till", ".till.till-a"):
        ping = json.loads((await transport.request(f"$SRV.PING{scope}", b"")).payload)
        assert ping["type"] == "io.nats.micro.v1.ping_response"
        assert (ping["name"], ping["id"], ping["version"]) == ("till", "till-a", "1.2.3")
    info = json.loads((await transport.request("$SRV.INFO.till", b"")).payload)
    assert {
        "name": "pay",
        "subject": "rpc.till.pay",
        "queue_group": "till",
        "metadata": {"idempotent": "false"},
    } in info["endpoints"]
    stats = json.loads((await transport.request("$SRV.STATS.till", b"")).payload)
    by_name = {endpoint["name"]: endpoint for endpoint in stats["endpoints"]}
    assert by_name["add_one"]["num_requests"] == 1
    assert by_name["add_one"]["processing_time"] > 0
    assert by_name["pay"]["num_errors"] == 1
    assert by_name["pay"]["last_error"] == "422:there is less"
    await host.stop()


def test_a_method_says_what_it_takes_and_gives() -> None:
    assert Till.add_one == Method("till", "add_one", Amount, Amount, idempotent=True)


def test_a_handler_must_be_what_its_contract_says() -> None:
    contract = Method("till", "count", Amount, Amount)

    class Wrong(Service):
        name = "till"

        @rpc(contract)
        async def count(self, request: Empty) -> Amount:
            return Amount(value=0)

    with pytest.raises(ConfigurationError, match="count"):
        _ = Wrong.count


def test_a_handler_needs_models() -> None:
    class Untyped(Service):
        name = "untyped"

        @rpc  # pyright: ignore[reportArgumentType, reportCallIssue]
        async def guess(self, request: int) -> Amount:
            return Amount(value=request)

    with pytest.raises(ConfigurationError, match="request must be annotated with a Pydantic model"):
        _ = Untyped.guess


async def test_a_host_that_is_withdrawn_answers_only_who_calls_it_by_name(connect: Connect) -> None:
    first, second = Till(), Till()
    hosts = [await start(connect, first, instance="till-1"), await start(connect, second, instance="till-2")]
    client = Client(await connect())
    for _ in range(2):
        await hosts[0].withdraw()
    for _ in range(10):
        await client.call(Till.add_one, Amount(value=1))
    assert (first.calls, second.calls) == (0, 10)
    await client.call(Till.add_one, Amount(value=1), instance="till-1")
    assert first.calls == 1
    for _ in range(2):
        await hosts[0].offer()
    await hosts[1].withdraw()
    await client.call(Till.add_one, Amount(value=1))
    assert (first.calls, second.calls) == (2, 10)
    for host in hosts:
        await host.stop()
