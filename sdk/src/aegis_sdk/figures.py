"""What every process of the SDK tells of itself: requests, connection, event loop, process, and keys where it has any.

Nothing is counted for this alone but the histograms: a scrape reads what the parts know anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from prometheus_client.process_collector import ProcessCollector

from aegis_sdk.admission import Admission
from aegis_sdk.endpoint import Endpoint
from aegis_sdk.instances import InstanceRecord, InstanceStatus
from aegis_sdk.loop_lag import LoopLag
from aegis_sdk.metrics import Metric, counter, gauge, histogram, states
from aegis_sdk.registry import Registration
from aegis_sdk.service import ServiceHost
from aegis_sdk.single_active.figures import ActiveFigures
from aegis_sdk.transport import ConnectionState, Transport

__all__ = ["Figures"]

_SERVES = (InstanceStatus.ACTIVE, InstanceStatus.STANDBY)


class Figures:
    """Of one instance. `collect` is what a registry of prometheus_client asks of a collector; call it in the loop."""

    def __init__(
        self, transport: Transport, host: ServiceHost, registration: Registration, active: ActiveFigures | None
    ) -> None:
        self._transport = transport
        self._host = host
        self._registration = registration
        self._active = active
        self._process = ProcessCollector(registry=None)
        self._reconnects = 0
        self._end_listening = transport.on_state(self._on_state)
        self.lag = LoopLag()

    def close(self) -> None:
        self._end_listening()
        self.lag.close()

    def _on_state(self, state: ConnectionState) -> None:
        self._reconnects += state is ConnectionState.CONNECTED

    @property
    def status(self) -> InstanceStatus:
        return self.record.status

    @property
    def record(self) -> InstanceRecord:
        return self._registration.record

    @property
    def admission(self) -> Admission:
        return self._host.admission

    @property
    def endpoints(self) -> list[tuple[str, Endpoint]]:
        """What is answered here: by `any` instance, or by the `active` one of a key."""
        endpoints = [("any", one) for one in self._host.endpoints]
        return endpoints + [("active", one) for one in (self._active.endpoints if self._active else ())]

    def own(self) -> Iterable[Metric]:
        """Those of the service itself."""
        return self._host.service.metrics()

    @property
    def is_healthy(self) -> bool:
        """Whether the instance serves, and is connected."""
        return self.status in _SERVES and self._transport.state is ConnectionState.CONNECTED

    def collect(self) -> Iterable[Metric]:
        yield from self._instance()
        yield from self._requests()
        if self._active is not None:
            yield from _keys(self._active)
        yield from self.own()
        yield from self._process.collect()

    def _instance(self) -> Iterator[Metric]:
        record = self.record
        labels = ("service", "instance", "version", "zone")
        yield gauge(
            "aegis_instance_info",
            "Which instance this is.",
            {(record.service, record.instance, record.version, record.zone): 1},
            labels,
        )
        yield states("aegis_instance_status", "What the instance says of itself.", self.status, InstanceStatus)
        connection = "aegis_nats_connection_state"
        yield states(connection, "The connection to NATS.", self._transport.state, ConnectionState)
        yield counter("aegis_nats_reconnects_total", "Connections after the first one.", self._reconnects)
        yield histogram("aegis_event_loop_lag_seconds", "How late the event loop runs what is due.", self.lag.histogram)

    def _requests(self) -> Iterator[Metric]:
        endpoints = self.endpoints
        yield counter(
            "aegis_rpc_requests_total",
            "Requests that were answered, by their outcome; `to` is any instance, or the active one of a key.",
            dict(chain.from_iterable(_outcomes(to, one) for to, one in endpoints)),
            ("to", "method", "code"),
        )
        yield histogram(
            "aegis_rpc_latency_seconds",
            "From a request's arrival to its answer; without those that were refused before they began.",
            {(to, one.name): one.latency for to, one in endpoints},
            ("to", "method"),
        )
        admission = self.admission
        yield gauge("aegis_rpc_running_requests", "Requests at work.", admission.at_work)
        yield gauge("aegis_rpc_waiting_requests", "Requests that wait for a place to work.", admission.waiting)


def _outcomes(to: str, endpoint: Endpoint) -> Iterator[tuple[tuple[str, str, str], float]]:
    yield (to, endpoint.name, "ok"), endpoint.requests - endpoint.errors
    for code, count in endpoint.codes.items():
        yield (to, endpoint.name, code), count


def _keys(active: ActiveFigures) -> Iterator[Metric]:
    roles = {(role,): float(count) for role, count in active.roles().items()}
    yield gauge("aegis_active_keys", "Keys by what this instance is for them.", roles, ("role",))
    switches = {(way,): float(count) for way, count in active.switches.items()}
    says = "Epochs that began here, and ended: given away, or lost to another instance."
    yield counter("aegis_active_switches_total", says, switches, ("way",))
    yield counter("aegis_active_standstills_total", "Times that the process stood still.", active.standstills)
    yield histogram("aegis_active_write_seconds", "From a write to the ledger to its answer.", active.write_time)
