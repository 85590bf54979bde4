"""Real contracts over whole days: one alone, so judged by its own pace only, and never called silent."""

from __future__ import annotations

from pathlib import Path

import pytest
import recorded_ticks

from aegis.marketdata.adapters.replay import read_quotes
from aegis.marketdata.health.domain.findings import Findings, Verdict
from aegis.marketdata.health.domain.judge import FeedSeen, Judge

LOOK_S = 0.5
DAYS = (
    "CFFEX_IF2101_20210105.wt.csv.gz",
    "CFFEX_TF1503_20141225_L5.csv.gz",
    "CZCE_AP101_20200803.ctp.csv.gz",
    "SHFE_rb1501_20141014.kiik.csv.gz",
    "SHFE_ru1901_20181008.ctp.csv.gz",
)


def judged(path: Path) -> tuple[int, list[Findings]]:
    """Looks at which it was well, and what was found to be wrong. Our clock is the exchange's, less its pauses."""
    well, wrong = 0, list[Findings]()
    judge: Judge | None = None
    looked_s = 0.0
    for quote in read_quotes(path, lambda *_: None):
        name, now_s = f"{quote.exchange}.{quote.symbol}", quote.ts_exchange_ns / 1e9
        if judge is None:
            judge = Judge(quote.ts_exchange_ns, now_s)
            judge.feed(FeedSeen(session="1", state="ready", snapshots=False))
            judge.want([(name, "ticking", None)])
        if now_s - looked_s > 60:
            looked_s = now_s
        while looked_s + LOOK_S <= now_s:
            looked_s += LOOK_S
            found = judge.look(looked_s)
            well += Verdict.HEALTHY in found.in_all.verdicts
            if found.cases or found.session_trouble:
                wrong.append(found)
        judge.tick(name, quote.ts_exchange_ns, quote.flags, max(now_s, looked_s))
    return well, wrong


@pytest.mark.parametrize("name", DAYS)
def test_a_real_contract_is_never_called_silent_on_a_whole_day(name: str) -> None:
    well, wrong = judged(recorded_ticks.file(name))
    assert well > 5_000, "half seconds"
    assert not wrong
