"""Optimistic concurrency: an ETag is the revision of a KV key, and who writes says which one he has seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Header, Response
from pydantic import BaseModel

from aegis.management.problems import Problem

__all__ = ["IfMatch", "changed", "revision_of", "tag"]

_LONGEST: Final = 19
IfMatch = Annotated[
    str | None,
    Header(description='The ETag of what is to be changed: `"12"`', max_length=32, examples=['"12"']),
]


def tag(response: Response, revision: int) -> None:
    response.headers["ETag"] = f'"{revision}"'


def revision_of(if_match: str | None) -> int:
    """The revision that an If-Match names. Raises Problem where it is missing, or names none."""
    if if_match is None:
        raise Problem("precondition_needed", "if_match_missing")
    number = if_match.removeprefix("W/").strip('"')
    if not number.isascii() or not number.isdecimal() or len(number) > _LONGEST or not int(number):
        raise Problem("precondition_needed", "if_match_malformed")
    return int(number)


def changed(current: BaseModel | None, revision: int, yours: Mapping[str, Any]) -> Problem:
    """What it is now, next to what was wanted."""
    return Problem(
        "changed",
        "changed_by_another" if current is not None else "gone",
        current=None if current is None else current.model_dump(mode="json"),
        revision=revision,
        yours=dict(yours),
    )
