"""What vnpy asks its user for when a gateway is connected.

Names are those of `aegis env --json`, whose output may be given as it is, with the account. vnpy keeps what is typed
into its terminal in a file, as it is: hence no password, but the file that holds it.

    AEGIS_NATS_URL            nats://host:port, several with commas
    AEGIS_NATS_USER           user name, if the server wants one
    AEGIS_NATS_PASSWORD_FILE  a file that holds its password
    AEGIS_ACCOUNT             the account that is traded
    AEGIS_TIMEOUT_S           how long a call may take, in seconds
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from aegis.contracts.orders import AccountName
from aegis_sdk.config import Settings, validated

__all__ = ["DEFAULTS", "BridgeSettings"]

DEFAULTS: Final[dict[str, str | int | float | bool]] = {
    "AEGIS_NATS_URL": "nats://127.0.0.1:4222",
    "AEGIS_NATS_USER": "",
    "AEGIS_NATS_PASSWORD_FILE": "",
    "AEGIS_ACCOUNT": "paper",
    "AEGIS_TIMEOUT_S": 5.0,
}


class BridgeSettings(BaseModel):
    """Frozen; validated when built."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    nats: Settings
    account: AccountName
    timeout_s: Annotated[float, Field(ge=0.1, le=60)]

    @classmethod
    def from_vnpy(cls, setting: Mapping[str, Any]) -> BridgeSettings:
        """What is left out is as in DEFAULTS. Raises ConfigurationError naming the setting that is wrong."""
        given = {name: str(value).strip() for name, value in {**DEFAULTS, **setting}.items()}
        values = {
            "nats": Settings.from_environment({name: text for name, text in given.items() if "_NATS_" in name}),
            "account": given["AEGIS_ACCOUNT"],
            "timeout_s": given["AEGIS_TIMEOUT_S"],
        }
        return validated(cls, values, shown=lambda field: f"AEGIS_{field.upper()}")
