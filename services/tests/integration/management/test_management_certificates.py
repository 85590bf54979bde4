"""Certificates that are renewed while browsers are connected."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from management_stage import management
from structlog.testing import capture_logs
from tls_files import certified

from aegis.management import certificates
from aegis_sdk.testing import NatsAccess

pytestmark = pytest.mark.asyncio(loop_scope="module")
READY_S = 30.0


class Visit:
    """A connection that is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.shown = ssl.DER_cert_to_PEM_cert(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))

    async def ask(self) -> bytes:
        self._writer.write(b"HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return (await self._reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]


@asynccontextmanager
async def visit(address: str, name: str | None = None) -> AsyncGenerator[Visit]:
    """A client names the server or, by its address, does not; whether it may be trusted is another's question."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    at = urlsplit(address)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, ssl=context, server_hostname=name)
    try:
        yield Visit(reader, writer)
    finally:
        writer.close()


async def shown(address: str) -> set[str]:
    found = set[str]()
    for name in (None, "localhost"):
        async with visit(address, name) as one:
            found.add(one.shown)
    return found


async def until(logs: Sequence[MutableMapping[str, Any]], event: str, told: Callable[[str], bool] = bool) -> None:
    async with asyncio.timeout(READY_S):
        while not any(one["event"] == event and told(str(one)) for one in logs):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_renewed_certificate_is_shown_to_who_comes_and_cuts_off_nobody(
    access: NatsAccess, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair of which one half is new is no pair: what was shown before stays, until the other half has come."""
    monkeypatch.setattr(certificates, "_LOOK_S", 0.01)
    certificate, key = await asyncio.to_thread(certified, directory)
    renewed, its_key = await asyncio.to_thread(certified, directory, "renewed")
    first, second = certificate.read_text(), renewed.read_text()
    tls = {"tls_certificate": certificate, "tls_key": key}
    async with management(access, directory, "management-1", **tls) as service, visit(service.address) as early:
        assert {early.shown} == await shown(service.address) == {first}
        with capture_logs() as logs:
            certificate.unlink()
            await until(logs, "certificate_unusable", lambda said: "No such file" in said)
            renewed.rename(certificate)
            await until(logs, "certificate_unusable", lambda said: "not that of the certificate" in said)
            assert await shown(service.address) == {first}
            its_key.rename(key)
            await until(logs, "certificate_renewed")
        assert await shown(service.address) == {second}
        assert await early.ask() == await early.ask() == b"HTTP/1.1 200 OK"
        async with visit(service.address) as late:
            assert await late.ask() == b"HTTP/1.1 200 OK"
