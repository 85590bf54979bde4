"""The configuration file of a node, as pure text. NATS reads JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aegis_sdk.server.options import Credentials, ServerOptions
from aegis_sdk.server.ports import HOST


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where one node listens and keeps its things. `name` is its identity in the cluster, for good."""

    name: str
    client_port: int
    cluster_port: int
    monitor_port: int
    directory: Path

    @property
    def ports(self) -> tuple[int, int, int]:
        return self.client_port, self.cluster_port, self.monitor_port

    @property
    def configuration(self) -> Path:
        return self.directory / "nats.conf"

    @property
    def log(self) -> Path:
        return self.directory / "nats.log"

    @property
    def output(self) -> Path:
        """What the process says outside of its log: its last words."""
        return self.directory / "output.log"


@dataclass(frozen=True, kw_only=True)
class Access:
    """All credentials of a server."""

    client: Credentials
    system: Credentials
    route: Credentials = field(repr=False)


def render(options: ServerOptions, access: Access, nodes: Sequence[Layout], node: Layout) -> str:
    """The configuration of `node`, one of `nodes`. It holds passwords."""
    content: dict[str, Any] = {
        "server_name": node.name,
        "listen": f"{HOST}:{node.client_port}",
        "http": f"{HOST}:{node.monitor_port}",
        "log_file": str(node.log),
        "logfile_size_limit": options.log_bytes,
        "logfile_max_num": 2,
        "logtime_utc": True,
        "max_payload": options.max_payload_bytes,
        "jetstream": {
            "store_dir": str(node.directory / "store"),
            "sync_interval": "always",  # what was acknowledged is on the disk
            "max_memory_store": options.max_memory_bytes,
            "max_file_store": options.max_file_bytes,
        },
        "accounts": {
            "AEGIS": {"jetstream": "enabled", "users": [_user(access.client)]},
            "SYS": {"users": [_user(access.system)]},
        },
        "system_account": "SYS",
    }
    if len(nodes) > 1:
        route = access.route
        content["cluster"] = {
            "name": "aegis",
            "listen": f"{HOST}:{node.cluster_port}",
            "authorization": _user(route),
            "routes": [
                f"nats-route://{route.user}:{route.password}@{HOST}:{other.cluster_port}"
                for other in nodes
                if other is not node
            ],
        }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _user(credentials: Credentials) -> dict[str, str]:
    return {"user": credentials.user, "password": credentials.password}
