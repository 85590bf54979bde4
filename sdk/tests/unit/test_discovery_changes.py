"""The changes of a directory, as one reader gets them."""

from aegis_sdk.changes import Feed, Missed
from aegis_sdk.instances import Instance, InstanceRecord, InstanceStatus, Joined


async def test_a_reader_that_is_too_slow_is_told_how_much_it_missed() -> None:
    feed = Feed()
    record = InstanceRecord(service="quotes", instance="a")
    joined = Joined(Instance(record, InstanceStatus.ACTIVE, 0.0, confirmed=True))
    for _ in range(5000):
        feed.put(joined)
    assert await anext(feed) == Missed(4096)
    assert await anext(feed) == joined
