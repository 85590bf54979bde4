"""Where the key-value buckets have what is stored of an account beside its journal."""

from __future__ import annotations

from typing import Final

__all__ = ["STATEMENTS", "group_name", "risk_name", "statement_name"]

STATEMENTS: Final = "aegis_statements"
"""The bucket of settlement statements."""


def group_name(account: str) -> str:
    """Where `aegis_config` says which group, hence which key of the service, an account belongs to."""
    return f"trading.{account}.group"


def risk_name(account: str) -> str:
    """Where `aegis_config` has an account's risk settings."""
    return f"trading.{account}.risk"


def statement_name(account: str, day: str) -> str:
    """Where it has the one that was confirmed on a trading day, which is that of the day before."""
    return f"{account}.{day}"
