"""Where the simulated market starts: plausible prices, how lively a product is, how far a day may carry it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aegis.contracts.market import Exchange
from aegis.exchanges.products import Product

__all__ = ["FIVE_LEVELS", "activities", "base_price", "limit_ratio"]

# Round figures of late 2025, no more than plausible.
_TABLE: Final = """
    cu 86000, al 21500, zn 22500, pb 17200, ni 118000, sn 290000, ao 2800, ad 20800, au 930, ag 11900, rb 3080, hc 3280
    wr 3350, ss 12500, fu 2600, bu 3050, ru 15200, br 10400, sp 5450, op 4250
    sc 455, lu 3150, nr 12300, bc 76500, ec 1650
    a 4100, b 3750, m 3040, y 8250, p 8700, c 2180, cs 2500, rr 3400, jd 3150, lh 11500, fb 1250, bb 150, lg 780
    l 6850, v 4550, pp 6450, eb 6400, bz 5450, eg 3900, pg 4350, i 785, j 1650, jm 1150
    WH 2850, PM 2400, RI 2750, LR 2800, JR 2900, CF 13600, CY 19900, SR 5450, OI 9800, RM 2450, RS 5100, AP 9300
    CJ 9400, PK 7900, TA 4680, PX 6800, PF 6250, PR 5750, PL 5850, MA 2050, FG 1020, SA 1180, SH 2300, UR 1650
    SF 5450, SM 5700, ZC 800
    IF 4580, IH 3010, IC 7100, IM 7350, TS 102.4, TF 105.9, T 108.4, TL 115.6
    si 9000, lc 94000, ps 52000, pt 420, pd 365
"""
_PRICES: Final = {
    code: float(price) for line in _TABLE.strip().splitlines() for code, price in map(str.split, line.split(","))
}
_DORMANT: Final = frozenset({"WH", "PM", "RI", "LR", "JR", "ZC", "RS", "bb", "wr", "rr"})
_QUIET: Final = frozenset({"fb", "lg", "b", "bc", "CY", "op", "ad", "PL", "bz", "pd", "PF", "PR", "CJ", "lu", "SF"})
_LIMITS: Final = {"IF": 0.1, "IH": 0.1, "IC": 0.1, "IM": 0.1, "TS": 0.005, "TF": 0.012, "T": 0.02, "TL": 0.035}

FIVE_LEVELS: Final = frozenset({Exchange.SHFE, Exchange.INE, Exchange.CFFEX, Exchange.GFEX})
"""The exchanges that show five levels to everyone; the others show one."""


def base_price(product: Product) -> float:
    """The price of the nearest contract, in the unit that the product is quoted in."""
    return _PRICES[product.code]


def limit_ratio(product: Product) -> float:
    """How far a price may be from the last settlement price, as a share of it."""
    return _LIMITS.get(product.code, 0.07)


def activities(product: Product, months: Sequence[str]) -> list[float]:
    """The chance of a quote in half a second for each month: most for the main one, half for its neighbours."""
    liveliness = 0.01 if product.code in _DORMANT else 0.4 if product.code in _QUIET else 0.95
    main = _main(product, months)
    return [max(liveliness * 0.5 ** abs(index - main), 0.001) for index in range(len(months))]


def _main(product: Product, months: Sequence[str]) -> int:
    """The index of the month traded most: for financial futures the nearest, for the others a later one."""
    if product.exchange is Exchange.CFFEX:
        return 0
    if product.exchange in (Exchange.DCE, Exchange.CZCE):
        return next((index for index, month in enumerate(months) if index and month[4:] in ("01", "05", "09")), 1)
    return 1
