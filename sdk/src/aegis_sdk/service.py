"""Services: what one is, and the host that runs it.

A request's way: its message arrives -> admitted, waiting or refused (Overloaded) -> decoded -> handled in a task of
its own under the caller's deadline -> answered. Whatever goes wrong becomes one typed error reply; an instance never
dies of a request.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

import structlog

from aegis_sdk import codec, subjects
from aegis_sdk.admission import Admission, Job
from aegis_sdk.endpoint import Endpoint, answer, error_reply, time_left
from aegis_sdk.errors import (
    ConfigurationError,
    DeadlineExceeded,
    InternalError,
    RpcError,
)
from aegis_sdk.handler import Context, Rpc
from aegis_sdk.messages import Message
from aegis_sdk.micro import Discoverable
from aegis_sdk.transport import Subscription, Transport

if TYPE_CHECKING:
    from aegis_sdk.metrics import Metric

__all__ = ["HostOptions", "Service", "ServiceHost"]

_log = structlog.get_logger("aegis.service")


class Service:
    """Subclass it, name it, and declare handlers with `@rpc`.

    `on_start` runs before the first request, `run` beside the handlers, `on_stop` after the last one. `transport` is
    there from `on_start` on.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "0.1.0"
    description: ClassVar[str] = ""

    transport: Transport
    instance: str

    async def on_start(self) -> None:
        """Make ready; an error here ends the start."""

    async def run(self) -> None:
        """Work that is not a request's. Cancelled after the last request; an error here ends the instance."""

    async def on_stop(self) -> None:
        """Give back what `on_start` took, also where that failed half-way."""

    def configuration(self) -> Mapping[str, Any]:
        """Settings to be shown in the registry, as JSON; what is named like a secret is masked there."""
        return {}

    def metrics(self) -> Iterable[Metric]:
        """Figures for Prometheus, asked for at each scrape, also while `on_start` is at work. It never waits.

        `aegis_sdk.metrics` makes them.
        """
        return ()


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """How an instance runs its handlers."""

    instance: str = ""  # a random name where it is empty
    max_concurrent: int = 256  # handlers at work at the same time
    max_waiting: int = 1024  # requests waiting for one; beyond, a request is refused as Overloaded
    default_timeout_s: float = 30.0  # for a request that brings no deadline
    drain_timeout_s: float = 10.0  # for requests at work when the instance stops; then they are cancelled

    def __post_init__(self) -> None:
        for name in ("max_concurrent", "max_waiting", "default_timeout_s", "drain_timeout_s"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(name, "must be above zero")


class ServiceHost:
    """One running instance of a service. `start` it, `stop` it; stopping answers what has arrived."""

    def __init__(self, transport: Transport, service: Service, options: HostOptions = HostOptions()) -> None:
        self.service = service
        self.options = options
        self.instance = options.instance or f"{service.name}-{secrets.token_hex(4)}"
        subjects.token(self.instance, "instance")
        self.endpoints: Final = endpoints_of(service)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._subscriptions: list[Subscription] = []
        self._offered: list[Subscription] = []  # to whoever calls any instance
        self._discoverable = Discoverable(
            transport,
            service=service.name,
            version=service.version,
            description=service.description,
            instance=self.instance,
            endpoints=self.endpoints,
        )
        self.admission: Final = Admission(service.name, options.max_concurrent, options.max_waiting)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Run `on_start`, then take requests."""
        self.service.transport, self.service.instance = self._transport, self.instance
        await self.service.on_start()
        name = self.service.name
        await self.offer()
        for endpoint in self.endpoints:
            await self.serve_directly(endpoint)
        await self._subscribe(subjects.direct(name, self.instance, "ping"), self._pong)
        await self._discoverable.start()
        await self._transport.flush()
        self._running = self._loop.create_task(self.service.run(), name=f"{name}-run")
        _log.info("service_started", service=name, instance=self.instance)

    def show(self, endpoints: Iterable[Endpoint]) -> None:
        """Let whoever asks what this instance answers hear of these too, which somebody else serves."""
        self._discoverable.show(endpoints)

    async def _subscribe(self, subject: str, handler: Any) -> None:
        self._subscriptions.append(await self._transport.subscribe(subject, handler))

    async def offer(self) -> None:
        """Take calls that any instance may answer; as from the start, or again after `withdraw`."""
        name = self.service.name
        for endpoint in self.endpoints[len(self._offered) :]:
            subject = subjects.rpc(name, endpoint.name)
            self._offered.append(await self._transport.subscribe(subject, self._admitter(endpoint), name))
        await self._transport.flush()

    async def withdraw(self) -> None:
        """Take none of them any more; who calls this instance by its name is answered. What has arrived is done."""
        offered, self._offered = self._offered, []
        for subscription in offered:
            await subscription.unsubscribe()

    async def wait(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raises what the service's `run` raised, if that comes first."""
        assert self._running is not None, "not started"
        stopping = self._loop.create_task(stop.wait())
        try:
            await asyncio.wait({stopping, self._running}, return_when=asyncio.FIRST_COMPLETED)
            if self._running.done():
                await self._running
                await stopping
        finally:
            stopping.cancel()

    async def stop(self) -> None:
        """Take no more requests, finish those that arrived within the drain timeout, then run `on_stop`."""
        await self._discoverable.stop()
        await self.withdraw()
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.unsubscribe()
        at_work, waiting = self.admission.at_work, self.admission.waiting
        if not await self.admission.drain(self.options.drain_timeout_s):
            _log.warning("drain_timed_out", at_work=at_work, waiting=waiting)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})
        await self.service.on_stop()
        _log.info("service_stopped", service=self.service.name, instance=self.instance)

    async def serve_directly(self, endpoint: Endpoint) -> None:
        """Answer a method at this instance only."""
        subject = subjects.direct(self.service.name, self.instance, endpoint.name)
        await self._subscribe(subject, self._admitter(endpoint))

    def _pong(self, message: Message) -> None:
        answer(self._transport, message, codec.encode_json({"instance": self.instance}))

    def _admitter(self, endpoint: Endpoint) -> Any:
        def admit(message: Message) -> None:
            arrived = time.monotonic()
            self.admission.admit(
                Job(partial(self._handle, endpoint, message, arrived), partial(self._refuse, endpoint, message))
            )

        return admit

    async def _handle(self, endpoint: Endpoint, message: Message, arrived: float) -> None:
        try:
            payload = await self._run(endpoint, message, arrived)
            endpoint.succeeded(time.monotonic() - arrived)
            answer(self._transport, message, payload)
        except RpcError as error:
            self._refuse(endpoint, message, error, time.monotonic() - arrived)
        except asyncio.CancelledError:
            self._refuse(endpoint, message, InternalError("the instance stopped before this was done"))
            raise
        except Exception as error:
            _log.exception("handler_failed", service=self.service.name, method=endpoint.name)
            what = InternalError(f"{self.service.name}.{endpoint.name} failed: {type(error).__name__}")
            self._refuse(endpoint, message, what, time.monotonic() - arrived)

    async def _run(self, endpoint: Endpoint, message: Message, arrived: float) -> bytes:
        deadline = arrived + time_left(message, self.options.default_timeout_s)
        left = deadline - time.monotonic()  # the loop's own clock may be cached, and as coarse as a millisecond
        if left <= 0:
            raise DeadlineExceeded("the request waited past its deadline; it was not begun")
        request = codec.decode_model(endpoint.request, message.payload)
        limit = asyncio.timeout(left)
        try:
            async with limit:
                if endpoint.wants_context:
                    reply = await endpoint.handler(request, Context(message.headers, deadline))
                else:
                    reply = await endpoint.handler(request)
        except TimeoutError:
            if limit.expired():
                raise DeadlineExceeded("the handler was not done in time") from None
            raise
        return codec.encode_model(reply)

    def _refuse(self, endpoint: Endpoint, message: Message, error: RpcError, seconds: float = 0.0) -> None:
        endpoint.failed(error, seconds)
        answer(self._transport, message, *error_reply(error))


Kind = TypeVar("Kind", bound=Rpc[Any, Any])


def declared(service: Service, kind: type[Kind]) -> dict[str, tuple[str, Kind]]:
    """The handlers of a kind that a service declares: by the method's name, the attribute and the handler.

    Raises ConfigurationError where two have one name, or the service has none.
    """
    if not getattr(type(service), "name", ""):
        raise ConfigurationError(type(service).__name__, "set `name`, the service's name")
    found: dict[str, tuple[str, Kind]] = {}
    for cls in reversed(type(service).__mro__):
        for attribute, handler in vars(cls).items():
            if type(handler) is kind:
                name = handler.method(type(service)).name
                if name in found and found[name][0] != attribute:
                    raise ConfigurationError(f"{service.name}.{name}", "is declared by two handlers")
                found[name] = attribute, handler
    return found


def endpoints_of(service: Service) -> list[Endpoint]:
    """What any instance of a service answers. Raises what `declared` raises."""
    return [
        Endpoint(attribute, rpc.method(type(service)), getattr(service, attribute), rpc.wants_context)
        for attribute, rpc in declared(service, cast("type[Rpc[Any, Any]]", Rpc)).values()
    ]
