"""A service as a program: settings, connection, logs, registration, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, NoReturn

import structlog
import uvloop

from aegis_sdk import garbage
from aegis_sdk.config import Settings
from aegis_sdk.errors import AegisError, ConfigurationError
from aegis_sdk.figures import Figures
from aegis_sdk.instances import InstanceRecord, InstanceStatus, ServiceDefinition
from aegis_sdk.maintenance import Maintenance
from aegis_sdk.metrics_server import metrics_server
from aegis_sdk.registry import Registration
from aegis_sdk.sampling import sampled
from aegis_sdk.service import HostOptions, Service, ServiceHost, declared
from aegis_sdk.single_active import ActiveHost, SingleActive
from aegis_sdk.single_active.declaration import Active
from aegis_sdk.telemetry import LogTail, configure_logging
from aegis_sdk.timers import PRESETS
from aegis_sdk.transport_nats import NatsTransport

__all__ = ["run", "serve"]

_log = structlog.get_logger("aegis.program")
Build = Callable[[Mapping[str, str]], Service]

_CONNECT_S = 30.0


def run(service: Service | Build, environment: Mapping[str, str] = os.environ) -> None:
    """Run a service, or what builds it of the environment, until SIGTERM or SIGINT: the main program of most services.

    Exits with 2 and one line that names the setting when the configuration is wrong, with 1 when the service fails.
    """
    configure_logging()
    try:
        settings = Settings.from_environment(environment)
        built = service if isinstance(service, Service) else service(environment)
    except ConfigurationError as error:
        _refuse(error)
    try:
        uvloop.run(serve(built, settings))
    except ConfigurationError as error:
        _refuse(error)
    except AegisError as error:
        _log.error("service_failed", service=built.name, reason=str(error))
        sys.exit(1)
    except Exception as error:
        _log.exception("service_failed", service=built.name, reason=repr(error))
        sys.exit(1)


def _refuse(error: ConfigurationError) -> NoReturn:
    print(f"configuration: {error}", file=sys.stderr)
    sys.exit(2)


async def serve(service: Service, settings: Settings, stop: asyncio.Event | None = None) -> None:
    """Connect, register, serve until `stop` is set (by SIGTERM and SIGINT, where it is not given), then drain."""
    stopping = stop or _stop_on_signals()
    transport = await NatsTransport.connect(
        settings.nats_url,
        user=settings.nats_user,
        password=settings.nats_password.get_secret_value(),
        name=service.name,
        connect_timeout=_CONNECT_S,
    )
    async with AsyncExitStack() as stack:
        _at_the_end(stack, transport.close)
        pages = await stack.enter_async_context(metrics_server(settings.metrics_port))
        host = ServiceHost(transport, service, HostOptions(instance=settings.instance))
        active, registration = _registered(transport, host, settings.model_copy(update={"metrics_port": pages.port}))
        figures = Figures(transport, host, registration, None if active is None else active.figures)
        stack.callback(figures.close)
        pages.show(figures)
        await stack.enter_async_context(sampled(transport, figures, settings.nats_replicas))
        tail = LogTail(transport, service.name, host.instance)
        stack.callback(tail.close)
        _at_the_end(stack, registration.stop)
        _at_the_end(stack, host.stop)
        stack.callback(registration.set_status, InstanceStatus.DRAINING)
        await registration.start()
        await host.start()
        await Maintenance(host, registration, active).serve()
        if active is None:
            registration.set_status(InstanceStatus.ACTIVE)
            garbage.settle()
            await _first_of(host.wait(stopping), registration.replaced())
        else:
            _at_the_end(stack, active.stop)
            await _first_of(active.start(registration), stopping.wait())
            if stopping.is_set():
                return
            garbage.settle()
            await _first_of(host.wait(stopping), active.wait(stopping), registration.replaced())


def _registered(
    transport: NatsTransport, host: ServiceHost, settings: Settings
) -> tuple[ActiveHost | None, Registration]:
    """The instance's registration, and where its service has keys, who takes part in their election."""
    record, definition, replicas = _record(host, settings), _definition(host), settings.nats_replicas
    service = host.service
    if not isinstance(service, SingleActive):
        return None, Registration(transport, record, replicas=replicas, definition=definition)
    if settings.timers is not None:
        service.timers = PRESETS[settings.timers]
    active = ActiveHost(transport, service, host, replicas=replicas)
    interval_s = service.timers.heartbeat_s
    return active, Registration(transport, record, interval_s, replicas, definition, active.vitals)


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for the first to return or to raise."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _at_the_end(stack: AsyncExitStack, step: Callable[[], Awaitable[None]]) -> None:
    """Take `step` when the stack is left; the first error that ends the program is the one that comes out of it."""

    async def leave(_: object, cause: BaseException | None, __: object) -> None:
        try:
            await step()
        except Exception as error:
            if cause is None:
                raise
            _log.exception("stop_failed", step=step.__qualname__, reason=repr(error))

    stack.push_async_exit(leave)


def _record(host: ServiceHost, settings: Settings) -> InstanceRecord:
    return InstanceRecord(
        service=host.service.name,
        instance=host.instance,
        version=host.service.version,
        zone=settings.zone,
        weight=settings.weight,
        endpoints=tuple(endpoint.method.subject for endpoint in host.endpoints),
        metrics_port=settings.metrics_port,
        configuration={**settings.model_dump(mode="json"), **host.service.configuration()},
    )


def _definition(host: ServiceHost) -> ServiceDefinition:
    """With the methods that any instance answers, and those that only the active one does."""
    service = host.service
    of_active: dict[str, tuple[str, Active[Any, Any]]] = {}
    if isinstance(service, SingleActive):
        of_active = declared(service, Active)
    return ServiceDefinition(
        name=service.name,
        version=service.version,
        methods=(*(endpoint.name for endpoint in host.endpoints), *of_active),
        description=service.description,
    )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
