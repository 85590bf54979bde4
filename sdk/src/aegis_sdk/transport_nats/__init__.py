"""The transport over a NATS server: nats-py for the connection, our own path for what is hot."""

from aegis_sdk.transport_nats.connection import NatsTransport

__all__ = ["NatsTransport"]
