"""What other people's tools see of a service: asked with nats-py alone."""

import asyncio
import json

import nats

from aegis_sdk import Empty, NatsTransport, Service, ServiceHost, rpc
from aegis_sdk.testing import NatsAccess


class Foreign(Service):
    name = "foreign"

    @rpc
    async def nothing(self, request: Empty) -> Empty:
        return Empty()


async def test_a_service_is_discovered_called_and_measured_with_nats_py_alone(nats_access: NatsAccess) -> None:
    user, password = nats_access.user, nats_access.password
    transport = await NatsTransport.connect(nats_access.urls, user=user, password=password)
    host = ServiceHost(transport, Foreign())
    await host.start()
    nc = await nats.connect(nats_access.url, user=user, password=password)
    async with asyncio.timeout(30):
        info = json.loads((await nc.request("$SRV.INFO.foreign", b"")).data)
        [endpoint] = info["endpoints"]
        assert (info["id"], endpoint["queue_group"]) == (host.instance, "foreign")
        assert (await nc.request(endpoint["subject"], b"{}")).data == b"{}"
        refused = await nc.request(endpoint["subject"], b"[]")
        assert refused.headers
        assert refused.headers["Nats-Service-Error-Code"] == "400"
        stats = json.loads((await nc.request(f"$SRV.STATS.foreign.{host.instance}", b"")).data)
    assert [(one["num_requests"], one["num_errors"]) for one in stats["endpoints"]] == [(2, 1)]
    await nc.close()
    await host.stop()
    await transport.close()
