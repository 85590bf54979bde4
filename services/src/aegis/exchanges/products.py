"""The futures of the six exchanges: what a lot is, how prices step, when it trades, which months are listed.

The table holds as of November 2025. What it leaves out is unknown to Aegis until it is added here: a tick of such an
instrument still passes, without session flags. Month-average contracts (`l2605F`) and combinations have the hours of
their product; commodity options also its multiplier; index options are products of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from aegis.contracts.market import Exchange
from aegis.exchanges.sessions import BOND, DAY, NIGHT_0100, NIGHT_0230, NIGHT_2300, STOCK_INDEX, Hours

__all__ = ["PRODUCTS", "Expiry", "Listing", "Product", "future_of", "month_digits", "product_of"]

Expiry = Literal["15th", "10th_trading", "4th_last_trading", "month_before", "2nd_friday", "3rd_friday", "last_monday"]
"""The last trading day, in the delivery month, or the last trading day of the month before it."""


@dataclass(frozen=True)
class Listing:
    """Which delivery months can be traded: the next `serial` ones, then `more` later ones of those in `cycle`."""

    serial: int
    cycle: tuple[int, ...] = ()
    more: int = 0


@dataclass(frozen=True, kw_only=True)
class Product:
    """A good as one exchange trades it."""

    exchange: Exchange
    code: str
    name: str
    chinese: str
    multiplier: int  # units of the quoted good in one lot: yuan a lot = price * multiplier
    price_tick: float
    hours: Hours
    listing: Listing
    expiry: Expiry


_YEAR = Listing(12)
_ODD = Listing(0, (1, 3, 5, 7, 9, 11), 6)
_EVEN = Listing(0, (2, 4, 6, 8, 10, 12), 6)
_SOY = Listing(0, (1, 3, 5, 7, 8, 9, 11, 12), 8)
_NONE = Listing(0)
_QUARTERS = (3, 6, 9, 12)
_STOCKS = Listing(2, _QUARTERS, 2)
_BONDS = Listing(0, _QUARTERS, 3)

_Row = tuple[str, str, str, int, float, Hours, Listing, Expiry]

_SHFE: Final[tuple[_Row, ...]] = (
    ("cu", "Copper", "铜", 5, 10, NIGHT_0100, _YEAR, "15th"),
    ("al", "Aluminium", "铝", 5, 5, NIGHT_0100, _YEAR, "15th"),
    ("zn", "Zinc", "锌", 5, 5, NIGHT_0100, _YEAR, "15th"),
    ("pb", "Lead", "铅", 5, 5, NIGHT_0100, _YEAR, "15th"),
    ("ni", "Nickel", "镍", 1, 10, NIGHT_0100, _YEAR, "15th"),
    ("sn", "Tin", "锡", 1, 10, NIGHT_0100, _YEAR, "15th"),
    ("ao", "Alumina", "氧化铝", 20, 1, NIGHT_0100, _YEAR, "15th"),
    ("ad", "Cast aluminium alloy", "铸造铝合金", 10, 5, NIGHT_0100, _YEAR, "15th"),
    ("au", "Gold", "黄金", 1000, 0.02, NIGHT_0230, Listing(3, _EVEN.cycle, 5), "15th"),
    ("ag", "Silver", "白银", 15, 1, NIGHT_0230, _YEAR, "15th"),
    ("rb", "Rebar", "螺纹钢", 10, 1, NIGHT_2300, _YEAR, "15th"),
    ("hc", "Hot-rolled coil", "热轧卷板", 10, 1, NIGHT_2300, _YEAR, "15th"),
    ("wr", "Wire rod", "线材", 10, 1, DAY, _YEAR, "15th"),
    ("ss", "Stainless steel", "不锈钢", 5, 5, NIGHT_0100, _YEAR, "15th"),
    ("fu", "Fuel oil", "燃料油", 10, 1, NIGHT_2300, _YEAR, "month_before"),
    ("bu", "Bitumen", "石油沥青", 10, 1, NIGHT_2300, Listing(6, _QUARTERS, 6), "15th"),
    ("ru", "Natural rubber", "天然橡胶", 10, 5, NIGHT_2300, Listing(0, (1, 3, 4, 5, 6, 7, 8, 9, 10, 11), 10), "15th"),
    ("br", "Butadiene rubber", "丁二烯橡胶", 5, 5, NIGHT_2300, _YEAR, "15th"),
    ("sp", "Wood pulp", "纸浆", 10, 2, NIGHT_2300, _YEAR, "15th"),
    ("op", "Offset paper", "胶版印刷纸", 40, 2, NIGHT_2300, _YEAR, "15th"),
)

_INE: Final[tuple[_Row, ...]] = (
    ("sc", "Crude oil", "原油", 1000, 0.1, NIGHT_0230, Listing(12, _QUARTERS, 8), "month_before"),
    ("lu", "Low-sulphur fuel oil", "低硫燃料油", 10, 1, NIGHT_2300, _YEAR, "month_before"),
    ("nr", "Rubber TSR 20", "20号胶", 10, 5, NIGHT_2300, _YEAR, "15th"),
    ("bc", "Bonded copper", "国际铜", 5, 10, NIGHT_0100, _YEAR, "15th"),
    ("ec", "Shipping index Europe", "集运指数(欧线)", 50, 0.1, DAY, _EVEN, "last_monday"),
)

_DCE: Final[tuple[_Row, ...]] = (
    ("a", "Soybean no. 1", "黄大豆1号", 10, 1, NIGHT_2300, _ODD, "10th_trading"),
    ("b", "Soybean no. 2", "黄大豆2号", 10, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("m", "Soybean meal", "豆粕", 10, 1, NIGHT_2300, _SOY, "10th_trading"),
    ("y", "Soybean oil", "豆油", 10, 2, NIGHT_2300, _SOY, "10th_trading"),
    ("p", "Palm olein", "棕榈油", 10, 2, NIGHT_2300, _YEAR, "10th_trading"),
    ("c", "Corn", "玉米", 10, 1, NIGHT_2300, _ODD, "10th_trading"),
    ("cs", "Corn starch", "玉米淀粉", 10, 1, NIGHT_2300, _ODD, "10th_trading"),
    ("rr", "Polished rice", "粳米", 10, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("jd", "Eggs", "鸡蛋", 10, 1, DAY, _YEAR, "4th_last_trading"),
    ("lh", "Live hogs", "生猪", 16, 5, DAY, _ODD, "4th_last_trading"),
    ("fb", "Fibreboard", "纤维板", 10, 0.5, DAY, _YEAR, "10th_trading"),
    ("bb", "Blockboard", "胶合板", 500, 0.05, DAY, _YEAR, "10th_trading"),
    ("lg", "Logs", "原木", 90, 0.5, DAY, _ODD, "4th_last_trading"),
    ("l", "LLDPE", "聚乙烯", 5, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("v", "PVC", "聚氯乙烯", 5, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("pp", "Polypropylene", "聚丙烯", 5, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("eb", "Styrene", "苯乙烯", 5, 1, NIGHT_2300, _YEAR, "4th_last_trading"),
    ("bz", "Benzene", "纯苯", 30, 1, NIGHT_2300, _YEAR, "4th_last_trading"),
    ("eg", "Ethylene glycol", "乙二醇", 10, 1, NIGHT_2300, _YEAR, "4th_last_trading"),
    ("pg", "LPG", "液化石油气", 20, 1, NIGHT_2300, _YEAR, "4th_last_trading"),
    ("i", "Iron ore", "铁矿石", 100, 0.5, NIGHT_2300, _YEAR, "10th_trading"),
    ("j", "Coke", "焦炭", 100, 0.5, NIGHT_2300, _YEAR, "10th_trading"),
    ("jm", "Coking coal", "焦煤", 60, 0.5, NIGHT_2300, _YEAR, "10th_trading"),
)

_CZCE: Final[tuple[_Row, ...]] = (
    ("WH", "Strong wheat", "强麦", 20, 1, DAY, _ODD, "10th_trading"),
    ("PM", "Common wheat", "普麦", 50, 1, DAY, _ODD, "10th_trading"),
    ("RI", "Early rice", "早籼稻", 20, 1, DAY, _ODD, "10th_trading"),
    ("LR", "Late rice", "晚籼稻", 20, 1, DAY, _ODD, "10th_trading"),
    ("JR", "Japonica rice", "粳稻", 20, 1, DAY, _ODD, "10th_trading"),
    ("CF", "Cotton", "棉花", 5, 5, NIGHT_2300, _ODD, "10th_trading"),
    ("CY", "Cotton yarn", "棉纱", 5, 5, NIGHT_2300, _YEAR, "10th_trading"),
    ("SR", "White sugar", "白糖", 10, 1, NIGHT_2300, _ODD, "10th_trading"),
    ("OI", "Rapeseed oil", "菜籽油", 10, 1, NIGHT_2300, _ODD, "10th_trading"),
    ("RM", "Rapeseed meal", "菜籽粕", 10, 1, NIGHT_2300, Listing(0, (1, 3, 5, 7, 8, 9, 11), 7), "10th_trading"),
    ("RS", "Rapeseed", "油菜籽", 10, 1, DAY, Listing(0, (7, 8, 9, 11), 4), "10th_trading"),
    ("AP", "Apples", "苹果", 10, 1, DAY, Listing(0, (1, 3, 4, 5, 10, 11, 12), 7), "10th_trading"),
    ("CJ", "Red dates", "红枣", 5, 5, DAY, Listing(0, (1, 3, 5, 7, 9, 12), 6), "10th_trading"),
    ("PK", "Peanuts", "花生", 5, 2, DAY, Listing(0, (1, 3, 4, 10, 11, 12), 6), "10th_trading"),
    ("TA", "PTA", "精对苯二甲酸", 5, 2, NIGHT_2300, _YEAR, "10th_trading"),
    ("PX", "Paraxylene", "对二甲苯", 5, 2, NIGHT_2300, _YEAR, "10th_trading"),
    ("PF", "Polyester fibre", "短纤", 5, 2, NIGHT_2300, _YEAR, "10th_trading"),
    ("PR", "Bottle-grade PET", "瓶片", 15, 2, NIGHT_2300, _YEAR, "10th_trading"),
    ("PL", "Propylene", "丙烯", 20, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("MA", "Methanol", "甲醇", 10, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("FG", "Flat glass", "玻璃", 20, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("SA", "Soda ash", "纯碱", 20, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("SH", "Caustic soda", "烧碱", 30, 1, NIGHT_2300, _YEAR, "10th_trading"),
    ("UR", "Urea", "尿素", 20, 1, DAY, _YEAR, "10th_trading"),
    ("SF", "Ferrosilicon", "硅铁", 5, 2, DAY, _YEAR, "10th_trading"),
    ("SM", "Silicomanganese", "锰硅", 5, 2, DAY, _YEAR, "10th_trading"),
    ("ZC", "Thermal coal", "动力煤", 100, 0.2, NIGHT_2300, _YEAR, "10th_trading"),
)

_CFFEX: Final[tuple[_Row, ...]] = (
    ("IF", "CSI 300", "沪深300股指", 300, 0.2, STOCK_INDEX, _STOCKS, "3rd_friday"),
    ("IH", "SSE 50", "上证50股指", 300, 0.2, STOCK_INDEX, _STOCKS, "3rd_friday"),
    ("IC", "CSI 500", "中证500股指", 200, 0.2, STOCK_INDEX, _STOCKS, "3rd_friday"),
    ("IM", "CSI 1000", "中证1000股指", 200, 0.2, STOCK_INDEX, _STOCKS, "3rd_friday"),
    ("IO", "CSI 300 options", "沪深300股指期权", 100, 0.2, STOCK_INDEX, _NONE, "3rd_friday"),
    ("HO", "SSE 50 options", "上证50股指期权", 100, 0.2, STOCK_INDEX, _NONE, "3rd_friday"),
    ("MO", "CSI 1000 options", "中证1000股指期权", 100, 0.2, STOCK_INDEX, _NONE, "3rd_friday"),
    ("TS", "2-year bond", "2年期国债", 20_000, 0.002, BOND, _BONDS, "2nd_friday"),
    ("TF", "5-year bond", "5年期国债", 10_000, 0.005, BOND, _BONDS, "2nd_friday"),
    ("T", "10-year bond", "10年期国债", 10_000, 0.005, BOND, _BONDS, "2nd_friday"),
    ("TL", "30-year bond", "30年期国债", 10_000, 0.01, BOND, _BONDS, "2nd_friday"),
)

_GFEX: Final[tuple[_Row, ...]] = (
    ("si", "Industrial silicon", "工业硅", 5, 5, DAY, _YEAR, "10th_trading"),
    ("lc", "Lithium carbonate", "碳酸锂", 1, 20, DAY, _YEAR, "10th_trading"),
    ("ps", "Polysilicon", "多晶硅", 3, 5, DAY, _YEAR, "10th_trading"),
    ("pt", "Platinum", "铂", 1000, 0.05, DAY, _EVEN, "10th_trading"),
    ("pd", "Palladium", "钯", 1000, 0.05, DAY, _EVEN, "10th_trading"),
)


def _products(exchange: Exchange, rows: Iterable[_Row]) -> dict[tuple[str, str], Product]:
    return {
        (exchange.value, code): Product(
            exchange=exchange,
            code=code,
            name=name,
            chinese=chinese,
            multiplier=multiplier,
            price_tick=price_tick,
            hours=hours,
            listing=listing,
            expiry=expiry,
        )
        for code, name, chinese, multiplier, price_tick, hours, listing, expiry in rows
    }


PRODUCTS: Final[Mapping[tuple[str, str], Product]] = MappingProxyType(
    _products(Exchange.SHFE, _SHFE)
    | _products(Exchange.INE, _INE)
    | _products(Exchange.DCE, _DCE)
    | _products(Exchange.CZCE, _CZCE)
    | _products(Exchange.CFFEX, _CFFEX)
    | _products(Exchange.GFEX, _GFEX)
)
"""Each product by (exchange, code). A code means the same product on whichever exchange it appears."""

_OF_INDEX: Final = {"IO": "IF", "HO": "IH", "MO": "IM"}
_BY_CODE: Final = {code: product for (_, code), product in PRODUCTS.items()}

_SYMBOL: Final = re.compile(
    r"""
    (?:[A-Z]{2,4}\ )?                     # a combination: its kind, then its first leg
    (?P<code>[A-Za-z]{1,2})
    (?P<month>\d{3,4})
    (?:F|-?(?:MS-?)?[CP]-?\d+(?:\.\d+)?)?   # month average, or an option, perhaps of a serial month
    (?:&.+)?
    """,
    re.VERBOSE,
)


def future_of(product: Product) -> Product:
    """The product whose futures the options of this one go with: itself, or the futures on the same index."""
    return PRODUCTS[product.exchange.value, _OF_INDEX.get(product.code, product.code)]


@lru_cache(maxsize=65_536)
def product_of(exchange: str, symbol: str) -> Product | None:
    """The product of a future, an option or a combination's first leg; None where that is not clear.

    An empty `exchange`, as some recordings have it, is found by the code. Letters' case counts: `RB2505` is nothing.
    """
    found = _SYMBOL.fullmatch(symbol)
    if found is None:
        return None
    return PRODUCTS.get((exchange, found["code"])) if exchange else _BY_CODE.get(found["code"])


def month_digits(symbol: str) -> str | None:
    """The delivery month as a symbol writes it: `2505`, `505` on CZCE; None where there is none."""
    found = _SYMBOL.fullmatch(symbol)
    return found["month"] if found else None
