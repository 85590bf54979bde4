"""Starts, watches and stops nats-server, alone or as a cluster of three, on this machine."""

from aegis_sdk.server.embedded import EmbeddedServer
from aegis_sdk.server.node import Node
from aegis_sdk.server.options import Credentials, NodeExit, ServerOptions

__all__ = ["Credentials", "EmbeddedServer", "Node", "NodeExit", "ServerOptions"]
