"""What NATS servers tell of themselves, however many ask, and whether they answer or not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aegis.management import monitors
from aegis.management.monitors import Monitors

DEADLINE_S = 15.0
ADDRESSES = ("http://a:8222", "http://b:8222", "http://c:8222")


class Servers:
    """One hangs until the end; of all is known which thread asked them."""

    def __init__(self) -> None:
        self.asked = list[tuple[str, str]]()
        self.end = threading.Event()

    def fetched(self, url: str) -> dict[str, Any]:
        self.asked.append((url, threading.current_thread().name.rpartition("_")[0]))
        if url.startswith(ADDRESSES[0]):
            self.end.wait()
            raise OSError("timed out")
        return {"url": url}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    made = Servers()
    monkeypatch.setattr(monitors, "_fetched", made.fetched)
    yield made
    made.end.set()


async def test_a_server_that_hangs_takes_no_thread_of_others(servers: Servers) -> None:
    """Sixteen tabs ask for two pages: each server is asked once for each."""
    asked = Monitors(ADDRESSES)
    waiting = [asyncio.create_task(asked.pages(path)) for path in ("/varz", "/connz") * 16]
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.to_thread(str)  # as passwords and files are
    servers.end.set()
    for pages in await asyncio.gather(*waiting):
        assert [one.answers for one in pages] == [False, True, True]
    assert sorted(servers.asked) == sorted((a + path, "monitors") for path in ("/varz", "/connz") for a in ADDRESSES)
    asked.close()


async def test_an_answer_is_shared_for_a_second(servers: Servers) -> None:
    moments = iter((0.0, 0.9, 1.0, 1.0, 1.9))  # when it is asked, and when that is answered anew
    asked = Monitors(ADDRESSES[1:], lambda: next(moments))
    for times in (1, 1, 2, 2):
        assert [one.page["url"] for one in await asked.pages("/varz")] == [f"{one}/varz" for one in ADDRESSES[1:]]
        assert len(servers.asked) == times * 2
    asked.close()
