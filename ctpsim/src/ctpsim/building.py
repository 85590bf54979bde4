"""Builds the drop-in libraries, the gate and the locale, into the environment that this Python runs in.

The headers come from the source distribution of vnpy_ctp, by way of uv; they are checked against the hashes in
`headers` and kept beside what is built. Nothing is done where nothing changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from aegis_sdk.errors import AegisError
from ctpsim import installed
from ctpsim.glue import gate_glue, glue
from ctpsim.headers import HEADERS, VERSION, Layout, parse

__all__ = ["BuildFailed", "build", "compiler", "missing"]

_NATIVE: Final = Path(__file__).parent / "native"
_OURS: Final = ("glue.py", "headers.py", "records.py", "building.py")
_DISTRIBUTION: Final = "vnpy_ctp==6.7.11.4"
_SIDES: Final = {"M": "MARKET", "T": "TRADER"}
_FETCH_S: Final = 600
_COMPILE_S: Final = 300


class BuildFailed(AegisError):
    """A step of the build did not work; `output` is what its program said."""

    def __init__(self, step: str, output: str) -> None:
        super().__init__(f"could not {step}: {output.strip()[-2000:] or 'no reason was given'}")
        self.step = step
        self.output = output


def compiler() -> str | None:
    """The C++ compiler of this machine: $CXX, c++, g++ or clang++."""
    return next((found for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if (found := _which(name))), None)


def missing() -> list[str]:
    """What is not there, or not as these sources would build it."""
    lacks = [str(installed.libraries() / name) for name in installed.LIBRARIES.values()]
    lacks += [str(installed.gate()), str(installed.layout_file()), str(installed.locale_directory() / installed.LOCALE)]
    lacks = [path for path in lacks if not Path(path).exists()]
    if not lacks and _read(_stamp()) != _fingerprint():
        lacks.append("libraries of these sources (those that are there are of others)")
    return lacks


def build() -> list[str]:
    """Build what is missing; returns what was made. Raises BuildFailed."""
    made: list[str] = []
    if _read(_stamp()) != _fingerprint() or missing():
        _fetch_headers()
        made += _build_libraries()
    if not (installed.locale_directory() / installed.LOCALE).is_dir():
        made.append(_build_locale())
    return made


def _build_libraries() -> list[str]:
    program = compiler()
    if program is None:
        raise BuildFailed("compile the libraries", "there is no C++ compiler; with Debian: apt-get install g++")
    texts = {name: (installed.headers() / name).read_text("utf-8-sig") for name in HEADERS}
    layout = parse(texts)
    made = {installed.libraries() / name: _drop_in(layout, side) for side, name in installed.LIBRARIES.items()}
    made[installed.gate()] = _Source(gate_glue(layout, VERSION), (), ("gate.cpp",), "gate.map")
    with tempfile.TemporaryDirectory(dir=installed.share()) as directory:
        running = {
            target: _compile(program, Path(directory) / str(number), target.name, source)
            for number, (target, source) in enumerate(made.items())
        }
        for compiling in running.values():
            output, _ = compiling.communicate(timeout=_COMPILE_S)
            if compiling.returncode:
                raise BuildFailed("compile the libraries", output)
        for number, target in enumerate(running):
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(directory) / str(number) / target.name).replace(target)
    _write(installed.layout_file(), layout.to_json())
    _write(_stamp(), _fingerprint().encode())
    return [str(target) for target in made]


class _Source(NamedTuple):
    glue: str
    macros: tuple[str, ...]
    files: tuple[str, ...]
    exports: str


def _drop_in(layout: Layout, side: str) -> _Source:
    macro = _SIDES[side]
    text = glue(layout, side, f"{VERSION}_ctpsim_{macro.lower()}")
    return _Source(text, (f"-D{macro}",), ("api.cpp", "connection.cpp"), "exports.map")


def _compile(program: str, directory: Path, name: str, source: _Source) -> subprocess.Popen[str]:
    directory.mkdir()
    (directory / "glue.inc").write_text(source.glue)
    command = [
        *(program, "-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-pthread", *source.macros),
        *("-I", str(installed.headers()), "-I", str(_NATIVE), "-I", str(directory)),
        *(str(_NATIVE / file) for file in source.files),
        *("-o", str(directory / name), f"-Wl,-soname,{name}", f"-Wl,--version-script={_NATIVE / source.exports}"),
        *("-static-libstdc++", "-static-libgcc", "-ldl"),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _fetch_headers() -> None:
    """From where uv unpacked the source distribution when it built the wrappers; else it does so once more."""
    target = installed.headers()
    if all(_is_genuine(target / name) for name in HEADERS):
        return
    target.mkdir(parents=True, exist_ok=True)
    cache = _run("find uv's cache", [_uv(), "cache", "dir"], timeout=_FETCH_S).strip()
    if _copy_headers(Path(cache), target):
        return
    with tempfile.TemporaryDirectory(dir=installed.share()) as fresh:
        _run(
            "fetch CTP's headers",
            [
                *(_uv(), "pip", "install", "-q", "--no-deps", "--no-binary", "vnpy-ctp", _DISTRIBUTION),
                *("--cache-dir", f"{fresh}/cache", "--target", f"{fresh}/built"),
            ],
            timeout=_FETCH_S,
        )
        if not _copy_headers(Path(fresh) / "cache", target):
            raise BuildFailed("fetch CTP's headers", f"{_DISTRIBUTION} has none with the expected hashes")


def _copy_headers(cache: Path, target: Path) -> bool:
    """Whether all of them, and genuine ones, are in a cache of uv."""
    for name in HEADERS:
        found = next(filter(_is_genuine, cache.glob(f"sdists-*/**/vnpy-ctp/*/*/src/**/include/ctp/{name}")), None)
        if found is None:
            return False
        shutil.copyfile(found, target / name)
    return True


def _build_locale() -> str:
    """The character set of CTP's texts: without it the first one ends a client's process."""
    target = installed.locale_directory()
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as directory:
        made = Path(directory) / installed.LOCALE
        _run(
            f"make the locale {installed.LOCALE} (Debian's package `locales` has what it is made of)",
            ["localedef", "-i", "zh_CN", "-f", "GB18030", str(made)],
            timeout=_COMPILE_S,
        )
        made.replace(target / installed.LOCALE)
    return str(target / installed.LOCALE)


def _run(step: str, command: list[str], *, timeout: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(step, str(error)) from error
    if done.returncode:
        raise BuildFailed(step, done.stderr or done.stdout)
    return done.stdout


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise BuildFailed("fetch CTP's headers", "uv is not installed: make setup")
    return found


def _which(name: str | None) -> str | None:
    return shutil.which(name) if name else None


def _is_genuine(header: Path) -> bool:
    return header.is_file() and sha256(header.read_bytes()).hexdigest() == HEADERS[header.name]


def _fingerprint() -> str:
    """Of all that the libraries are made from."""
    sources = sorted(_NATIVE.iterdir()) + [Path(__file__).with_name(name) for name in _OURS]
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _stamp() -> Path:
    return installed.share() / "built"


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _write(path: Path, content: bytes) -> None:
    """At once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
