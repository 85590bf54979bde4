"""A CTP client in a process of its own: vnpy_ctp's wrappers, unmodified, driven by JSON lines.

Standard input takes [side, method, arguments]; standard output gives [side, callback, arguments] for each callback, and
["", method, result] for what was called. Ticks are counted by symbol and, unless it is told `keep`, not written.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

TICK = "onRtnDepthMarketData"

libraries = Path(sys.argv[1])
for library in ("libthostmduserapi_se.so", "libthosttraderapi_se.so"):
    ctypes.CDLL(str(libraries / library))

# The wrappers without the gateway beside them, which would bring numpy and more with it.
package = ModuleType("vnpy_ctp")
package.__path__ = list(find_spec("vnpy_ctp").submodule_search_locations)
sys.modules["vnpy_ctp"] = package

from vnpy_ctp.api import MdApi, TdApi  # noqa: E402

writing = threading.Lock()
ticks: Counter[str] = Counter()
kept: dict[str, list[Any]] = {}
keeps = False


def bytes_as_text(value: bytes) -> str:
    """A settlement's lines come as they are, since one may end within a character."""
    return value.decode("gb18030")


def say(*parts: Any) -> None:
    with writing:
        sys.stdout.write(json.dumps(parts, ensure_ascii=False, default=bytes_as_text) + "\n")
        sys.stdout.flush()


def heard(side: str, callback: str) -> Any:
    def method(_: Any, *arguments: Any) -> None:
        if callback != TICK:
            say(side, callback, arguments)
            return
        ticks[arguments[0]["InstrumentID"]] += 1
        if keeps:
            kept.setdefault(arguments[0]["InstrumentID"], []).append(arguments[0])

    return method


def client_of(side: str, base: Any) -> Any:
    callbacks = [name for name in dir(base) if name.startswith("on")]
    return type(base.__name__, (base,), {name: heard(side, name) for name in callbacks})()


clients = {"md": client_of("md", MdApi), "td": client_of("td", TdApi)}
with open("/proc/self/maps") as maps:
    loaded = {line.split(maxsplit=5)[-1].strip() for line in maps if "libthost" in line}
say("", "libraries", sorted(loaded))
for line in sys.stdin:
    side, method, arguments = json.loads(line)
    if side:
        say("", method, getattr(clients[side], method)(*arguments))
    elif method == "keep":
        keeps = True
        say("", method, None)
    elif method == "counts":
        say("", method, dict(ticks))
    elif method == "ticks":
        say("", method, kept.get(arguments[0], []))
    elif method == "quit":
        break
sys.stdout.flush()
