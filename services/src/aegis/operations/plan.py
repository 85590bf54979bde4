"""What a desk on one machine consists of: its options, and the list of the processes that they make."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from aegis.operations.state import StateDirectory
from aegis_sdk.errors import ConfigurationError

__all__ = ["MARKETDATA", "RECORDER", "DeskOptions", "ServicePlan", "inherited", "plan"]

MARKETDATA: Final = "marketdata"
RECORDER: Final = "recorder"
HEALTH: Final = "health"
MANAGEMENT: Final = "management"
PAPER: Final = "paper=10000000"
"""The account of a new desk, and the yuan that it begins with."""


class DeskOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What `aegis up` was asked for."""

    directory: str
    port: int = 0  # of NATS; 0: a free one
    nodes: int = 1  # of NATS: 1 or 3
    replay: str | None = None  # recorded ticks; this and the next four: None leaves it to the environment
    profile: str | None = None  # of a CTP front: its name, or an absolute path
    speed: float | None = None  # of the market; 0: as fast as can be
    wall_clock: bool | None = None  # the simulated market follows the real sessions
    codec: str | None = None  # of the ticks
    counter: bool = False  # market data from a simulated CTP counter, in place of the simulated market
    standby: bool = False  # market data twice: the second by the backup login of the profile or the counter
    record: str | None = None  # the directory that ticks are recorded to; None: they are not
    plan_file: str = ""  # processes to run in place of the usual ones: a JSON list of ServicePlan
    ready_deadline_s: float = 30.0


class ServicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One process to be kept running: an instance of a service."""

    service: str
    instance: str  # also the name of the process
    command: tuple[str, ...]  # begins with the path of a program
    environment: Mapping[str, str] = {}  # set over our own
    defaults: Mapping[str, str] = {}  # set where our own says nothing
    stop_deadline_s: float = 12.0  # longer than a service drains; then it is killed
    ready_file: str = ""  # of what is no service of ours: written when it is ready; empty: its registration says so


def plan(options: DeskOptions) -> list[ServicePlan]:
    """The services in the order of their start; they stop in reverse. Raises ConfigurationError."""
    if options.plan_file:
        return _read(Path(options.plan_file))
    health = ServicePlan(
        service=HEALTH, instance=f"{HEALTH}-1", command=(sys.executable, "-m", "aegis.marketdata.health")
    )
    return [
        *_recorder(options),
        *_feeds(options),
        health,
        *_trading(),
        _management(options),
    ]  # what records ends after those whose ticks it records


def _feeds(options: DeskOptions) -> list[ServicePlan]:
    primary, backup = f"{MARKETDATA}-1", f"{MARKETDATA}-2"
    if not options.standby:
        return [_market_data(options, primary)]
    return [
        _market_data(options, primary, AEGIS_LOGIN="primary", AEGIS_PREFERRED=primary),
        _market_data(options, backup, AEGIS_LOGIN="backup", AEGIS_PREFERRED=primary),
    ]


def _recorder(options: DeskOptions) -> list[ServicePlan]:
    if options.record is None:
        return []
    return [
        ServicePlan(
            service=RECORDER,
            instance=f"{RECORDER}-1",
            command=(sys.executable, "-m", "aegis.recorder"),
            environment={"AEGIS_RECORD_DIRECTORY": options.record},
        )
    ]


def _trading() -> list[ServicePlan]:
    """A venue with one paper account, unless the environment names others, and two instances that trade."""
    paper = {"AEGIS_PAPER_ACCOUNTS": PAPER, "AEGIS_PAPER_TICKS": "sim"}
    command = (sys.executable, "-m", "aegis.trading")
    return [
        ServicePlan(service="paper", instance="paper-1", command=(sys.executable, "-m", "aegis.paper"), defaults=paper),
        *(ServicePlan(service="trading", instance=f"trading-{number}", command=command) for number in (1, 2)),
    ]


def _management(options: DeskOptions) -> ServicePlan:
    """On its usual port, or on a free one where another desk has that."""
    given = _given(AEGIS_MANAGEMENT_RECORDING=options.record)
    return ServicePlan(
        service=MANAGEMENT,
        instance=f"{MANAGEMENT}-1",
        command=(sys.executable, "-m", "aegis.management"),
        environment={
            **given,
            "AEGIS_MANAGEMENT_ANY_PORT": "1",
            "AEGIS_MANAGEMENT_NOTE": str(StateDirectory(Path(options.directory)).management_note),
        },
    )


def _market_data(options: DeskOptions, instance: str, **more: str) -> ServicePlan:
    given = _given(
        AEGIS_REPLAY=options.replay,
        AEGIS_PROFILE=options.profile,
        AEGIS_SPEED=options.speed,
        AEGIS_WALL_CLOCK=None if options.wall_clock is None else int(options.wall_clock),
        AEGIS_CODEC=options.codec,
    )
    return ServicePlan(
        service=MARKETDATA,
        instance=instance,
        command=(sys.executable, "-m", "aegis.marketdata"),
        environment={**given, **more},
    )


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a service inherits of our environment: all but the way to a NATS that is not its desk's."""
    return {name: value for name, value in environment.items() if not name.startswith("AEGIS_NATS_")}


def _given(**options: str | float | None) -> dict[str, str]:
    return {name: str(value) for name, value in options.items() if value is not None}


def _read(path: Path) -> list[ServicePlan]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[ServicePlan])
    except OSError as error:
        raise ConfigurationError("plan", f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise ConfigurationError("plan", f"{path} is not a list of processes: {error}") from None
