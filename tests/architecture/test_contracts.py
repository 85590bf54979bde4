"""The import contracts of pyproject.toml catch what they are there for, also in modules that do not exist yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {"aegis_sdk": Path("sdk/src"), "aegis": Path("services/src"), "ctpsim": Path("ctpsim/src")}

SDK_ALONE = "The SDK knows nothing of the desk"
SERVICES_APART = "Services know contracts, never each other"
INWARDS = "Within a service, everything points inwards"
ONE_NATS = "Only the NATS transport speaks NATS"
PURE = "Domain, ports, contracts and election are pure"
COUNTER_APART = "Only measurements know the simulated counter"
COUNTER_ALONE = "The simulated counter knows the desk's market, not its services"
COUNTER_PURE = "The venue and CTP's formats are pure"


class Violation(NamedTuple):
    contract: str
    module: str  # planted
    imported: str  # planted too, where it does not exist


VIOLATIONS = [
    Violation(SDK_ALONE, "aegis_sdk.planted", "aegis.contracts.market"),
    Violation(SERVICES_APART, "aegis.trading.planted", "aegis.marketdata.ports"),
    Violation(SERVICES_APART, "aegis.marketdata.planted", "aegis.algo.planted"),
    Violation(SERVICES_APART, "aegis.bridge.planted", "aegis.trading.ports"),
    Violation(SERVICES_APART, "aegis.contracts.planted", "aegis.marketdata.ports"),
    Violation(SERVICES_APART, "aegis.contracts.planted", "aegis.ticks.planted"),
    Violation(SERVICES_APART, "aegis.ticks.planted", "aegis.marketdata.ports"),
    Violation(SERVICES_APART, "aegis.marketdata.planted", "aegis.cli.planted"),
    Violation(INWARDS, "aegis.marketdata.domain.planted", "aegis.marketdata.ports"),
    Violation(INWARDS, "aegis.marketdata.ports", "aegis.marketdata.adapters.planted"),
    Violation(INWARDS, "aegis.marketdata.adapters.planted", "aegis.marketdata.pipeline.planted"),
    Violation(INWARDS, "aegis.marketdata.adapters.planted", "aegis.marketdata.endpoints.planted"),
    Violation(INWARDS, "aegis.trading.handlers.planted", "aegis.trading.adapters.planted"),
    Violation(INWARDS, "aegis.trading.endpoints.planted", "aegis.trading.bootstrap"),
    Violation(INWARDS, "aegis.trading.bootstrap", "aegis.trading.__main__"),
    Violation(ONE_NATS, "aegis_sdk.service", "nats"),
    Violation(ONE_NATS, "aegis.marketdata.adapters.planted", "nats.aio.client"),
    Violation(ONE_NATS, "aegis.cli.planted", "nats"),
    Violation(PURE, "aegis.marketdata.domain.planted", "asyncio"),
    Violation(PURE, "aegis.trading.domain.planted", "structlog"),
    Violation(PURE, "aegis.marketdata.ports", "aegis_sdk.transport_nats"),
    Violation(PURE, "aegis.contracts.planted", "time"),
    Violation(PURE, "aegis_sdk.election", "asyncio"),
    Violation(PURE, "aegis_sdk.subjects", "asyncio"),
    Violation(COUNTER_APART, "aegis.marketdata.planted", "ctpsim.testing"),
    Violation(COUNTER_APART, "aegis.cli.planted", "ctpsim.testing"),
    Violation(COUNTER_ALONE, "ctpsim.front.planted", "aegis.marketdata.endpoints"),
    Violation(COUNTER_ALONE, "ctpsim.planted", "vnpy_ctp"),
    Violation(COUNTER_PURE, "ctpsim.venue.planted", "asyncio"),
    Violation(COUNTER_PURE, "ctpsim.records", "socket"),
]

ALLOWED = [
    ("aegis.cli.bench.planted", "nats"),
    ("aegis.cli.bench.planted", "ctpsim.testing"),
    ("ctpsim.market.planted", "aegis.marketdata.adapters.simulated"),
    ("aegis_sdk.transport_nats.planted", "nats.aio.client"),
    ("aegis.trading.planted", "aegis.ticks.planted"),
    ("aegis.bridge.planted", "aegis.desk"),
    ("aegis.trading.planted", "aegis.contracts.market"),
    ("aegis.trading.bootstrap", "aegis.trading.domain.planted"),
    ("aegis.contracts.planted", "pydantic"),
    ("aegis.marketdata.domain.planted", "msgspec"),
]


class Linted(NamedTuple):
    exit_code: int
    output: str


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of all packages and their configuration."""
    for source in SOURCES.values():
        shutil.copytree(ROOT / source, tmp_path / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(tree: Path, module: str, line: str = "") -> None:
    """Append `line` to a module, which is made with its packages where it is missing."""
    source = tree / SOURCES[module.partition(".")[0]]
    path = source / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for package in reversed(file.relative_to(source).parents[:-1]):
        (source / package).mkdir(exist_ok=True)
        (source / package / "__init__.py").touch()
    with file.open("a") as text:
        text.write(f"\n{line}\n")


def lint(tree: Path) -> Linted:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / source) for source in SOURCES.values())},
        capture_output=True,
        text=True,
        check=False,
    )
    return Linted(done.returncode, done.stdout + done.stderr)


def test_the_packages_keep_all_contracts(tree: Path) -> None:
    linted = lint(tree)
    assert linted.exit_code == 0, linted.output


@pytest.mark.parametrize("contract", sorted({violation.contract for violation in VIOLATIONS}))
def test_each_violation_of_a_contract_is_named(tree: Path, contract: str) -> None:
    planted = [violation for violation in VIOLATIONS if violation.contract == contract]
    for violation in planted:
        if violation.imported.startswith(("aegis", "ctpsim")):
            plant(tree, violation.imported)
        plant(tree, violation.module, f"import {violation.imported}")
    linted = lint(tree)
    assert linted.exit_code == 1, linted.output
    assert f"{contract} BROKEN" in linted.output
    report = linted.output.partition("Broken contracts")[2].partition(f"\n{contract}\n")[2]
    for violation in planted:
        assert f"{violation.module} -> {violation.imported.removesuffix('.aio.client')} (" in report, linted.output


def test_a_service_that_is_not_named_in_the_contract_is_refused(tree: Path) -> None:
    plant(tree, "aegis.unnamed.planted")
    linted = lint(tree)
    assert f"{SERVICES_APART} BROKEN" in linted.output
    assert "aegis.unnamed" in linted.output


def test_what_is_allowed_breaks_nothing(tree: Path) -> None:
    for module, imported in ALLOWED:
        if imported.startswith(("aegis", "ctpsim")):
            plant(tree, imported)
        plant(tree, module, f"import {imported}")
    linted = lint(tree)
    assert linted.exit_code == 0, linted.output


def test_each_contract_has_a_violation_that_is_planted_here() -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {contract["name"] for contract in configuration["tool"]["importlinter"]["contracts"]}
    assert contracts == {violation.contract for violation in VIOLATIONS}
