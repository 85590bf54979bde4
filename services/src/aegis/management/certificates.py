"""The certificate that the web server shows, and its key: read anew when their files change, with no connection cut."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Final, NoReturn

import structlog

from aegis_sdk.errors import ConfigurationError

__all__ = ["Certificate", "loaded"]

_log = structlog.get_logger("aegis.management")

_CERTIFICATE: Final = "AEGIS_MANAGEMENT_TLS_CERTIFICATE"
_KEY: Final = "AEGIS_MANAGEMENT_TLS_KEY"
_LOOK_S: Final = 60.0


class Certificate:
    """A certificate and its key. New connections are shown the last pair that could be used; others keep their own."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises ConfigurationError where the pair cannot be used."""
        self._files = certificate, key
        self._seen = self._states()
        self._shown = loaded(certificate, key)
        self.context = loaded(certificate, key)
        """For the server, as long as it lives."""
        self.context.sni_callback = self._show

    async def run(self) -> None:
        """Look at the files once a minute, until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        """A pair that cannot be used may be half written: it is tried again when one of its files has changed again."""
        seen = self._states()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._shown = loaded(*self._files)
        except ConfigurationError as error:
            _log.warning("certificate_unusable", why=str(error))
        else:
            _log.info("certificate_renewed", file=str(self._files[0]))

    def _states(self) -> list[tuple[int, ...]]:
        """What differs once a file was written, replaced, or is what another link points to; empty where it is gone."""
        return [_state(file) for file in self._files]

    def _show(self, connection: ssl.SSLObject, *_: object) -> None:
        """OpenSSL asks here at the begin of each handshake, whether the client names a server or not.

        The pair is taken as a whole: the server's own context would for a moment have one half of each.
        """
        connection.context = self._shown


def loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    """A server's context with the pair. Raises ConfigurationError unless both can be used.

    OpenSSL would ask the terminal for the passphrase of an encrypted key, and everybody would wait for that.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certificate)
    except OSError as error:
        raise ConfigurationError(_CERTIFICATE, f"{certificate}: {_why(error, 'certificate')}") from None
    try:
        context.load_cert_chain(certificate, key, _no_passphrase)
    except ValueError as error:
        raise ConfigurationError(_KEY, f"{key} {error}") from None
    except OSError as error:
        raise ConfigurationError(_KEY, f"{key}: {_why(error, 'key')}") from None
    return context


def _no_passphrase() -> NoReturn:
    raise ValueError("is encrypted: there is nobody to ask for its passphrase")


def _why(error: OSError, what: str) -> str:
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return "it is not that of the certificate" if error.reason == "KEY_VALUES_MISMATCH" else f"no {what} in PEM"


def _state(file: Path) -> tuple[int, ...]:
    try:
        said = file.stat()
    except OSError:
        return ()
    return said.st_dev, said.st_ino, said.st_size, said.st_mtime_ns
