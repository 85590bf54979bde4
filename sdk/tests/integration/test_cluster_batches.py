"""Atomic batches where the stream's leader is another node than the one that a connection leads to."""

import asyncio

import pytest

from aegis_sdk.errors import StreamError
from aegis_sdk.messages import EXPECTED_SEQUENCE, Headers
from aegis_sdk.testing import nats_server
from aegis_sdk.transport import StreamConfig
from aegis_sdk.transport_nats import NatsTransport

Batch = list[tuple[str, bytes, Headers]]


async def refusal(transport: NatsTransport, batch: Batch) -> int:
    with pytest.raises(StreamError) as caught:
        await transport.append_batch(batch)
    return caught.value.code


async def test_batches_are_whole_and_refusals_say_why_through_every_node_of_a_cluster() -> None:
    async with nats_server(nodes=3) as server, asyncio.timeout(60):
        user = server.credentials
        nodes = [await NatsTransport.connect([url], user=user.user, password=user.password) for url in server.urls]
        await nodes[0].ensure_stream(StreamConfig(name="L", subjects=["l.>"], replicas=3, atomic=True))
        await nodes[0].ensure_stream(StreamConfig(name="P", subjects=["p.>"], replicas=3))
        claim: Batch = [("l.lease", b"", {EXPECTED_SEQUENCE: "0"}), ("l.journal", b"", {})]
        outcomes = await asyncio.gather(*(node.append_batch(claim) for node in nodes * 5), return_exceptions=True)
        assert [outcome for outcome in outcomes if not isinstance(outcome, StreamError)] == [2]
        for node in nodes:
            assert await refusal(node, claim) == 10071
            assert await refusal(node, [("p.a", b"", {})] * 3) == 10174
        lasts = await asyncio.gather(*(node.append_batch([("l.a", b"", {})] * 400) for node in nodes))
        assert sorted(lasts) == [402, 802, 1202]
        opening = [{"Nats-Batch-Id": f"{i}", "Nats-Batch-Sequence": "1"} for i in range(50)]
        await asyncio.gather(*(nodes[0].request("l.a", b"", headers) for headers in opening))
        for node in nodes:
            assert await refusal(node, [("l.a", b"", {})] * 3) == 10210
        assert await nodes[0].last_sequence("L") == 1202
        for node in nodes:
            await node.close()
