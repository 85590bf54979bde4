"""Which of CTP's libraries a session of market data loads, and what it says where it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from aegis.operations.counter import is_built

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_built() and not shutil.which("c++"), reason="CTP needs a C++ compiler"),
]

GATE = str(Path(sys.prefix) / "share/aegis/lib/libthostmduserapi_se.so")


def loaded(drop_in: str, *, gated: bool = False, market: str = "", **environment: str) -> str:
    """The libraries of a process that has loaded them as a session does, or why it could not."""
    program = (
        "import socket\n"
        "from pathlib import Path\n"
        "from aegis.ctp.frames import FrontAddresses, Login\n"
        "from aegis.marketdata.adapters.ctp.frames import Start\n"
        "from aegis.marketdata.adapters.ctp import process\n"
        f"if {market!r}: process.market_library = lambda _: Path({market!r})\n"
        "login = Login(broker_id='', user_id='', password='', app_id='', auth_code='')\n"
        "fronts = FrontAddresses(market=(), trader=())\n"
        f"start = Start(login=login, fronts=fronts, production=True, libraries={drop_in!r}, gated={gated})\n"
        "failed = process.load(start, socket.socket())\n"
        "print(failed if isinstance(failed, process.Failure) else process.loaded_libraries())"
    )
    own = {**os.environ, "LOCPATH": str(Path(sys.prefix) / "share/aegis/locale"), **environment}
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / ".vntrader").mkdir()
        return subprocess.run(
            [sys.executable, "-c", program], env=own, cwd=directory, capture_output=True, text=True, check=True
        ).stdout


def test_the_real_libraries_are_loaded_where_no_others_are_named() -> None:
    maps = loaded("")
    assert maps.count("vnpy_ctp/api/libthost") == 2
    assert "share/ctpsim" not in maps


def test_drop_in_libraries_take_the_place_of_the_real_ones() -> None:
    maps = loaded(str(Path(sys.prefix) / "share/ctpsim/lib"))
    assert maps.count("share/ctpsim/lib/libthost") == 2
    assert "vnpy_ctp/api/libthost" not in maps


@pytest.mark.parametrize(("drop_in", "of"), [("", "vnpy_ctp/api"), ("share/ctpsim/lib", "share/ctpsim/lib")])
def test_a_gate_stands_before_the_market_data_library_alone(drop_in: str, of: str) -> None:
    """Before the real one, too: loading it says nothing to anybody."""
    maps = loaded(drop_in and str(Path(sys.prefix) / drop_in), gated=True)
    assert maps.count("libthost") == 3
    assert maps.count(GATE) == 1
    assert f"{of}/libthostmduserapi_se.so" in maps
    assert f"{of}/libthosttraderapi_se.so" in maps


def test_what_a_machine_lacks_is_said_in_one_clear_message(tmp_path: Path) -> None:
    assert "cannot open shared object file" in loaded(str(tmp_path))
    assert "locale zh_CN.GB18030 is missing" in loaded("", LOCPATH=str(tmp_path))
    other = str(Path(sys.prefix) / "share/ctpsim/lib/libthosttraderapi_se.so")
    assert "it is no market data library of CTP" in loaded("", gated=True, market=other)
