"""A service for tests of desks: it echoes, refuses on wish, and can be told not to stop."""

import os
import signal

from pydantic import BaseModel

from aegis_sdk import Rejected, Service, rpc, run


class Text(BaseModel):
    text: str


class Refused(Rejected):
    code = "refused"


class Echo(Service):
    name = "echo"

    @rpc
    async def say(self, request: Text) -> Text:
        if request.text == "no":
            raise Refused("it says no", text=request.text)
        return request

    async def on_stop(self) -> None:
        if os.environ.get("ECHO_STUBBORN"):
            signal.pause()


run(Echo())
