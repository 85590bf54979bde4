"""The service discovery protocol of the NATS ecosystem (ADR-32), so that foreign tools see each service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from aegis_sdk import codec, subjects
from aegis_sdk.endpoint import Endpoint
from aegis_sdk.errors import ConnectionUnavailable
from aegis_sdk.messages import Message
from aegis_sdk.transport import Subscription, Transport

_TYPE = "io.nats.micro.v1."


class Discoverable:
    """Answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, for all, for the service and for the instance."""

    def __init__(
        self,
        transport: Transport,
        *,
        service: str,
        version: str,
        description: str,
        instance: str,
        endpoints: Sequence[Endpoint],
    ) -> None:
        self._transport = transport
        self._service = service
        self._version = version
        self._description = description
        self._instance = instance
        self._endpoints = list(endpoints)
        self._started = datetime.now(UTC)
        self._subscriptions: list[Subscription] = []

    def show(self, endpoints: Iterable[Endpoint]) -> None:
        """These too, which are answered by subjects of their own."""
        self._endpoints += endpoints

    async def start(self) -> None:
        for verb, describe in (("PING", self.ping), ("INFO", self.info), ("STATS", self.stats)):
            for scope in ((), (self._service,), (self._service, self._instance)):
                handler = self._replier(describe)
                self._subscriptions.append(await self._transport.subscribe(subjects.srv(verb, *scope), handler))

    async def stop(self) -> None:
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.unsubscribe()

    def _replier(self, describe: Callable[[], dict[str, Any]]) -> Callable[[Message], None]:
        def reply(message: Message) -> None:
            if message.reply:
                try:
                    self._transport.publish(message.reply, codec.encode_json(describe()))
                except ConnectionUnavailable:
                    return  # the asker is gone with the connection

        return reply

    def _who(self, what: str) -> dict[str, Any]:
        return {
            "type": f"{_TYPE}{what}_response",
            "name": self._service,
            "id": self._instance,
            "version": self._version,
            "metadata": {},
        }

    def ping(self) -> dict[str, Any]:
        return self._who("ping")

    def info(self) -> dict[str, Any]:
        return {
            **self._who("info"),
            "description": self._description,
            "endpoints": [
                {**self._where(endpoint), "metadata": {"idempotent": str(endpoint.method.idempotent).lower()}}
                for endpoint in self._endpoints
            ],
        }

    def stats(self) -> dict[str, Any]:
        """Times in nanoseconds, as the protocol wants."""
        return {
            **self._who("stats"),
            "started": self._started.isoformat().replace("+00:00", "Z"),
            "endpoints": [
                {
                    **self._where(endpoint),
                    "num_requests": endpoint.requests,
                    "num_errors": endpoint.errors,
                    "last_error": endpoint.last_error,
                    "processing_time": int(endpoint.seconds * 1e9),
                    "average_processing_time": int(endpoint.seconds * 1e9 / endpoint.requests)
                    if endpoint.requests
                    else 0,
                }
                for endpoint in self._endpoints
            ],
        }

    def _where(self, endpoint: Endpoint) -> dict[str, Any]:
        return {"name": endpoint.name, "subject": endpoint.subject, "queue_group": endpoint.queue_group}
