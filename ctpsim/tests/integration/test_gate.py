"""The gate before a market data library: what passes it, and what becomes of ticks that nobody fetches in time."""

from __future__ import annotations

import ctypes
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ctpsim import building, installed
from ctpsim.records import Records

LATE_NS = 1_000_000
HEAD = 16
MOST = 300


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("gate"))


def compiled(directory: Path, version: str = "v6.7.11_test") -> Path:
    compiler = building.compiler()
    assert compiler is not None
    made = directory / "market.so"
    command = [compiler, "-std=c++17", "-w", "-fPIC", "-shared", "-I", str(installed.headers())]
    source = Path(__file__).with_name("gate_market.cpp")
    subprocess.run([*command, f'-DVERSION="{version}"', str(source), "-o", str(made)], check=True)
    return made


class Gate:
    """One of its own: a gate holds the ticks of a process, so each test loads a copy. The market behind it likewise."""

    def __init__(self, directory: Path, market: Path, most: int = 1_000, backlog: int = 4) -> None:
        self.market = ctypes.CDLL(shutil.copy(market, directory / "market.so"))
        self.native = ctypes.CDLL(shutil.copy(installed.gate(), directory / "gate.so"))
        self.native.gate_open.restype = ctypes.c_char_p
        self.native.gate_open.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64)
        assert self.native.gate_open(str(directory / "market.so").encode(), most, backlog, LATE_NS) is None
        create = self.native._ZN15CThostFtdcMdApi15CreateFtdcMdApiEPKcbbb
        create.restype = ctypes.c_void_p
        self.api = ctypes.c_void_p(create(b"", False, False, True))
        self._records = Records(installed.layout())
        self.size = HEAD + self._records.size("DepthMarketData")
        self._buffer = ctypes.create_string_buffer(self.size * MOST)

    def tick(self, symbol: str, volume: int) -> None:
        self.market.market_tick(self._records.pack("DepthMarketData", InstrumentID=symbol, Volume=volume))

    def take(self, most: int = MOST) -> list[tuple[str, int, int]]:
        """Symbol, volume, and how many were left out right before."""
        count = self.native.gate_take(self._buffer, most)
        return [self._read(self._buffer.raw[at * self.size : (at + 1) * self.size]) for at in range(count)]

    def _read(self, tick: bytes) -> tuple[str, int, int]:
        record: dict[str, Any] = self._records.unpack("DepthMarketData", tick[HEAD:])
        return record["InstrumentID"], record["Volume"], int.from_bytes(tick[8:HEAD], "little")

    def came_ns(self) -> int:
        return int.from_bytes(self._buffer.raw[:8], "little")

    def waiting(self) -> int:
        return self.native.gate_waiting()


@pytest.fixture
def gate(tmp_path: Path, market: Path) -> Gate:
    return Gate(tmp_path, market)


def late() -> None:
    """Let the oldest have waited for too long."""
    time.sleep(2 * LATE_NS / 1e9)


def test_ticks_are_fetched_in_their_order_and_with_the_time_of_their_coming(gate: Gate) -> None:
    before = time.time_ns()
    for volume in range(1, 6):
        gate.tick("a", volume)
    assert gate.waiting() == 5
    assert gate.take(2) == [("a", 1, 0), ("a", 2, 0)]
    assert before <= gate.came_ns() <= time.time_ns()
    assert gate.take() == [("a", 3, 0), ("a", 4, 0), ("a", 5, 0)]


def test_many_that_have_come_at_once_wait_and_so_do_few_for_however_long(tmp_path: Path, market: Path) -> None:
    gate = Gate(tmp_path, market, backlog=100)
    for volume in range(100):
        gate.tick("a", volume)
    late()
    gate.tick("a", 100)
    assert len(gate.take()) == 1, "more than the backlog, and late: now it conflates"

    for volume in range(50):
        gate.tick("b", volume)
        gate.tick("c", volume)
    assert gate.waiting() == 2, "and goes on to"


def test_behind_many_the_newest_of_each_instrument_stands_in_its_place_for_those_before_it(gate: Gate) -> None:
    for symbol, volume in (("a", 1), ("b", 1), ("a", 2), ("c", 1)):
        gate.tick(symbol, volume)
    late()
    gate.tick("b", 2)
    gate.tick("a", 3)
    assert gate.waiting() == 3
    assert gate.take() == [("a", 3, 2), ("b", 2, 1), ("c", 1, 0)]


def test_no_more_wait_than_may_however_quickly_they_came(tmp_path: Path, market: Path) -> None:
    gate = Gate(tmp_path, market, most=50, backlog=10)
    gate.native.gate_open(str(tmp_path / "market.so").encode(), 50, 10, 1_000_000_000_000)
    for volume in range(51):
        gate.tick(f"s{volume % 3}", volume)
    assert gate.waiting() == 3


def test_rounds_leave_time_to_those_behind_and_end_when_there_is_enough_of_it(gate: Gate) -> None:
    for volume in range(5):
        gate.tick("a", volume)
    late()
    gate.tick("a", 5)
    began = time.monotonic()
    assert gate.take() == [("a", 5, 5)]
    gate.tick("a", 6)
    assert gate.take() == [("a", 6, 0)]
    assert time.monotonic() - began > 0.045, "a round in 50 ms"
    for volume in range(7, 10):
        gate.tick("a", volume)
    assert gate.take() == [("a", 7, 0), ("a", 8, 0), ("a", 9, 0)], "it conflates no more"


def test_it_is_tried_without_conflating_though_rounds_take_long_and_later_where_that_was_no_good(gate: Gate) -> None:
    def conflates_for_s(most_s: float) -> float:
        for volume in range(5):
            gate.tick("a", volume)
        late()
        gate.tick("a", 5)
        assert gate.waiting() == 1
        began = time.monotonic()
        while gate.waiting() == 1 and time.monotonic() < began + most_s:
            gate.take()
            time.sleep(0.05)  # whoever fetches takes all of its time
            for volume in range(3):
                gate.tick("a", volume)
        return time.monotonic() - began

    assert 0.25 < conflates_for_s(2.0) < 2.0
    gate.take()
    assert conflates_for_s(0.35) > 0.35


def test_what_comes_while_a_round_is_fetched_belongs_to_the_next(gate: Gate) -> None:
    for volume in range(6):
        gate.tick(f"s{volume}", volume)
    late()
    gate.tick("s0", 6)
    assert gate.take(2) == [("s0", 6, 1), ("s1", 1, 0)]
    gate.tick("s0", 7)
    gate.tick("s5", 8)
    assert gate.take() == [("s2", 2, 0), ("s3", 3, 0), ("s4", 4, 0), ("s5", 8, 1)]
    assert gate.take() == [("s0", 7, 0)]


def test_of_a_gate_that_is_closed_all_that_waits_is_fetched_and_then_nothing(gate: Gate) -> None:
    for volume in range(5):
        gate.tick(f"s{volume}", volume)
    late()
    gate.tick("s0", 5)
    assert gate.take(1) == [("s0", 5, 1)], "it conflates, and a round has begun"
    gate.tick("s0", 6)
    gate.native.gate_close()
    gate.tick("s0", 7)
    assert gate.take() == [(f"s{volume}", volume, 0) for volume in range(1, 5)]
    assert gate.take() == [("s0", 6, 0)]
    assert gate.take() == []


def test_whoever_waits_for_ticks_is_told_that_the_gate_is_closed(gate: Gate) -> None:
    fetched: list[list[tuple[str, int, int]]] = []
    waiting = Thread(target=lambda: fetched.append(gate.take()), daemon=True)
    waiting.start()
    while ") S " not in Path(f"/proc/self/task/{waiting.native_id}/stat").read_text():
        time.sleep(0.001)
    gate.native.gate_close()
    waiting.join(5)
    assert fetched == [[]]


def test_for_how_long_no_tick_has_come_is_known(gate: Gate) -> None:
    gate.native.gate_silent_ns.restype = ctypes.c_int64
    assert gate.native.gate_silent_ns() > 1_000_000_000
    gate.tick("a", 1)
    assert gate.native.gate_silent_ns() < 1_000_000_000


def test_what_comes_together_is_written_together_and_what_comes_evenly_is_not_each_by_itself(gate: Gate) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        pumping = Thread(target=gate.native.gate_pump, args=(theirs.fileno(), 0, 100_000), daemon=True)
        pumping.start()
        gate.tick("a", 1)
        first = ours.recv(1 << 16)
        gate.tick("a", 2)
        gate.tick("a", 3)
        assert [len(part) // gate.size for part in (first, ours.recv(1 << 16))] == [1, 2]
        gate.tick("a", 4)
        gate.native.gate_close()
        assert len(ours.recv(1 << 16)) == gate.size
        pumping.join(5)
        assert not pumping.is_alive()


def test_a_gate_that_nobody_reads_from_any_more_says_so(gate: Gate) -> None:
    gate.native.gate_pump.restype = ctypes.c_bool
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        gate.tick("a", 1)
        assert not gate.native.gate_pump(theirs.fileno(), 0, 0)


def test_every_tick_is_fetched_or_counted_while_threads_send_and_one_fetches(tmp_path: Path, market: Path) -> None:
    gate = Gate(tmp_path, market, most=200, backlog=20)
    each, threads = 4_000, 4

    def send(number: int) -> None:
        for volume in range(1, each + 1):
            gate.tick(f"s{number}-{volume % 7}", volume)

    running = [Thread(target=send, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    accounted, newest = Counter[str](), Counter[str]()
    while accounted.total() < each * threads:
        for symbol, volume, skipped in gate.take():
            accounted[symbol] += 1 + skipped
            assert volume > newest[symbol]
            newest[symbol] = volume
    for one in running:
        one.join()
    assert gate.waiting() == 0
    assert accounted == Counter(f"s{n}-{volume % 7}" for n in range(threads) for volume in range(1, each + 1))


def test_all_else_passes_both_ways_as_it_is(gate: Gate) -> None:
    for said in (gate.market.market_calls, gate.market.market_requests):
        said.restype, said.argtypes = ctypes.c_char_p, (ctypes.c_void_p,)
    layout = installed.layout()
    heard = gate.market.market_calls(gate.api).decode().splitlines()
    named = [call.name for call in layout.callbacks["M"] if call.name != "OnRtnDepthMarketData"]
    assert heard[:3] == ["OnFrontConnected 0", "OnFrontDisconnected 1", "OnHeartBeatWarning 2"]
    assert heard[3:] == [f"{name} {3 + at + 1}" for at, name in enumerate(named[:-1])] + [f"{named[-1]} 0"]

    asked = gate.market.market_requests(gate.api).decode().splitlines()
    assert asked == [
        *("front 0", "server 0", "RegisterFensUserInfo 0", "Init 0"),
        *("SubscribeMarketData 1", "UnSubscribeMarketData 2", "answer 3"),
        *("SubscribeForQuoteRsp 3", "UnSubscribeForQuoteRsp 4", "answer 7"),
        *("ReqUserLogin 5", "ReqUserLogout 6", "answer 11"),
        *("ReqQryMulticastInstrument 7", "20250102 7", "Join 3", "answer 3"),
        *("Release 0", "after it 0"),
    ]
    assert {call.name for call in layout.requests["M"]} <= {line.split()[0] for line in asked}


def test_after_its_release_ticks_that_are_still_on_their_way_harm_nobody(gate: Gate) -> None:
    gate.market.market_requests.argtypes = (ctypes.c_void_p,)
    gate.market.market_requests(gate.api)
    gate.tick("a", 1)
    assert gate.waiting() == 0


def test_only_a_library_of_the_version_of_its_headers_is_stood_before(tmp_path: Path) -> None:
    opened = ctypes.CDLL(shutil.copy(installed.gate(), tmp_path / "gate.so")).gate_open
    opened.restype = ctypes.c_char_p
    opened.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int64)
    assert b"cannot open shared object file" in opened(str(tmp_path / "none.so").encode(), 1, 1, 1)
    assert b"no market data library" in opened(str(installed.libraries() / installed.LIBRARIES["T"]).encode(), 1, 1, 1)
    other = compiled(tmp_path, "v6.7.2_20230913")
    assert opened(str(other).encode(), 1, 1, 1) == b"it is CTP v6.7.2_20230913, and the gate stands before v6.7.11"
