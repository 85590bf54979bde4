"""`aegis order`, `aegis positions`, `aegis account` and `aegis trading`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from aegis.cli.call import NOT_EXECUTED, UNKNOWN
from aegis.cli.console import AsJson, fail, print_json, print_lines
from aegis.cli.desk import connect, run
from aegis.cli.refusals import explained, in_words

if TYPE_CHECKING:
    from aegis.contracts.orders import Mode, Order
    from aegis.desk import Desk

__all__ = ["account", "order_app", "positions", "trading_app"]

T = TypeVar("T")

OfAccount = Annotated[
    str, typer.Option("--account", "-a", envvar="AEGIS_ACCOUNT", help="Whose; AEGIS_ACCOUNT, else `paper`.")
]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the answer.")]

order_app = typer.Typer(help="Place, cancel and list orders.", no_args_is_help=True, rich_markup_mode=None)
trading_app = typer.Typer(
    help="Modes of an account, and the ways out of everything.", no_args_is_help=True, rich_markup_mode=None
)


@order_app.command()
def place(
    instrument: Annotated[str, typer.Argument(help="Such as SHFE.rb2605.", show_default=False)],
    side: Annotated[Literal["buy", "sell"], typer.Argument(show_default=False)],
    volume: Annotated[int, typer.Argument(min=1, help="Lots.", show_default=False)],
    price: Annotated[str, typer.Argument(help="Needed but for market orders.")] = "",
    offset: Annotated[Literal["open", "close", "close_today", "close_yesterday"], typer.Option()] = "open",
    split: Annotated[
        Literal["today_first", "yesterday_first", "lock"] | None, typer.Option(help="With close: chooses the lots.")
    ] = None,
    hedge: Annotated[
        Literal["speculation", "arbitrage", "hedge"],
        typer.Option(help="What it is for; a close closes lots of the same."),
    ] = "speculation",
    kind: Annotated[Literal["limit", "market", "fak", "fok"], typer.Option("--type")] = "limit",
    strategy: Annotated[str, typer.Option(help="Whose idea it is.")] = "",
    name: Annotated[str, typer.Option("--id", help="The client_order_id; asked again with it, it is done once.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Place an order. It ends with 1 where it is refused, 3 where nothing was done, 4 where nobody knows.

    For example: aegis order place SHFE.rb2605 buy 2 3100
    """
    import secrets

    _check_instrument(instrument)
    _check_price(price)
    name = name or secrets.token_hex(8)

    async def work(desk: Desk) -> list[Order]:
        return await desk.place(
            instrument,
            side,
            volume,
            price=price or None,
            offset=offset,
            split=split,
            type=kind,
            hedge=hedge,
            strategy_id=strategy,
            client_order_id=name,
        )

    _show_orders(_done(of, timeout, work, again=f"aegis order place with --id {name}"), as_json)


@order_app.command()
def cancel(
    name: Annotated[str, typer.Argument(metavar="CLIENT_ORDER_ID", show_default=False)],
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Ask the venue to cancel an order. It ends with 1 where that is refused, 3 where it was not sent, 4 as `place`."""
    _show_orders([_done(of, timeout, lambda desk: desk.cancel(name), again="the same")], as_json)


@order_app.command("cancel-all")
def cancel_all(of: OfAccount = "paper", timeout: Timeout = 10.0, as_json: AsJson = False) -> None:
    """Ask the venue to cancel each order that works now. The mode stays: `aegis trading kill` ends everything.

    It ends with 1 where it could not be asked for one of them.
    """
    asked, failed = _done(of, timeout, lambda desk: desk.cancel_all(), again="the same")
    if as_json:
        print_json({"asked": asked, "failed": {name: str(error) for name, error in failed.items()}})
    else:
        print(f"{of}: {len(asked)} orders asked to be cancelled")
        for name, error in failed.items():
            print(f"NOT {name}: {error}")
    if failed:
        raise typer.Exit(1)


@order_app.command("list")
def list_orders(
    working: Annotated[bool, typer.Option("--working", "-w", help="Only those that may still trade.")] = False,
    instrument: Annotated[str, typer.Option("--instrument", "-i")] = "",
    strategy: Annotated[str, typer.Option(help="Only this one's.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """List the orders of the trading day."""
    _check_instrument(instrument, "--instrument")

    async def work(desk: Desk) -> list[Order]:
        return await desk.orders(working=working, instrument=instrument, strategy_id=strategy)

    _show_orders(_done(of, timeout, work), as_json)


def positions(
    instrument: Annotated[str, typer.Argument(help="Only this one.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Show the positions of an account, marked at the latest prices."""
    _check_instrument(instrument)
    found = _done(of, timeout, lambda desk: desk.positions(instrument))
    if as_json:
        print_json([one.model_dump(mode="json") for one in found])
        return
    if not found:
        print(f"{of} holds nothing" + (f" of {instrument}" if instrument else ""))
        return
    numbers = ("TODAY", "YESTERDAY", "FROZEN", "MARGIN", "PROFIT", "CLOSED")
    print_lines(
        ("INSTRUMENT", "DIRECTION", "HEDGE", *numbers),
        [
            (
                *(one.instrument, one.direction, one.hedge, str(one.today), str(one.yesterday)),
                str(one.frozen_today + one.frozen_yesterday),
                *(f"{money:.2f}" for money in (one.margin, one.position_profit, one.close_profit)),
            )
            for one in found
        ],
        right=numbers,
    )


def account(of: OfAccount = "paper", timeout: Timeout = 5.0, as_json: AsJson = False) -> None:
    """Show an account's money, mode and trading day."""
    _show_account(_done(of, timeout, lambda desk: desk.account()), as_json)


@trading_app.command()
def mode(
    what: Annotated[Literal["normal", "close_only", "cancel_only", "halted"], typer.Argument(show_default=False)],
    arm: Annotated[
        bool | None,
        typer.Option("--arm/--disarm", help="The same as `arm` and `disarm`, in one step."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Is kept with the change.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Set what an account may do."""
    _set_mode(what, arm, reason, of, timeout, as_json)


@trading_app.command()
def arm(
    reason: Annotated[str, typer.Option(help="Is kept with the change.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Let a live account send orders on this trading day, as far as its mode allows; that stays as it is."""
    _set_mode(None, True, reason, of, timeout, as_json)


@trading_app.command()
def disarm(
    reason: Annotated[str, typer.Option(help="Is kept with the change.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
    as_json: AsJson = False,
) -> None:
    """Let a live account send no more orders, before its trading day ends; its mode stays as it is."""
    _set_mode(None, False, reason, of, timeout, as_json)


@trading_app.command()
def kill(
    reason: Annotated[str, typer.Option(help="Is kept with the change.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Halt an account and cancel its orders. Positions stay; ends with 1 where a cancel has not got through yet.

    The account goes on asking for those until they work no more.
    """
    reply = _done(of, timeout, lambda desk: desk.kill(reason), again="the same")
    if as_json:
        print_json(reply.model_dump(mode="json"))
    else:
        print(
            f"{of} is halted; {len(reply.asked)} orders cancelled" + "".join(f", NOT YET {one}" for one in reply.failed)
        )
    if reply.failed:
        raise typer.Exit(1)


@trading_app.command()
def flatten(
    instruments: Annotated[list[str] | None, typer.Argument(metavar="[INSTRUMENT]...", help="Else all.")] = None,
    confirm: Annotated[str, typer.Option(help="The account's name, in place of the question.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Close positions at once, at whatever the collar allows. A halted account is set to `close_only` first."""
    confirmed = confirm or typer.prompt(f"All positions of {of} will be closed. Its name, to confirm")
    reply = _done(of, timeout, lambda desk: desk.flatten(confirmed, instruments or ()), again="aegis positions first")
    if as_json:
        print_json(reply.model_dump(mode="json"))
    else:
        _show_orders(reply.orders, False)
        for instrument, refused in reply.refused.items():
            reason, _, detail = refused.partition(": ")
            print(f"not {instrument}: {in_words(reason, detail)}")
    if reply.refused:
        raise typer.Exit(1)


@trading_app.command("take-books")
def take_books(
    confirm: Annotated[str, typer.Option(help="The account's name, in place of the question.")] = "",
    reason: Annotated[str, typer.Option(help="Is kept with the change.")] = "",
    key: Annotated[str, typer.Option(help="Of its new group, where the accounts file has given it another one.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 10.0,
    as_json: AsJson = False,
) -> None:
    """Take the venue's positions and money for ours, where they differ and it is right; ends with 1 if some still do.

    Where the accounts file gives the account another env than it has, it begins anew in that one. So does one that it
    gives another group, with --key: halted, and only when nobody trades it under its old key any more.
    """
    confirmed = confirm or typer.prompt(f"What {of} has is replaced by what its venue says. Its name, to confirm")
    reply = _done(of, timeout, lambda desk: desk.take_books(confirmed, reason), again="the same", key=key)
    if as_json:
        print_json(reply.model_dump(mode="json"))
    else:
        print(f"{of} has the books of its venue: {reply.verdict}")
        for one in reply.differences:
            print(f"{one.what} {one.of} {one.field}: {one.ours} here, {one.theirs} at the venue")
    if reply.differences:
        raise typer.Exit(1)


@trading_app.command()
def statement(
    day: Annotated[str, typer.Argument(metavar="[YYYYMMDD]", help="The trading day; else this one.")] = "",
    of: OfAccount = "paper",
    timeout: Timeout = 5.0,
) -> None:
    """Print the settlement statement that was confirmed on a trading day: that of the day before."""
    if day and not (len(day) == 8 and day.isdecimal()):
        raise typer.BadParameter(f"{day} is no day written YYYYMMDD", param_hint="[YYYYMMDD]")
    text = _done(of, timeout, lambda desk: desk.statement(day))
    print(text or f"the venue of {of} has no statements")


def _set_mode(mode: Mode | None, armed: bool | None, reason: str, of: str, timeout: float, as_json: bool) -> None:
    state = _done(of, timeout, lambda desk: desk.set_mode(mode, armed=armed, reason=reason), again="the same")
    _show_account(state, as_json)


def _check_instrument(instrument: str, of: str = "INSTRUMENT") -> None:
    """Nothing is found under a symbol alone, which is easily typed."""
    from pydantic import TypeAdapter, ValidationError

    from aegis.contracts.orders import InstrumentName

    try:
        if instrument:
            TypeAdapter(InstrumentName).validate_python(instrument)
    except ValidationError:
        raise typer.BadParameter(f"{instrument} is not written as SHFE.rb2605", param_hint=of) from None


def _check_price(price: str) -> None:
    from decimal import Decimal, InvalidOperation

    try:
        is_one = not price or Decimal(price) > 0
    except InvalidOperation:
        is_one = False
    if not is_one:
        raise typer.BadParameter(f"{price} is no price above 0", param_hint="PRICE")


def _done(of: str, timeout: float, work: Callable[[Desk], Awaitable[T]], again: str = "", key: str = "") -> T:
    """What the desk answered; ends the command where there is no answer."""
    from pydantic import ValidationError

    from aegis.contracts.trading import CancelRefused, OrderExpired, OrderRejected, VenueUnavailable
    from aegis_sdk.errors import NotExecuted, OutcomeUnknown

    async def asked() -> T:
        from aegis.desk import Desk

        async with connect() as transport, Desk.over(transport, of, timeout, key) as desk:
            return await work(desk)

    try:
        return run(asked())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        says = first["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc'])) or 'the order'}: {says}") from None
    except OrderRejected as error:
        fail(explained(error))
    except CancelRefused as error:
        fail(f"REFUSED: {error}")
    except (NotExecuted, VenueUnavailable) as error:
        fail(f"NOT EXECUTED: {error}. Nothing was done", NOT_EXECUTED)
    except OutcomeUnknown as error:
        fail(f"UNKNOWN: {error}. Ask again: {again}", UNKNOWN)
    except OrderExpired as error:
        fail(f"UNKNOWN: {error}. Its day has ended: see the venue's statement", UNKNOWN)


def _show_orders(orders: Sequence[Order], as_json: bool) -> None:
    if as_json:
        print_json([one.model_dump(mode="json") for one in orders])
        return
    if not orders:
        print("no orders")
        return
    rows = [
        (
            *(one.client_order_id, one.instrument, one.side, one.offset, one.type),
            *("any" if one.price is None else f"{one.price.normalize():f}", f"{one.filled}/{one.volume}", one.status),
            one.reason or one.text or "-",
        )
        for one in orders
    ]
    columns = ("ID", "INSTRUMENT", "SIDE", "OFFSET", "TYPE", "PRICE", "FILLED", "STATUS", "WHY")
    print_lines(columns, rows, right=("PRICE", "FILLED"))


def _show_account(state: Any, as_json: bool) -> None:
    if as_json:
        print_json(state.model_dump(mode="json"))
        return
    armed = "" if state.armed else ", disarmed"
    print(f"{state.account} ({state.env}) on {state.trading_day}: {state.mode}{armed}")
    names = ("balance", "available", "margin", "frozen_margin", "position_profit", "close_profit", "commission")
    print_lines(("YUAN", ""), [(name.replace("_", " "), f"{getattr(state, name):.2f}") for name in names], right=("",))
