"""What somebody should look at, of an account that is traded."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.orders import AccountName

__all__ = ["ALERT", "Alert"]

ALERT: Final = "alert"


class Alert(BaseModel):
    """Event `event.trading.<account>.alert`: somebody should look. Not numbered: it changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: AccountName
    what: Literal["mismatch", "not_compared", "settlement", "adopted", "late", "count", "note", "fault"]
    text: Annotated[str, Field(max_length=1000)]
    ts_ns: int
