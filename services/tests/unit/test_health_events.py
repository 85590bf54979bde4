"""What the health agent tells, while it cannot be stored."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from aegis.contracts.health import RepairDone
from aegis.marketdata.health.agent import HealthAgent
from aegis.marketdata.health.settings import HealthSettings
from aegis_sdk.errors import ConnectionUnavailable

DONE = RepairDone(feed="main", kind="resubscribe", instruments=1, named=[], why=[], outcome="done", result=None)


class Away:
    """Events that cannot be stored so often, and are kept afterwards."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.stored: list[str] = []

    async def publish(self, subject: str, body: BaseModel) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            raise ConnectionUnavailable("not connected to NATS")
        self.stored.append(subject)


@pytest.mark.parametrize(("holds", "stored"), [(True, ["event.health.main.repair"]), (False, [])])
async def test_an_event_is_told_until_it_is_stored_by_whoever_holds_the_key(
    monkeypatch: pytest.MonkeyPatch, holds: bool, stored: list[str]
) -> None:
    monkeypatch.setattr("aegis.marketdata.health.agent._AGAIN_S", 0.001)
    agent, events = HealthAgent(HealthSettings()), Away(2)
    monkeypatch.setattr(agent, "_events", events, raising=False)
    monkeypatch.setattr(agent, "_holds", lambda: holds)
    with capture_logs() as logs:
        await agent._publish("repair", DONE)
    assert events.stored == stored
    assert {entry["event"] for entry in logs} == {"event_not_stored"}
