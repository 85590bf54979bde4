"""`aegis env`."""

from __future__ import annotations

import shlex

from aegis.cli.console import AsJson, print_json
from aegis.cli.desk import NoDesk, local_run, state_directory


def env(as_json: AsJson = False) -> None:
    """Print how a program of yours joins the desk of this directory: eval "$(aegis env)"."""
    nats = local_run(state_directory()).nats
    if nats is None:
        raise NoDesk("the desk is just starting: try again in a moment")
    variables = {
        "AEGIS_NATS_URL": ",".join(nats.urls),
        "AEGIS_NATS_USER": nats.user,
        "AEGIS_NATS_PASSWORD_FILE": str(nats.password_file),
        "AEGIS_NATS_REPLICAS": str(len(nats.urls)),
    }
    if as_json:
        return print_json(variables)
    return print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
