"""`aegis reset-password`."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis.cli.console import AsJson, fail, print_json
from aegis.cli.desk import connect, run


def reset_password(
    user: Annotated[str, typer.Argument(help="Of the management service.")] = "admin", as_json: AsJson = False
) -> None:
    """Make a new password up for a user of the management service, e.g. where the first one was lost.

    It is shown this once, and must be changed at the next sign-in. The user's sessions end.
    """
    password = run(_reset(user))
    if password is None:
        fail(f"there is no user {user}")
    if as_json:
        return print_json({"user": user, "password": password})
    return print(f"user {user}, password {password}")


async def _reset(name: str) -> str | None:
    from datetime import UTC, datetime

    from aegis.management.access.passwords import Passwords, made_up
    from aegis.management.access.users import Users
    from aegis.management.audit import Trail, of_this_machine
    from aegis_sdk.errors import Unavailable

    async with connect() as transport:
        users, trail = Users(transport), Trail(transport, "aegis")
        stored = await users.get(name) if name else None
        if stored is None:
            return None
        password = made_up()
        async with trail.action(of_this_machine("command line"), "reset_password", name):
            user = stored.user.given(await Passwords().hashed(password), datetime.now(UTC))
            await users.replace(user, stored.revision)
        if not await trail.stored():
            raise Unavailable("the password is another one now, but the audit trail cannot be written: try again later")
        return password
