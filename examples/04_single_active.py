"""A counter with two instances, of which one at a time is effective, and a caller who never counts twice.

Prints:
    the total is 2
    the total is 5
    the other instance has taken over
    the total is 6, and the epoch a later one
    asked again, the total is 6
"""

import asyncio
from collections.abc import Iterable

from pydantic import BaseModel

from aegis_sdk import ActiveContext, Client, NatsTransport, Settings, SingleActive, active, serve
from aegis_sdk.ledger import KeyName, Leases
from aegis_sdk.single_active import Committed
from aegis_sdk.single_active.operations import Handover, handover_of
from aegis_sdk.testing import nats_server


class Add(BaseModel):
    amount: int


class Total(BaseModel):
    total: int


class Counter(SingleActive):
    name = "counter"

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}

    def keys(self) -> Iterable[str]:
        return ["apples"]

    def restore(self, key: str, snapshot: bytes | None) -> None:
        """The key comes to this instance: begin with the snapshot, or with nothing."""
        self.totals[key] = int(snapshot or 0)

    def apply(self, key: str, change: Committed) -> None:
        """What was committed since then, here or by whoever held the key before."""
        self.totals[key] += Add.model_validate_json(change.data).amount

    def snapshot(self, key: str) -> bytes:
        return str(self.totals[key]).encode()

    @active  # runs only in the instance that holds the key
    async def add(self, request: Add, context: ActiveContext) -> Total:
        async with context.lock:  # nobody else counts between reading the total and committing the new one
            total = self.totals[context.key] + request.amount
            return await context.commit(request, Total(total=total))  # refused where it holds the key no more


async def main() -> None:
    async with nats_server() as server, asyncio.TaskGroup() as instances:
        user, password = server.credentials.user, server.credentials.password
        way_in = {"AEGIS_NATS_URL": server.urls[0], "AEGIS_NATS_USER": user, "AEGIS_NATS_PASSWORD": password}
        stop = asyncio.Event()
        for name in ("counter-1", "counter-2"):  # elsewhere they are programs, each with `run(Counter())`
            settings = Settings.from_environment({**way_in, "AEGIS_INSTANCE": name})
            instances.create_task(serve(Counter(), settings, stop))

        transport = await NatsTransport.connect(server.urls, user=user, password=password)
        client = Client(transport)

        # Waits for somebody to hold the key, whoever that is.
        answer = await client.call_active(Counter.add, "apples", Add(amount=2), timeout=20)
        print(f"the total is {answer.value.total}")
        answer = await client.call_active(Counter.add, "apples", Add(amount=3))
        print(f"the total is {answer.value.total}")

        # As `aegis handover counter apples` does it: ask the holder, then wait for the lease of its successor.
        async with Leases.open(transport, "counter") as leases:
            apples = KeyName("counter", "apples")
            holder = leases.latest[apples].lease.holder
            await client.call(handover_of("counter"), Handover(key="apples"), instance=holder, timeout=10)
            await leases.wait_for(lambda now: now.latest[apples].lease.holder != holder, timeout=10)
            print("the other instance has taken over")

        # The name of this one call. Whoever is in doubt about the answer asks again with it.
        later = await client.call_active(Counter.add, "apples", Add(amount=1), idempotency_key="one-more")
        print(f"the total is {later.value.total}, and the epoch {'a later one' * (later.epoch > answer.epoch)}")
        again = await client.call_active(Counter.add, "apples", Add(amount=1), idempotency_key="one-more")
        print(f"asked again, the total is {again.value.total}")

        await transport.close()
        stop.set()


if __name__ == "__main__":
    asyncio.run(main())
