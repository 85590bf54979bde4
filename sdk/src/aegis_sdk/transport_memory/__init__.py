"""The transport within one process, for tests: one broker, any number of connections to it.

    broker = MemoryBroker()
    trader, desk = MemoryTransport(broker), MemoryTransport(broker)
    ...
    broker.stop()   # an outage: everybody is disconnected, streams are kept
    broker.start()  # it ends: subscriptions are live again

It keeps the promises of the port as a NATS server does, and the same contract suite runs over both. Time is that of the
event loop. It differs in one thing: a durable consumer is given its messages one by one, not in batches.
"""

from aegis_sdk.transport_memory.broker import MemoryBroker
from aegis_sdk.transport_memory.connection import MemoryTransport

__all__ = ["MemoryBroker", "MemoryTransport"]
