"""What an instance says of its load, out of what it counts anyway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aegis_sdk import sampling, subjects
from aegis_sdk.endpoint import Endpoint
from aegis_sdk.errors import Overloaded, StreamError
from aegis_sdk.figures import Figures
from aegis_sdk.histogram import Histogram, quantile
from aegis_sdk.instances import InstanceRecord
from aegis_sdk.messages import StoredMessage
from aegis_sdk.method import Method
from aegis_sdk.metrics import Metric, counter, gauge, histogram
from aegis_sdk.samples import MAX_BYTES, Sample, written
from aegis_sdk.sampling import Sampler, sampled
from aegis_sdk.transport_memory import MemoryBroker, MemoryTransport

BOUNDS = (0.001, 0.01, 0.1)


class World:
    """Figures of an instance whose counters the test moves."""

    def __init__(self) -> None:
        self.record = InstanceRecord(service="echo", instance="echo-1")
        self.endpoint = _endpoint("say")
        self.endpoints = [("any", self.endpoint), ("any", _endpoint("idle"))]
        self.admission = SimpleNamespace(at_work=3, waiting=4)
        self.lag = SimpleNamespace(histogram=Histogram(BOUNDS))
        self.words = 0
        self.took = Histogram(BOUNDS)

    def own(self) -> Iterable[Metric]:
        yield counter("aegis_echo_words_total", "Words.", {("long",): self.words}, ("kind",))
        yield gauge("aegis_echo_depth", "Depth.", 7)
        yield histogram("aegis_echo_seconds", "Seconds.", self.took)

    @property
    def figures(self) -> Figures:
        return cast(Figures, self)


def _endpoint(name: str) -> Endpoint:
    async def handler(_: Any) -> None: ...

    return Endpoint(name, Method("echo", name, BaseModel, BaseModel), handler, wants_context=False)


@pytest.fixture
def world() -> World:
    return World()


def test_a_sample_tells_what_came_since_the_one_before(world: World) -> None:
    world.endpoint.succeeded(5.0)
    world.words = 1_000
    sampler = Sampler(world.figures, 100.0, 1.0)
    sampler.take(102.0, 1.5)
    for _ in range(98):
        world.endpoint.succeeded(0.0015)
    world.endpoint.failed(Overloaded("full"), 0.0)
    world.endpoint.failed(Overloaded("late"), 0.09)
    world.words += 50
    world.took.observe(0.05)
    world.lag.histogram.observe(0.002)
    sample = sampler.take(106.0, 2.5)
    assert (sample.service, sample.instance, sample.incarnation) == ("echo", "echo-1", world.record.incarnation)
    assert (sample.seconds, sample.calls_per_s, sample.errors_per_s) == (4.0, 25.0, 0.5)
    assert sample.p50_ms == pytest.approx(1.5, abs=0.01)
    assert sample.p99_ms == pytest.approx(50.5, abs=50)
    assert (sample.running, sample.waiting, sample.cpu) == (3, 4, 0.25)
    assert sample.loop_lag_p99_ms == pytest.approx(9.91)
    assert sample.memory_bytes > 10_000_000
    assert [(one.to, one.method, one.calls_per_s) for one in sample.methods] == [("any", "say", 25.0)]
    assert sample.own == {
        'aegis_echo_words_total{kind="long"}': 12.5,
        "aegis_echo_depth": 7.0,
        "aegis_echo_seconds_p50": 0.055,
        "aegis_echo_seconds_p99": 0.0991,
    }


def test_an_idle_instance_has_no_quantiles_and_names_no_method(world: World) -> None:
    sample = Sampler(world.figures, 100.0, 1.0).take(102.0, 1.0)
    assert (sample.calls_per_s, sample.p50_ms, sample.p99_ms, sample.loop_lag_p99_ms) == (0.0, None, None, None)
    assert sample.methods == ()
    assert sample.own == {'aegis_echo_words_total{kind="long"}': 0.0, "aegis_echo_depth": 7.0}


def test_the_last_hour_of_a_thousand_instances_fits_into_the_stream_while_a_method_of_each_is_called(
    world: World,
) -> None:
    """JetStream adds the subject and some 30 bytes to each."""
    sampler = Sampler(world.figures, 100.0, 1.0)
    world.lag.histogram.observe(0.002)
    world.endpoint.succeeded(0.0015)
    sample = sampler.take(102.0, 1.123)
    size = len(written(sample)) + len(subjects.metric(sample.service, sample.instance)) + 30
    assert 1_000 * 1_800 * size < MAX_BYTES
    assert Sample.model_validate_json(written(sample)) == sample


def test_own_figures_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {(str(number),): 1.0 for number in range(500)}
    monkeypatch.setattr(world, "own", lambda: [gauge("aegis_echo_each", "Each.", many, ("one",))])
    assert len(Sampler(world.figures, 100.0, 1.0).take(102.0, 1.0).own) == 100


@given(st.lists(st.floats(min_value=0, max_value=0.1), min_size=1), st.sampled_from([0.5, 0.99, 1.0]))
def test_a_quantile_lies_in_the_interval_of_the_value_that_it_stands_for(values: list[float], share: float) -> None:
    seen = Histogram(BOUNDS)
    for value in values:
        seen.observe(value)
    wanted = share * len(values)
    exact = next(value for place, value in enumerate(sorted(values), 1) if place >= wanted)
    low, high = next((low, high) for low, high in zip((0.0, *BOUNDS), BOUNDS, strict=False) if exact <= high)
    found = quantile(BOUNDS, seen.counts(), share)
    assert found is not None
    assert low <= found <= high


def test_what_is_above_all_bounds_counts_as_the_last_bound() -> None:
    assert quantile(BOUNDS, [0, 0, 0, 5], 0.5) == 0.1
    assert quantile(BOUNDS, [0, 0, 0, 0], 0.5) is None


async def test_samples_are_stored_again_after_what_hindered_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose figures fail goes on, and its samples come once they work."""
    monkeypatch.setattr(sampling, "_EVERY_S", 0.001)
    transport = MemoryTransport(MemoryBroker())
    own, failures = world.own, iter(range(3))

    def failing() -> Iterable[Metric]:
        if next(failures, None) is not None:
            raise ValueError("broken")
        return own()

    monkeypatch.setattr(world, "own", failing)
    async with asyncio.timeout(5.0), sampled(transport, world.figures, 1):
        while (message := await _last(transport)) is None:  # noqa: ASYNC110 (until it has its stream there is nothing to wait for)
            await asyncio.sleep(0.001)
    assert json.loads(message.payload)["instance"] == "echo-1"


async def _last(transport: MemoryTransport) -> StoredMessage | None:
    with suppress(StreamError):
        return await transport.last("METRICS", "metric.echo.echo-1")
    return None
