"""Frames and the parser: what is written is what is read, however the bytes arrive."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from aegis_sdk.messages import Message
from aegis_sdk.transport_nats.frames import header_block, parse_headers, publication
from aegis_sdk.transport_nats.parser import DirectParser

_names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
_values = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs", "Cc", "Zs"]), max_size=20)


class ControlLines:
    """Stands for nats-py's parser; keeps the lines it is given."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def reset(self) -> None:
        self.lines.clear()

    async def parse(self, data: bytes = b"") -> None:
        self.lines.append(data)


def delivery(sid: int, message: Message) -> bytes:
    """The frame by which a server delivers a message."""
    block = header_block(message.headers)
    reply = f" {message.reply}" if message.reply else ""
    if block:
        sizes = f"{len(block)} {len(block) + len(message.payload)}"
        return f"HMSG {message.subject} {sid}{reply} {sizes}\r\n".encode() + block + message.payload + b"\r\n"
    return f"MSG {message.subject} {sid}{reply} {len(message.payload)}\r\n".encode() + message.payload + b"\r\n"


def parse_in_pieces(data: bytes, cuts: list[int]) -> tuple[list[Message], list[bytes]]:
    control = ControlLines()
    parser = DirectParser(control)
    seen: list[Message] = []
    parser.route(7, seen.append)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})

    async def feed() -> None:
        for start, end in pairwise(edges):
            await parser.parse(data[start:end])

    asyncio.run(feed())
    return seen, control.lines


messages = st.builds(
    Message,
    subject=st.just("tick.SHFE.rb2505"),
    payload=st.binary(max_size=60),
    headers=st.dictionaries(_names, _values, max_size=3),
    reply=st.sampled_from(["", "_INBOX.a.1"]),
)


@given(st.lists(messages, max_size=6), st.lists(st.integers(0, 2000), max_size=8))
def test_messages_are_the_same_however_the_bytes_are_cut(sent: list[Message], cuts: list[int]) -> None:
    data = b"".join(delivery(7, message) + b"PING\r\n" for message in sent)
    seen, lines = parse_in_pieces(data, cuts)
    assert seen == sent
    assert lines == [b"PING\r\n"] * len(sent)


def test_a_message_of_an_ended_subscription_is_passed_over() -> None:
    ours, others = Message("a", b"1"), Message("b", b"2")
    seen, _ = parse_in_pieces(delivery(8, others) + delivery(7, ours), [])
    assert seen == [ours]


def test_a_handler_that_raises_stops_no_message_behind_it() -> None:
    parser = DirectParser(ControlLines())
    seen: list[Message] = []

    def handler(message: Message) -> None:
        seen.append(message)
        raise RuntimeError("planted")

    parser.route(7, handler)
    asyncio.run(parser.parse(delivery(7, Message("a", b"1")) + delivery(7, Message("a", b"2"))))
    assert [message.payload for message in seen] == [b"1", b"2"]


@pytest.mark.parametrize("line", [b"MSG a x 3\r\nabc\r\n", b"MSG a\r\n", b"HMSG a 1 z 4\r\n"])
def test_what_is_not_the_protocol_ends_the_session(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_in_pieces(line, [])


def test_a_line_without_an_end_is_bounded() -> None:
    with pytest.raises(ProtocolError):
        parse_in_pieces(b"x" * 70_000, [])


def test_an_inline_status_becomes_headers() -> None:
    assert parse_headers(b"NATS/1.0 503\r\n\r\n")["Status"] == "503"
    headers = parse_headers(b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n")
    assert headers["Status"] == "100"
    assert headers["Description"] == "Idle Heartbeat"
    assert headers["Nats-Last-Consumer"] == "7"


@pytest.mark.parametrize("headers", [{"A": "1\r\nB: 2"}, {"A\r\n": "1"}, {"A": "1\n"}])
def test_a_header_cannot_smuggle_another_line(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        header_block(headers)


def test_a_publication_counts_its_bytes() -> None:
    assert publication("a.b", b"xyz", b"", "") == b"PUB a.b 3\r\nxyz\r\n"
    block = header_block({"K": "v"})
    assert publication("a", b"xyz", block, "r") == b"HPUB a r 18 21\r\nNATS/1.0\r\nK: v\r\n\r\nxyz\r\n"
