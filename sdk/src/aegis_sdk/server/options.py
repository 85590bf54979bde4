"""What an embedded server is told: its options and its credentials."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from aegis_sdk.errors import ConfigurationError

_PASSWORD: Final = re.compile(r"[!-#%-~][!-~]{0,127}")
_MAX_PORT: Final = 65_535


class NodeExit(NamedTuple):
    """The end of a node's process that nobody asked for."""

    node: str
    pid: int
    exit_code: int  # negative: the signal that ended it
    log_tail: str


@dataclass(frozen=True)
class Credentials:
    """A user and a password; its repr hides the password."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How to run an embedded nats-server. Ports: 0 picks free ones; node i of a cluster has the given port + i.

    `directory` is created where it is missing; it holds configuration, logs and store, and serves one server at a time.
    """

    directory: Path
    nodes: Literal[1, 3] = 1
    port: int = 0  # of the clients
    cluster_port: int = 0  # of the routes between nodes
    monitor_port: int = 0  # of the HTTP monitor
    password: str | None = field(default=None, repr=False)  # of user `aegis`; None: random
    system_password: str | None = field(default=None, repr=False)  # of user `sys`; None: random
    max_memory_bytes: int = 256 * 2**20  # of JetStream, a node
    max_file_bytes: int = 8 * 2**30  # of JetStream, a node
    max_payload_bytes: int = 2**20
    log_bytes: int = 8 * 2**20  # a log file is rotated at this size, one old file is kept
    start_deadline_s: float = 30  # a cluster that has state elects a leader after 4 to 9 s, a new one in 0.3 s
    stop_deadline_s: float = 5  # for all nodes together; then SIGKILL
    on_exit: Callable[[NodeExit], None] | None = None  # called in the event loop

    def __post_init__(self) -> None:
        if self.nodes not in (1, 3):
            raise ConfigurationError("nodes", f"{self.nodes} is neither 1 nor 3")
        for name in ("port", "cluster_port", "monitor_port"):
            port = getattr(self, name)
            if port < 0 or port + self.nodes - 1 > _MAX_PORT:
                raise ConfigurationError(name, f"{port} is not 0 to {_MAX_PORT - self.nodes + 1}")
        for name in ("password", "system_password"):
            # A leading $ would be taken for a bcrypt hash.
            if getattr(self, name) is not None and not _PASSWORD.fullmatch(getattr(self, name)):
                raise ConfigurationError(name, "must be 1 to 128 visible ASCII characters, the first not '$'")

    def credentials(self) -> Credentials:
        """Those of the account AEGIS, in which everything runs."""
        return Credentials("aegis", self.password or secrets.token_urlsafe(24))

    def system_credentials(self) -> Credentials:
        """Those of the account SYS, for monitoring."""
        return Credentials("sys", self.system_password or secrets.token_urlsafe(24))
