"""What every request passes before it is anybody's: our name, its origin, its size; and what every answer carries.

A browser that shows a foreign page sends our cookies to nobody but us, and the origin of that page with them: an unsafe
method or a WebSocket of a foreign origin ends here. A foreign name that leads to our address ends here as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegis.management.access.tokens import secret_of
from aegis.management.problems import Problem, written
from aegis_sdk.errors import AegisError

__all__ = ["API_POLICY", "MOST_BYTES", "PROBES", "Perimeter", "Refusals"]

_log = structlog.get_logger("aegis.management")

MOST_BYTES: Final = 256 * 1024
"""Of a request's body."""
PROBES: Final = ("/healthz", "/readyz", "/metrics")
"""Asked by programs that know our address, not our name."""
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_DRAINED_BYTES: Final = 4 * MOST_BYTES
_DRAINED_S: Final = 2.0
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_A_YEAR: Final = "max-age=31536000"

Refusals = Callable[[Scope, Problem], Awaitable[None]]
"""Told of each request that is refused here."""


class _TooLarge(HTTPException):
    """One of the framework's own errors: any other that comes while it reads a body it takes for a broken body."""

    def __init__(self) -> None:
        super().__init__(413, f"at most {MOST_BYTES} bytes", {"Connection": "close"})


class Perimeter:
    """The outermost ASGI application."""

    def __init__(
        self, app: ASGIApp, origins: Sequence[str], *, cookie: str, is_secure: bool, refused: Refusals
    ) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._names = frozenset(name for origin in origins for name in _names(origin))
        self._cookie = f"{cookie}="
        self._is_secure = is_secure
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if (problem := self._refusal(scope, headers)) is not None:
            await self._note(scope, problem)
            if scope["type"] == "websocket":
                await receive()
                return await send({"type": "websocket.close", "code": 1008})
            return await written(problem)(scope, receive, self._dressed(scope, send))
        if scope["type"] == "websocket":
            return await self._app(scope, receive, send)
        return await self._serve(scope, headers, receive, send)

    async def _note(self, scope: Scope, problem: Problem) -> None:
        """Who cannot be named because NATS is away is refused all the same."""
        try:
            await self._refused(scope, problem)
        except (AegisError, TimeoutError) as error:
            _log.warning("refusal_not_audited", path=scope["path"], code=problem.code, reason=str(error))

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        if scope["path"] not in PROBES and headers.get("host", "").lower() not in self._names:
            return Problem("misdirected", "not_our_name")
        if scope["type"] == "http" and scope["method"] in _SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None:
            is_ours = origin.lower() in self._origins
        else:  # a program; or a browser so old that it does not say, which must not act by a cookie
            by_token = secret_of(headers.get("authorization", "")) is not None
            by_cookie = self._cookie in headers.get("cookie", "") and not by_token
            is_ours = not by_cookie or headers.get("sec-fetch-site") == "same-origin"
        return None if is_ours else Problem("foreign_origin", "not_our_page")

    async def _serve(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        dressed = self._dressed(scope, send)
        is_answered = False

        async def noted(message: Message) -> None:
            nonlocal is_answered
            is_answered = message["type"] == "http.response.body" and not message.get("more_body")
            await dressed(message)

        try:
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                await _drained(receive)
                problem = Problem("too_large", "too_many_bytes", headers={"Connection": "close"}, most=MOST_BYTES)
                return await written(problem)(scope, receive, dressed)
            await self._app(scope, _bounded(receive), noted)
        except Exception:
            _log.exception("request_failed", method=scope["method"], path=scope["path"])
            if not is_answered:  # the server ends the connection: half an answer is none
                raise

    def _dressed(self, scope: Scope, send: Send) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                message["headers"] = headers.raw
                for name, value in _HEADERS:
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", API_POLICY)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
                if self._is_secure:
                    headers.setdefault("Strict-Transport-Security", _A_YEAR)
            await send(message)

        return dressed


async def _drained(receive: Receive) -> None:
    """Take the rest in, if it is not much: who still sends when we close the connection hears no answer."""
    left = _DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def _bounded(receive: Receive) -> Receive:
    left = MOST_BYTES

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            if message.get("more_body"):
                await _drained(receive)
            raise _TooLarge
        return message

    return bounded


def _names(origin: str) -> tuple[str, ...]:
    """What is written as Host for an origin: by browsers without the scheme's usual port, by some proxies with it."""
    parts = urlsplit(origin)
    return (parts.netloc,) if parts.port else (parts.netloc, f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}")
