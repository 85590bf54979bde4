"""One cluster for the rounds of a module; each round is a service of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .cluster import Cluster, cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def three_nodes() -> AsyncIterator[Cluster]:
    async with cluster() as made:
        yield made
