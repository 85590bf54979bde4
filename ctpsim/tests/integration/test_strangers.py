"""What connects to a front and is no CTP library of ours: it is sent away, and nobody else notices."""

from __future__ import annotations

import asyncio

import pytest

from ctpsim import building, installed
from ctpsim.frames import HEAD, Kind
from ctpsim.front.answers import Answers
from ctpsim.records import Records
from ctpsim.testing import RunningFront, front

HELLO = HEAD.size + 21


def request(side: str, name: str, body: bytes) -> bytes:
    names = [call.name for call in installed.layout().requests[side]]
    return HEAD.pack(len(body), names.index(name), Kind.CALL, 1, 1, len(body)) + body


async def answer(counter: RunningFront, side: str, said: bytes) -> bytes:
    """What a front says to it, until it closes the connection or has said enough."""
    address = counter.address.market if side == "M" else counter.address.trader
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    try:
        await reader.readexactly(HELLO)
        writer.write(said)
        async with asyncio.timeout(30):
            return await reader.read(4096)
    finally:
        writer.close()


async def test_strangers_are_sent_away_and_the_front_goes_on() -> None:
    unknown = HEAD.pack(0, 9999, Kind.CALL, 1, 1, 0)
    async with front(market="load") as counter:
        for side, said in {
            "M": request("M", "ReqUserLogin", b"abc"),
            "T": request("T", "ReqAuthenticate", b"abc"),
        }.items():
            assert await answer(counter, side, said) == b"", "the record has another length"
            assert await answer(counter, side, b"GET / HTTP/1.1\r\n\r\n") == b""
            assert await answer(counter, side, HEAD.pack(0, 0, Kind.HELLO, 0, 0, 0)) == b""
            assert len(await answer(counter, side, unknown)) == HEAD.size + Records(installed.layout()).size("RspInfo")
        login = await answer(counter, "M", request("M", "ReqUserLogin", b""))
        assert len(login) > HEAD.size, "a login without a record is a blank one"
        assert (await counter.control.status())["clients"]["trader"] <= 1


def test_an_answer_that_there_is_not_cannot_be_packed() -> None:
    if building.compiler() is None:
        pytest.skip("there is no C++ compiler, so CTP's headers were not fetched")
    with pytest.raises(KeyError):
        Answers(installed.layout(), "M").frame("OnRspNonsense")
