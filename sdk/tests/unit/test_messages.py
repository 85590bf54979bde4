"""What travels is immutable, and its headers have the names that other people rely on."""

import pytest

from aegis_sdk import messages
from aegis_sdk.messages import Message, StoredMessage


def test_a_message_needs_a_subject_and_a_payload_only() -> None:
    message = Message("a", b"1")
    assert (message.headers, message.reply) == ({}, "")


@pytest.mark.parametrize("message", [Message("a", b"1"), StoredMessage("a", b"1", {}, 1, 2)])
def test_a_message_does_not_change(message: object) -> None:
    with pytest.raises(AttributeError):
        message.payload = b"2"  # type: ignore[attr-defined]


def test_header_names_are_spelled_as_others_expect_them() -> None:
    """NATS compares header names by case."""
    assert messages.CODEC == "Aegis-Codec"
    assert messages.TIMEOUT_MS == "Aegis-Timeout-Ms"
    assert messages.IDEMPOTENCY_KEY == "Aegis-Idempotency-Key"
    assert messages.EPOCH == "Aegis-Epoch"
    assert messages.TRACEPARENT == "traceparent"
    assert messages.ERROR_CODE == "Nats-Service-Error-Code"
    assert messages.ERROR == "Nats-Service-Error"
    assert (messages.STATUS, messages.NO_RESPONDERS) == ("Status", "503")
