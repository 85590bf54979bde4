"""Examples for the OpenAPI document: of what other services have contracts for, and of parameters by their names."""

from __future__ import annotations

from typing import Any, Final, cast

from aegis.management.audit import AuditEntry
from aegis.management.views import LEASE

__all__ = ["MODELS", "PARAMETERS", "add_examples"]

_NS: Final = 1_795_860_000_120_000_000
_AT: Final = "2026-11-28T09:30:00.120Z"
_ENTRY: Final = cast(Any, AuditEntry.model_config)["json_schema_extra"]["examples"][0]
_REFUSED: Final = {"what": "SHFE.nothing", "why": {"code": "not_listed", "places": {}}}

_ORDER: Final = {
    "account": "paper",
    "env": "paper",
    "client_order_id": "7f3a0c1b22d9e455",
    "request_id": "7f3a0c1b22d9e455",
    "strategy_id": "",
    "instrument": "SHFE.rb2605",
    "side": "buy",
    "offset": "open",
    "hedge": "speculation",
    "type": "limit",
    "price": "3100",
    "volume": 2,
    "status": "accepted",
    "filled": 0,
    "traded": 0,
    "turnover": "0",
    "venue_order_id": "41",
    "cancel_asked": False,
    "adopted": False,
    "reason": "",
    "text": "",
    "trading_day": "20261128",
    "ts_created_ns": _NS,
    "ts_accepted_ns": _NS + 900_000,
    "ts_updated_ns": _NS + 900_000,
}
_TRADE: Final = {
    **{name: _ORDER[name] for name in ("account", "env", "client_order_id", "strategy_id", "venue_order_id")},
    **{name: _ORDER[name] for name in ("instrument", "side", "offset", "hedge", "price", "trading_day")},
    "trade_id": "7",
    "volume": 1,
    "commission": "3.1",
    "close_profit": "0",
    "ts_exchange_ns": _NS,
}
_POSITION: Final = {
    "account": "paper",
    "instrument": "SHFE.rb2605",
    "direction": "long",
    "hedge": "speculation",
    "today": 1,
    "yesterday": 0,
    "frozen_today": 0,
    "frozen_yesterday": 0,
    "position_cost": "31000",
    "open_cost": "31000",
    "margin": "4030",
    "position_profit": "20",
    "close_profit": "0",
    "commission": "3.1",
}
_ACCOUNT: Final = {
    "account": "paper",
    "env": "paper",
    "trading_day": "20261128",
    "mode": "normal",
    "armed": False,
    "pre_balance": "1000000",
    "deposit": "0",
    "withdraw": "0",
    "close_profit": "0",
    "position_profit": "20",
    "commission": "3.1",
    "margin": "4030",
    "frozen_margin": "0",
    "frozen_commission": "0",
    "balance": "1000016.9",
    "available": "995986.9",
}
_TICK: Final = {
    "env": "sim",
    "feed": "main",
    "source": "simulated",
    "session": "s1",
    "epoch": 3,
    "sequence": 41,
    "exchange": "SHFE",
    "symbol": "rb2605",
    "trading_day": "20261128",
    "action_day": "20261128",
    "ts_exchange_ns": _NS,
    "ts_received_ns": _NS + 400_000,
    "last_price": 3102.0,
    "open_price": 3090.0,
    "high_price": 3110.0,
    "low_price": 3088.0,
    "pre_close_price": 3091.0,
    "pre_settlement_price": 3092.0,
    "settlement_price": None,
    "upper_limit_price": 3400.0,
    "lower_limit_price": 2780.0,
    "volume": 120_000,
    "turnover": 3.72e9,
    "volume_delta": 4,
    "turnover_delta": 124_080.0,
    "open_interest": 900_000.0,
    "pre_open_interest": 890_000.0,
    "bids": [[3101.0, 12]],
    "asks": [[3102.0, 9]],
    "flags": [],
}
_EXCHANGE: Final = {
    "exchange": "SHFE",
    "phase": "trading",
    "wanted": 300,
    "subscribed": 300,
    "due": 280,
    "covered": 280,
    "ticked": 280,
    "coverage": 1.0,
    "verdicts": {"ticking": 280},
}

_VALUE: Final = {
    "key": "trading.A1.group",
    "revision": 4,
    "created_at": "2026-11-28T09:00:00Z",
    "size": 5,
    "encoding": "text",
    "value": "desks",
}

MODELS: Final[dict[str, Any]] = {
    "Account": _ACCOUNT,
    "AuditPage": {"entries": [_ENTRY], "next": None},
    "Bars": {
        "instrument": "SHFE.rb2605",
        "period": "1m",
        "bars": [
            {
                "begin": "2026-11-28T09:30:00Z",
                "trading_day": "20261128",
                "action_day": "20261128",
                "open": 3100.0,
                "high": 3103.0,
                "low": 3099.0,
                "close": 3102.0,
                "volume": 410,
                "turnover": 1.27e7,
                "open_interest": 900_000.0,
                "ticks": 118,
            }
        ],
        "cut": False,
    },
    "FeedStatus": {
        "feed": "main",
        "instance": "marketdata-1",
        "role": "active",
        "source": "simulated",
        "session": "s1",
        "epoch": 3,
        "state": "ready",
        "why": [],
        "codec": "msgpack",
        "instruments": 900,
        "listings": 1,
        "wanted": 300,
        "subscribed": 300,
        "ticking": 280,
        "refused": 0,
        "received": 120_000,
        "conflated": 0,
        "rejected": {},
        "unserializable": 0,
        "published": 120_000,
        "stored": 120_000,
        "waiting": 0,
        "held": 0,
        "left": 0,
        "republished": 0,
        "repairs": 0,
        "lost": 0,
        "lost_sent": 0,
        "lost_most": [],
    },
    "FirstPassword": {
        "user": {
            "name": "anna",
            "role": "operator",
            "enabled": True,
            "must_change": True,
            "created_at": "2026-11-28T09:00:00Z",
            "changed_at": "2026-11-28T09:00:00Z",
            "revision": 4,
        },
        "password": "abcde-fghjk-mnpqr-stuvw-xyz23",
    },
    "FlattenReply": {"orders": [_ORDER], "refused": {"SHFE.hc2605": "no_price"}},
    "HealthReport": {
        "feed": "main",
        "level": "healthy",
        "exit_code": 0,
        "why": [],
        "checked_at": _AT,
        "market_time": _AT,
        "agent_epoch": 2,
        "repairs_on": True,
        "in_all": _EXCHANGE,
        "exchanges": [_EXCHANGE],
        "instances": [
            {
                "instance": "marketdata-1",
                "status": "ACTIVE",
                "holds": True,
                "session": "s1",
                "state": "ready",
                "why": [],
            }
        ],
        "cases": [],
        "universe": {
            "listed": 901,
            "expected": 900,
            "expired": [],
            "unexpected": 1,
            "named_unexpected": ["SHFE.new2612"],
            "not_listed": 0,
            "named_not_listed": [],
            "missing": 0,
            "named_missing": [],
        },
        "repairs": [],
        "escalated": [],
    },
    "InstrumentsReply": {
        "instruments": [
            {
                "instrument": "SHFE.rb2605",
                "product": "rb",
                "kind": "future",
                "name": "rb2605",
                "multiplier": 10,
                "price_tick": 1.0,
                "expiry_day": "20260515",
            }
        ],
        "next": "",
    },
    "KillReply": {"asked": ["7f3a0c1b22d9e455"], "failed": []},
    "LeaseDetail": {
        "lease": LEASE,
        "epochs": [
            {
                "epoch": 4,
                "holder": "trading-1",
                "incarnation": "8f14e45fceea167a",
                "began_at": "2026-11-28T09:00:00.123Z",
                "began": "takeover",
                "gap_ms": 512.0,
                "ended_at": None,
                "ended": None,
            }
        ],
        "takers": ["trading-2"],
    },
    "LeaseView": LEASE,
    "MadeToken": {
        "token": {
            "id": "9b0c5f7d11e2a388",
            "name": "prometheus",
            "user": "anna",
            "role": "viewer",
            "created_at": "2026-11-28T09:00:00Z",
            "ends_at": "2027-02-26T09:00:00Z",
        },
        "secret": "aegis_kept-nowhere",
    },
    "Maintained": {"on": True, "at_work": 2, "keys": 1},
    "Order": _ORDER,
    "OrdersReply": {"orders": [_ORDER], "next": "", "sequence": 12},
    "PlaceOrderReply": {"orders": [_ORDER]},
    "Position": _POSITION,
    "ReconcileReply": {"verdict": "agreed", "differences": [], "adopted": [], "trades_booked": 0},
    "RevisionView": {**_VALUE, "deleted": False},
    "Sample": {
        "service": "trading",
        "instance": "trading-1",
        "incarnation": "8f14e45fceea167a",
        "at": _AT,
        "seconds": 2.0,
        "calls_per_s": 12.5,
        "errors_per_s": 0.0,
        "p50_ms": 0.6,
        "p99_ms": 2.1,
        "running": 0,
        "waiting": 0,
        "cpu": 0.05,
        "memory_bytes": 80_000_000,
        "loop_lag_p99_ms": 1.2,
        "methods": [
            {
                "to": "active",
                "method": "place_order",
                "calls_per_s": 2.0,
                "errors_per_s": 0.0,
                "p50_ms": 0.9,
                "p99_ms": 2.4,
            }
        ],
        "own": {"aegis_orders_total": 2.0},
    },
    "StoredTicks": {"ticks": [_TICK], "next": 81_204},
    "SubscriptionsReply": {
        "subscriptions": [
            {"instrument": "SHFE.rb2605", "state": "ticking", "why": None, "wanted_by": ["operator"]},
        ],
        "next": "",
    },
    "TickView": _TICK,
    "TradesReply": {"trades": [_TRADE], "next": 0, "sequence": 12},
    "UnsubscribeReply": {"accepted": ["SHFE.rb2605"], "rejected": [_REFUSED], "still_wanted": 299},
    "ValueView": _VALUE,
    "WishReply": {"accepted": ["SHFE.rb2605"], "rejected": [_REFUSED], "instruments": 1},
    "WishesReply": {
        "wishes": [
            {
                "consumer": "operator",
                "instruments": 1,
                "expires_at": None,
                "scopes": [{"exchange": "SHFE", "product": "rb", "kind": "future"}],
            }
        ]
    },
}

PARAMETERS: Final[dict[str, Any]] = {
    "action": "place_order",
    "consumer": "operator",
    "exchange": "SHFE",
    "expiry": "2026",
    "instance": "trading-1",
    "instrument": "SHFE.rb2605",
    "kind": "future",
    "last-event-id": '{"leases":["9f86d081",41]}',
    "level": "warning",
    "metric": ["cpu", "methods.active.place_order.p99_ms"],
    "on": "paper/",
    "product": "rb",
    "result": "refused",
    "service": "trading",
    "since": "2026-11-28T09:00:00Z",
    "state": "ticking",
    "status": "ACTIVE",
    "strategy_id": "mean-reversion",
    "text": "order_rejected",
    "topics": "leases,ticks.SHFE.*",
    "until": "2026-11-28T10:00:00Z",
    "who": "anna",
}
"""Of those that have neither one of their own nor a default that is one. `after` of a page is the `next` before."""
_AFTER: Final[dict[str, Any]] = {"list_trades": 500, "list_keys": "trading.A1.group", "list_orders": "7f3a0c1b22d9e455"}
_INSTRUMENT: Final = "SHFE.rb2605"


def add_examples(document: dict[str, Any]) -> None:
    """Where there are none; and those of models that have a null in them, which the framework leaves out."""
    for name, example in MODELS.items():
        document["components"]["schemas"][name]["examples"] = [example]
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                if "example" not in parameter and "examples" not in schema:
                    parameter["example"] = _example(operation["operationId"], parameter["name"], schema)


def _example(operation: str, name: str, schema: dict[str, Any]) -> Any:
    if name == "after":
        return _AFTER.get(operation, _INSTRUMENT)
    return PARAMETERS[name] if name in PARAMETERS else schema["default"]
