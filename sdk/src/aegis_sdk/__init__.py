"""AegisSDK: RPC, events, a service registry and single-active services on NATS.

What most programs need is here; the modules have the rest. Names are imported when they are first used, so that a
program which needs one pure module does not wait half a second for all of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aegis_sdk.active_call import Answer
    from aegis_sdk.client import Client
    from aegis_sdk.config import Settings
    from aegis_sdk.errors import AegisError, NotExecuted, OutcomeUnknown, Rejected, RpcError
    from aegis_sdk.events import Events
    from aegis_sdk.handler import Context, rpc
    from aegis_sdk.method import Empty, Method
    from aegis_sdk.program import run, serve
    from aegis_sdk.service import HostOptions, Service, ServiceHost
    from aegis_sdk.single_active import ActiveContext, Placement, SingleActive, active
    from aegis_sdk.transport_nats import NatsTransport

_MODULES = {
    "active_call": ("Answer",),
    "client": ("Client",),
    "config": ("Settings",),
    "errors": ("AegisError", "NotExecuted", "OutcomeUnknown", "Rejected", "RpcError"),
    "events": ("Events",),
    "handler": ("Context", "rpc"),
    "method": ("Empty", "Method"),
    "program": ("run", "serve"),
    "service": ("HostOptions", "Service", "ServiceHost"),
    "single_active": ("ActiveContext", "Placement", "SingleActive", "active"),
    "transport_nats": ("NatsTransport",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "ActiveContext",
    "AegisError",
    "Answer",
    "Client",
    "Context",
    "Empty",
    "Events",
    "HostOptions",
    "Method",
    "NatsTransport",
    "NotExecuted",
    "OutcomeUnknown",
    "Placement",
    "Rejected",
    "RpcError",
    "Service",
    "ServiceHost",
    "Settings",
    "SingleActive",
    "active",
    "rpc",
    "run",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
