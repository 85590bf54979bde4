"""Building what clients load: only from genuine headers, and with a word where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctpsim import building, installed
from ctpsim.building import BuildFailed
from ctpsim.headers import HEADERS


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which nothing is built."""
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    return tmp_path


def test_what_is_missing_is_named(elsewhere: Path) -> None:
    names = ["lib/libthostmduserapi_se.so", "lib/libthosttraderapi_se.so", "lib/libthostmduserapi_se.so"]
    names += ["ctpsim/layout.json", "locale/zh_CN.GB18030"]
    assert ["/".join(Path(lack).parts[-2:]) for lack in building.missing()] == names


def test_libraries_of_other_sources_are_missing_too(elsewhere: Path) -> None:
    libraries = [installed.libraries() / name for name in installed.LIBRARIES.values()]
    for path in (*libraries, installed.gate(), installed.layout_file()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (installed.locale_directory() / installed.LOCALE).mkdir(parents=True)
    (installed.share() / "built").write_text("of other sources")
    assert building.missing() == ["libraries of these sources (those that are there are of others)"]


def test_without_a_compiler_it_says_what_to_install(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(elsewhere))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(building, "_fetch_headers", lambda: None)
    assert building.compiler() is None
    with pytest.raises(BuildFailed, match="apt-get install g\\+\\+"):
        building.build()


def test_headers_that_are_not_genuine_are_not_taken(tmp_path: Path) -> None:
    unpacked = tmp_path / "sdists-v1/pypi/vnpy-ctp/6.7.11.4/x/src/vnpy_ctp/api/include/ctp"
    unpacked.mkdir(parents=True)
    target = tmp_path / "target"
    target.mkdir()
    for name in HEADERS:
        (unpacked / name).write_text("something else")
    assert not building._copy_headers(tmp_path, target)
    assert list(target.iterdir()) == []


def test_genuine_headers_are_found_wherever_uv_has_unpacked_them(tmp_path: Path) -> None:
    if building.compiler() is None:
        pytest.skip("there is no C++ compiler, so CTP's headers were not fetched")
    unpacked = tmp_path / "sdists-v99/index/0123/vnpy-ctp/6.7.11.4/x/src/vnpy_ctp/api/include/ctp"
    unpacked.mkdir(parents=True)
    target = tmp_path / "target"
    target.mkdir()
    for name in HEADERS:
        (unpacked / name).write_bytes((installed.headers() / name).read_bytes())
    assert building._copy_headers(tmp_path, target)
    assert {path.name for path in target.iterdir()} == set(HEADERS)
