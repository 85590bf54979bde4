"""What the living instances said last of their load."""

from __future__ import annotations

from aegis.management.stored import read_all
from aegis_sdk import codec, subjects
from aegis_sdk.discovery import Directory
from aegis_sdk.errors import InvalidRequest
from aegis_sdk.messages import StoredMessage
from aegis_sdk.samples import METRICS, Sample
from aegis_sdk.transport import Transport

__all__ = ["EVERYBODY", "latest", "living", "sample_of"]

EVERYBODY = subjects.metric(subjects.ANY, subjects.ANY)


async def latest(transport: Transport, directory: Directory) -> dict[tuple[str, str], Sample]:
    """By service and instance."""
    found = [sample_of(one) async for one in read_all(transport, METRICS, EVERYBODY, last_per_subject=True)]
    return living({(one.service, one.instance): one for one in found if one is not None}, directory)


def sample_of(message: StoredMessage) -> Sample | None:
    """None for what is not one of this version."""
    try:
        return codec.decode_model(Sample, message.payload)
    except InvalidRequest:
        return None


def living(samples: dict[tuple[str, str], Sample], directory: Directory) -> dict[tuple[str, str], Sample]:
    """Those of instances that are alive, and not of one before with the same name."""
    records = {(one.record.service, one.record.instance): one.record for one in directory.instances()}
    return {
        name: sample
        for name, sample in samples.items()
        if name in records and records[name].incarnation == sample.incarnation
    }
