"""The drop-in libraries themselves: what they export, how they end, whom they refuse."""

from __future__ import annotations

import asyncio
import struct
import subprocess
from pathlib import Path

from driver import PATIENCE_S, client

from ctpsim import building, installed
from ctpsim.frames import HEAD, Kind
from ctpsim.testing import front

DAY = "20251128"


def test_they_export_what_ctps_libraries_export_and_nothing_else() -> None:
    for side, name in installed.LIBRARIES.items():
        command = ["nm", "-DC", "--defined-only", str(installed.libraries() / name)]
        exported = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        api = "CThostFtdcMdApi" if side == "M" else "CThostFtdcTraderApi"
        arguments = "char const*, bool, bool, bool" if side == "M" else "char const*, bool"
        made = f"{api}::CreateFtdc{'Md' if side == 'M' else 'Trader'}Api({arguments})"
        assert {line.split(" ", 2)[2] for line in exported} == {made, f"{api}::GetApiVersion()"}


async def test_a_hundred_apis_are_released_under_flow_and_leave_no_thread(tmp_path: Path) -> None:
    compiler = building.compiler()
    assert compiler is not None
    program = tmp_path / "release_cycles"
    source = Path(__file__).with_name("release_cycles.cpp")
    library = installed.libraries() / installed.LIBRARIES["M"]
    command = [compiler, "-std=c++17", "-w", "-pthread", "-I", str(installed.headers()), str(source), str(library)]
    await asyncio.to_thread(subprocess.run, [*command, "-o", str(program)], check=True)
    async with front(market="load", day=DAY, rate=5000) as counter:
        process = await asyncio.create_subprocess_exec(
            *(str(program), counter.address.market),
            stdout=asyncio.subprocess.PIPE,
            env={"LD_LIBRARY_PATH": str(installed.libraries())},
        )
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert (process.returncode, output) == (0, b"threads 1\n")


FRAMES = {
    "another layout": HEAD.pack(21, 0, Kind.HELLO, 0, 0, 21) + struct.pack("<QcIIi", 1, b"M", 0, 0, 0),
    "the other side": HEAD.pack(21, 0, Kind.HELLO, 0, 0, 21)
    + struct.pack("<QcIIi", installed.layout().digest if building.compiler() else 0, b"T", 0, 0, 0),
    "a greeting that is too short": HEAD.pack(3, 0, Kind.HELLO, 0, 0, 3) + b"abc",
    "a body beyond all bounds": HEAD.pack(1 << 30, 0, Kind.CALL, 0, 0, 0),
    "more data than body": HEAD.pack(4, 0, Kind.CALL, 0, 0, 5) + b"abcd",
    "a callback that there is not": HEAD.pack(0, 9999, Kind.CALL, 0, 0, 0),
    "a record of another size": HEAD.pack(7, 8, Kind.CALL, 1, 0, 7) + b"abcdefg",
    "a kind that there is not": HEAD.pack(0, 0, 99, 0, 0, 0),
}


async def test_what_is_not_understood_ends_the_connection_with_0x2003_and_not_the_client() -> None:
    waiting = list(FRAMES.values())

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if waiting:
            writer.write(waiting.pop(0))
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, front(market="load") as counter, client(counter, retry_ms=10) as driver:
        await driver.open("md", address)
        async with asyncio.timeout(PATIENCE_S):
            while len(lost := driver.all("md", "onFrontDisconnected")) < len(FRAMES):
                await asyncio.sleep(0.01)
        reasons = [one.data for one in lost[: len(FRAMES)]]
        assert dict(zip(FRAMES, reasons, strict=True)) == dict.fromkeys(FRAMES, 0x2003)


async def test_addresses_that_are_none_are_passed_over() -> None:
    nonsense = ("x" * 100, "nonsense", "tcp://127.0.0.1:99999999", "")
    async with front(market="load") as counter, client(counter, retry_ms=10) as driver:
        await driver.open("md", *nonsense, counter.address.market)
        await driver.wait("md", "onFrontConnected")
        assert not driver.all("md", "onFrontDisconnected")
