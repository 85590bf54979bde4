"""The stock gateway of vnpy_ctp against the counter, with all contracts."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from ctpsim.market.universe import listed
from ctpsim.testing import front

CLIENT = Path(__file__).with_name("gateway_client.py")
DAY = "20251128"


async def test_the_stock_gateway_takes_all_contracts_ticks_and_trades(tmp_path: Path) -> None:
    (tmp_path / ".vntrader").mkdir()
    async with front(market="load", day=DAY, universe="all", rate=100) as counter:
        user = counter.user
        settings = {
            "用户名": user.user_id,
            "密码": user.password,
            "经纪商代码": user.broker_id,
            "交易服务器": counter.address.trader,
            "行情服务器": counter.address.market,
            "产品名称": user.app_id,
            "授权编码": user.auth_code,
            "柜台环境": "测试",
            "libraries": str(counter.libraries),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(CLIENT)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **counter.environment(), "PYTHONIOENCODING": "utf-8"},
            cwd=tmp_path,
            limit=16 << 20,
        )
        async with asyncio.timeout(120):
            output, _ = await process.communicate(json.dumps(settings).encode() + b"\n")
    seen = json.loads(output.splitlines()[-1])
    contracts = listed(DAY, "all").values()
    assert seen["futures"] == sum(contract.option is None for contract in contracts)
    assert seen["options"] == sum(contract.option is not None for contract in contracts)
    assert seen["exchanges"] == ["CFFEX", "CZCE", "DCE", "GFEX", "INE", "SHFE"]
    assert {seen["portfolios"][symbol] for symbol in ("m2605-C-3000", "SR605P5400")} == {"m_o", "SR"}
    assert seen["tick"] == "螺纹钢2605"
    assert seen["statuses"][-1] == "ALLTRADED"
    assert seen["trade"] == [3081.0, 3]
