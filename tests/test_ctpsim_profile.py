"""A counter's settings, as `ctpsim env` prints them, are what the profile that is shipped for it asks for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from aegis.profiles import load
from ctpsim.access import Access, FrontAddress, UserAccess, write_access

USER = UserAccess(broker_id="9999", user_id="100001", password="secret", app_id="client_a_1.0", auth_code="code")
FRONT = FrontAddress(market="tcp://127.0.0.1:41001", trader="tcp://127.0.0.1:41002")


def test_what_the_counter_prints_completes_its_profile(tmp_path: Path) -> None:
    access = Access(pid=1, fronts=(FRONT,), users=(USER,), libraries="/l", locale="/g", control_port=1, token="t")
    write_access(tmp_path, access)
    command = [str(Path(sys.executable).with_name("ctpsim")), "env", "--show", "--access", str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    variables = dict(re.findall(r"^export (\w+)='(.*)'$", printed, re.MULTILINE))
    login = load("ctpsim", {**variables, "HOME": str(tmp_path)}).primary
    assert (login.broker_id, login.user_id, login.app_id) == (USER.broker_id, USER.user_id, USER.app_id)
    assert (login.password.get_secret_value(), login.auth_code.get_secret_value()) == (USER.password, USER.auth_code)
    assert (login.market_fronts, login.trader_fronts) == ((FRONT.market,), (FRONT.trader,))
