"""What a machine may not let us do: a test that needs it is skipped by name, never in silence."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class NotPermitted(Exception):
    """This machine does not let us do that; the message says what, and what would help."""


@contextmanager
def permitted(what: str) -> Iterator[None]:
    """Skip, and say so among the warnings, where the machine does not allow it."""
    try:
        yield
    except NotPermitted as error:
        warnings.warn(f"not tested on this machine: {what}: {error}", stacklevel=3)
        pytest.skip(f"{what} is not possible here: {error}")
