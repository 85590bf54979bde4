"""The `aegis` command."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from aegis.cli.bench import bench_app
from aegis.cli.call import call
from aegis.cli.config import config_app
from aegis.cli.console import fail
from aegis.cli.continuous import continuous
from aegis.cli.contracts import contracts
from aegis.cli.doctor import doctor, version
from aegis.cli.env import env
from aegis.cli.feeds import feeds
from aegis.cli.handover import drain, handover, maintenance
from aegis.cli.health import health
from aegis.cli.leases import leases
from aegis.cli.listings import instances, services
from aegis.cli.logs import logs
from aegis.cli.ps import ps
from aegis.cli.query import query
from aegis.cli.record import record
from aegis.cli.reset_password import reset_password
from aegis.cli.snapshot import snapshot
from aegis.cli.subscriptions import subscribe, subscriptions, unsubscribe
from aegis.cli.ticks import ticks
from aegis.cli.trading import account, order_app, positions, trading_app
from aegis.cli.up import down, up
from aegis_sdk.errors import AegisError, RpcError

_ClickException: Any = typer.BadParameter.__mro__[2]  # of the click that this typer uses, be it its own copy


class _Commands(TyperGroup):
    """Ends with one line on standard error, whatever goes wrong: 2 for wrong usage, 130 for Ctrl-C, 1 for all else.

    Of `aegis health` wrong usage is 3: its 2 says that a feed is in a critical state.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except _ClickException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                sys.stdout.write(f"{error.message}\n")
                sys.exit(0)
            where = error.ctx.command_path if getattr(error, "ctx", None) else "aegis"
            code = 3 if where == "aegis health" else error.exit_code
            fail(f"{error.format_message().rstrip('.')}; see `{where} --help`", code)
        except typer.Abort:
            sys.exit(130)
        except Exception as error:
            if os.environ.get("AEGIS_DEBUG") and not isinstance(error, AegisError):
                raise
            fail(_explained(error))
        sys.exit(code if isinstance(code, int) else 0)


def _explained(error: Exception) -> str:
    """One line. Of a group of errors, which is what ends tasks that run together, the first counts."""
    match error:
        case ExceptionGroup(exceptions=[first, *_]):
            return _explained(first)
        case RpcError():
            details = {name: value for name, value in error.details.items() if name != "code"}
            more = f" {json.dumps(details, ensure_ascii=False, default=str)}" if details else ""
            return f"{error.details.get('code', error.code)}: {error}{more}"
        case AegisError():
            return str(error).splitlines()[0]
        case _:
            return f"unexpected {type(error).__name__}: {error} (AEGIS_DEBUG=1 shows where)"


app = typer.Typer(
    name="aegis",
    cls=_Commands,
    help="A trading desk as small services on NATS. Begin with `aegis up`.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (
    *(up, down, ps, logs, doctor, services, instances, leases, handover, drain, maintenance),
    *(ticks, snapshot, record, query, feeds, contracts, continuous, subscribe, unsubscribe, subscriptions),
    *(positions, account, health, call, env, reset_password, version),
):
    app.command()(command)
app.add_typer(order_app, name="order")
app.add_typer(trading_app, name="trading")
app.add_typer(config_app, name="config")
app.add_typer(bench_app, name="bench")
