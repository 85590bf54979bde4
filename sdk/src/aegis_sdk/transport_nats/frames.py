"""The frames of the NATS client protocol that are on the hot path, as pure functions of bytes.

Source: the NATS client protocol reference (PUB, HPUB, MSG, HMSG) and ADR-4 (headers).
"""

from __future__ import annotations

from typing import Final

from aegis_sdk.messages import STATUS, Headers

VERSION: Final = b"NATS/1.0"
DESCRIPTION: Final = "Description"

_CACHEABLE_BYTES: Final = 64
_CACHE_ENTRIES: Final = 256
_cache: dict[bytes, Headers] = {}


def header_block(headers: Headers) -> bytes:
    """The headers as they stand in a frame; empty for none.

    Raises ValueError for a name or value that would break the frame.
    """
    if not headers:
        return b""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\r") != len(headers) or text.count("\n") != len(headers):
        raise ValueError("a header holds a line break")
    return b"NATS/1.0\r\n" + text.encode() + b"\r\n"


def parse_headers(block: bytes) -> Headers:
    """The headers of a received block; its inline status, where there is one, as `Status` and `Description`."""
    cached = _cache.get(block)
    if cached is not None:
        return cached
    first, *lines = block.decode("utf-8", "replace").split("\r\n")
    headers: dict[str, str] = {}
    if len(first) > len(VERSION):
        headers[STATUS], _, headers[DESCRIPTION] = first[len(VERSION) :].strip().partition(" ")
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    if len(block) <= _CACHEABLE_BYTES:
        if len(_cache) >= _CACHE_ENTRIES:
            _cache.clear()
        _cache[block] = headers
    return headers


def publication(subject: str, payload: bytes, block: bytes, reply: str) -> bytes:
    """One PUB or HPUB frame; `block` is a `header_block`."""
    to = f"{subject} {reply}" if reply else subject
    if block:
        return b"HPUB %b %d %d\r\n%b%b\r\n" % (to.encode(), len(block), len(block) + len(payload), block, payload)
    return b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(payload), payload)
