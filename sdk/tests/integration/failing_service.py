"""A program whose work fails, and whose stopping fails too; settings in the environment."""

from aegis_sdk.program import run
from aegis_sdk.service import Service


class Failing(Service):
    name = "failing"

    async def run(self) -> None:
        raise LookupError("the real cause")

    async def on_stop(self) -> None:
        raise OSError("what was there already is broken")


run(Failing())
