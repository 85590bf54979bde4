"""A network namespace with one wire to this machine, on which packets can be lost in silence. Needs root."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from .permissions import NotPermitted

NOBODY: Final = "02:00:00:00:00:99"
"""A hardware address that no interface has: what is sent to it arrives, and is thrown away."""


class Namespace:
    """Made by `namespace`. Its other end of the wire is `host`."""

    def __init__(self, name: str, wire: str, number: int) -> None:
        self.name = name
        self.host = f"10.231.{number}.1"
        self.inside = f"10.231.{number}.2"
        self._wire = wire

    @property
    def prefix(self) -> Sequence[str]:
        """What a command begins with that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self, *, outbound: bool = True, inbound: bool = True) -> None:
        """Lose what is sent from there, or to there, or both."""
        if inbound:
            _run("ip", "neigh", "replace", self.inside, "lladdr", NOBODY, "dev", self._wire, "nud", "permanent")
        if outbound:
            there = ("ip", "-n", self.name, "neigh", "replace", self.host, "lladdr", NOBODY)
            _run(*there, "dev", "wire", "nud", "permanent")

    def heal(self) -> None:
        _run("ip", "neigh", "flush", "dev", self._wire, "nud", "permanent")
        _run("ip", "-n", self.name, "neigh", "flush", "dev", "wire", "nud", "permanent")


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace that is gone afterwards. Raises NotPermitted where there can be none."""
    word = secrets.token_hex(3)
    made = Namespace(f"aegis-{word}", f"aegis{word}", secrets.randbelow(250) + 1)
    _run("ip", "netns", "add", made.name)
    try:
        _run("ip", "link", "add", made._wire, "type", "veth", "peer", "name", "wire", "netns", made.name)
        _run("ip", "address", "add", f"{made.host}/30", "dev", made._wire)
        _run("ip", "link", "set", made._wire, "up")
        _run("ip", "-n", made.name, "address", "add", f"{made.inside}/30", "dev", "wire")
        _run("ip", "-n", made.name, "link", "set", "wire", "up")
        _run("ip", "-n", made.name, "link", "set", "lo", "up")
        yield made
    finally:
        _run("ip", "netns", "delete", made.name)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotPermitted(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise NotPermitted(f"{' '.join(command)}: {done.stderr.strip()}")
