"""The import contracts of pyproject.toml catch what they are there for, also in modules that do not exist yet."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
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

    def report(self, contract: str) -> str:
        """What is said of a broken contract, up to the next one."""
        _, _, rest = self.output.partition("Broken contracts")[2].partition(f"\n{contract}\n")
        return re.split("|".join(f"\n{re.escape(one.contract)}\n" for one in VIOLATIONS), rest)[0]


@pytest.fixture(scope="module")
def new_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a copy of all packages and their configuration."""

    def made() -> Path:
        tree = tmp_path_factory.mktemp("tree")
        for source in SOURCES.values():
            shutil.copytree(ROOT / source, tree / source, ignore=shutil.ignore_patterns("__pycache__", "site"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        return tree

    return made


@pytest.fixture(scope="module")
def violated(new_tree: Callable[[], Path]) -> Linted:
    """All violations at once: to read all packages takes seconds, and a contract does not hide another one's."""
    tree = new_tree()
    for violation in VIOLATIONS:
        if violation.imported.startswith(("aegis", "ctpsim")):
            plant(tree, violation.imported)
        plant(tree, violation.module, f"import {violation.imported}")
    plant(tree, "aegis.unnamed.planted")
    return lint(tree)


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


@pytest.mark.parametrize("contract", sorted({violation.contract for violation in VIOLATIONS}))
def test_each_violation_of_a_contract_is_named(violated: Linted, contract: str) -> None:
    assert violated.exit_code == 1, violated.output
    assert f"{contract} BROKEN" in violated.output
    report = violated.report(contract)
    for violation in VIOLATIONS:
        if violation.contract == contract:
            assert f"{violation.module} -> {violation.imported.removesuffix('.aio.client')} (" in report, report


def test_a_service_that_is_not_named_in_the_contract_is_refused(violated: Linted) -> None:
    assert "aegis.unnamed" in violated.report(SERVICES_APART)


def test_the_packages_keep_all_contracts_and_what_is_allowed_breaks_nothing(new_tree: Callable[[], Path]) -> None:
    tree = new_tree()
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
