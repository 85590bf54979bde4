"""The state directory of a desk, and the run file in it that tells other programs what runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis.operations.processes import ProcessId
from aegis_sdk.errors import AegisError

__all__ = ["Access", "DeskInUse", "DeskState", "Process", "ProcessState", "RunFile", "SignIn", "StateDirectory"]

NAME: Final = ".aegis"


class ProcessState(StrEnum):
    """Where a process of the desk stands."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RESTARTING = "RESTARTING"  # it crashed and is started again after a pause
    FAILED = "FAILED"  # it crashed too often and is left alone
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


class DeskState(StrEnum):
    """Where the desk as a whole stands."""

    STARTING = "STARTING"
    UP = "UP"
    STOPPING = "STOPPING"


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the desk. Times are seconds since 1970."""

    name: str
    state: ProcessState = ProcessState.STARTING
    process: ProcessId | None = None  # while it runs
    since: float | None = None  # its last start
    restarts: int = 0
    last_exit: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the desk's NATS."""

    urls: list[str]
    user: str
    password_file: str


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a running desk tells of itself."""

    supervisor: ProcessId
    started_at: float
    state: DeskState = DeskState.STARTING
    nats: Access | None = None  # once NATS is ready
    processes: list[Process] = []


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """What the management service has noted for its starter: its address, and after its first run who may sign in."""

    address: str
    user: str = ""
    password: str = ""


class DeskInUse(AegisError):
    """Another supervisor holds the state directory; `run` is what it says of itself, None if it said nothing yet."""

    def __init__(self, run: RunFile | None) -> None:
        super().__init__("this desk is up already")
        self.run = run


class StateDirectory:
    """`.aegis`: run file, credentials, the store of NATS and one log file a process. Only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.run_file = self.path / "desk.json"
        self.password_file = self.path / "nats.password"
        self.management_note = self.path / "management.note"  # where it listens, and the first sign-in until it is told
        self.nats = self.path / "nats"
        self.logs = self.path / "logs"

    @classmethod
    def find(cls, environment: Mapping[str, str], start: Path) -> StateDirectory:
        """AEGIS_HOME, or the nearest `.aegis` of ours from `start` up to the root of its repository.

        Where there is none yet, it is to be in `start`.
        """
        if home := environment.get("AEGIS_HOME"):
            return cls(Path(home).expanduser())
        start = start.absolute()
        for directory in (start, *start.parents):
            found = directory / NAME
            if found.is_dir() and found.stat().st_uid == os.getuid():
                return cls(found)
            if (directory / ".git").exists():
                break
        return cls(start / NAME)

    def create(self) -> None:
        """Make what is missing. Raises AegisError where that is not allowed."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise AegisError(f"the state directory {self.path} cannot be made: {error.strerror}") from None

    def lock(self) -> int:
        """Hold the directory until the returned descriptor is closed. Raises DeskInUse where another holds it."""
        try:
            held = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise AegisError(f"the state directory {self.path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise DeskInUse(self.read()) from None
        return held

    def read(self) -> RunFile | None:
        """The run file, of a desk that runs or of one that was killed; None where there is none that can be read."""
        try:
            return msgspec.json.decode(self.run_file.read_bytes(), type=RunFile)
        except (OSError, msgspec.MsgspecError):
            return None

    def write(self, run: RunFile) -> None:
        self._replace(self.run_file, msgspec.json.format(msgspec.json.encode(run)))

    def write_password(self, password: str) -> None:
        self._replace(self.password_file, password.encode())

    def take_sign_in(self) -> SignIn | None:
        """Where the management service listens, with its first sign-in the first time that this is asked."""
        try:
            told = msgspec.json.decode(self.management_note.read_bytes(), type=SignIn)
            if told.password:
                self._replace(self.management_note, msgspec.json.encode(SignIn(address=told.address)))
        except (OSError, msgspec.MsgspecError):
            return None
        return told

    def clear(self) -> None:
        """Forget the run that has ended."""
        self.management_note.unlink(missing_ok=True)
        self.run_file.unlink(missing_ok=True)
        self.password_file.unlink(missing_ok=True)

    def _replace(self, file: Path, content: bytes) -> None:
        """Write a file that only we may read, and that is never seen half written."""
        new = file.with_name(f".{file.name}.new")
        new.unlink(missing_ok=True)
        with open(new, "xb", opener=_private) as out:
            out.write(content)
        new.replace(file)


def _private(path: Any, flags: int) -> int:
    return os.open(path, flags, 0o600)
