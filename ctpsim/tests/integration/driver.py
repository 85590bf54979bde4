"""Drives a CTP client's process from a test, and waits for what it hears."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ctpsim.access import UserAccess
from ctpsim.testing import RunningFront

CLIENT = Path(__file__).with_name("ctp_client.py")
PATIENCE_S = 40.0


class Heard(NamedTuple):
    side: str
    callback: str
    arguments: list[Any]

    @property
    def data(self) -> Any:
        return self.arguments[0]

    @property
    def error(self) -> int:
        """The error number of an answer."""
        return next((part["ErrorID"] for part in self.arguments if isinstance(part, dict) and "ErrorID" in part), 0)


class Driver:
    """One client's process."""

    def __init__(self, process: asyncio.subprocess.Process, front: RunningFront) -> None:
        self.front = front
        self.heard: list[Heard] = []
        self.libraries: list[str] = []
        self._process = process
        self._news = asyncio.Condition()
        self._requests = 0
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(self, side: str, method: str, *arguments: Any) -> Any:
        """Call a wrapper's method in the client; its result."""
        assert self._process.stdin is not None
        seen = len(self.heard)
        self._process.stdin.write(json.dumps([side, method, arguments]).encode() + b"\n")
        return (await self.wait("", method, after=seen)).data

    async def request(self, side: str, method: str, values: dict[str, Any]) -> int:
        """A request with an id of its own; its result."""
        self._requests += 1
        return await self.call(side, method, values, self._requests)

    async def wait(
        self, side: str, callback: str, where: Callable[[Heard], bool] = lambda _: True, after: int = 0
    ) -> Heard:
        """The first such callback of those after the `after` first ones, as soon as there is one."""

        looked_at = after  # each of them once: an answer may have 25,000 records

        def found() -> Heard | None:
            nonlocal looked_at
            while looked_at < len(self.heard):
                one = self.heard[looked_at]
                if one[:2] == (side, callback) and where(one):
                    return one
                looked_at += 1
            return None

        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(found)
        result = found()
        assert result is not None
        return result

    def all(self, side: str, callback: str) -> list[Heard]:
        return [one for one in self.heard if one[:2] == (side, callback)]

    async def open(self, side: str, *addresses: str, flow: str = "", resume: int = 0) -> None:
        """Create an API and let it connect."""
        await self.call(side, "createFtdcMdApi" if side == "md" else "createFtdcTraderApi", f"{flow}{side}", True)
        if side == "td":
            await self.call(side, "subscribePrivateTopic", resume)
            await self.call(side, "subscribePublicTopic", resume)
        for address in addresses:
            await self.call(side, "registerFront", address)
        await self.call(side, "init")

    async def connect(self, side: str, **options: Any) -> None:
        """Open, and wait until it is connected."""
        address = self.front.address
        await self.open(side, address.market if side == "md" else address.trader, **options)
        await self.wait(side, "onFrontConnected")

    async def authenticate(self, user: UserAccess, **other: str) -> Heard:
        seen = len(self.heard)
        values = {"BrokerID": user.broker_id, "UserID": user.user_id, "AppID": user.app_id, "AuthCode": user.auth_code}
        await self.request("td", "reqAuthenticate", {**values, **other})
        return await self.wait("td", "onRspAuthenticate", after=seen)

    async def log_in(self, side: str, user: UserAccess, **other: str) -> Heard:
        seen = len(self.heard)
        values = {"BrokerID": user.broker_id, "UserID": user.user_id, "Password": user.password}
        await self.request(side, "reqUserLogin", {**values, **other})
        return await self.wait(side, "onRspUserLogin", after=seen)

    async def begin_trading(self, **options: Any) -> Heard:
        """Connect, authenticate, log in, confirm; the login's answer."""
        user = self.front.user
        await self.connect("td", **options)
        await self.authenticate(user)
        login = await self.log_in("td", user)
        await self.request("td", "reqSettlementInfoConfirm", {"BrokerID": user.broker_id, "InvestorID": user.user_id})
        await self.wait("td", "onRspSettlementInfoConfirm")
        return login

    async def listen(self, *symbols: str) -> None:
        """Connect to market data, log in and subscribe."""
        await self.connect("md")
        await self.log_in("md", self.front.user)
        for symbol in symbols:
            await self.call("md", "subscribeMarketData", symbol)

    async def query(self, method: str, callback: str, **values: Any) -> list[Heard]:
        """All records of a query's answer; asked again for as long as it comes too soon."""
        seen = len(self.heard)
        async with asyncio.timeout(PATIENCE_S):
            while await self.request("td", method, values) == -3:
                await asyncio.sleep(0.02)
        await self.wait("td", callback, lambda one: one.arguments[3], after=seen)
        return [one for one in self.heard[seen:] if one[:2] == ("td", callback)]

    async def ticks(self, symbol: str, enough: Callable[[list[Any]], bool] = bool) -> list[dict[str, Any]]:
        """The ticks of a symbol, once there are enough. Needs `keep`."""
        async with asyncio.timeout(PATIENCE_S):
            while not enough(ticks := await self.call("", "ticks", symbol)):
                await asyncio.sleep(0.01)
        return ticks

    async def counts(self, enough: Callable[[dict[str, int]], bool]) -> dict[str, int]:
        async with asyncio.timeout(PATIENCE_S):
            while not enough(counts := await self.call("", "counts")):
                await asyncio.sleep(0.01)
        return counts

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            side, callback, *arguments = json.loads(line)
            async with self._news:
                self.heard.append(Heard(side, callback, arguments[0] if side else arguments))
                self._news.notify_all()

    async def kill(self) -> None:
        self._process.kill()
        await self._process.wait()
        await self._reading


@asynccontextmanager
async def client(front: RunningFront, retry_ms: int = 100) -> AsyncIterator[Driver]:
    """A client that has loaded the drop-in libraries, in a directory of its own; killed at the end.

    They dial again after `retry_ms`; as CTP does it, after a second.
    """
    with tempfile.TemporaryDirectory(prefix="ctpsim-client-") as directory:
        (Path(directory) / ".vntrader").mkdir()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(CLIENT), str(front.libraries)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **front.environment(), "PYTHONIOENCODING": "utf-8", "CTPSIM_RETRY_MS": f"{retry_ms}"},
            cwd=directory,
            limit=64 << 20,
        )
        driver = Driver(process, front)
        try:
            driver.libraries = (await driver.wait("", "libraries")).data
            yield driver
        finally:
            await driver.kill()
