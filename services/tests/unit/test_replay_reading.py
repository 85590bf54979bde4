"""Recordings become quotes: one fixture for each kind of file, one test for each of its quirks."""

import gzip
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from aegis.contracts.market import Level, Quote
from aegis.marketdata.adapters.replay import RecordingUnreadable, read_quotes

FIXTURES = Path(__file__).parent.parent / "fixtures" / "ticks"
SHANGHAI = timezone(timedelta(hours=8))
HEADER = "TradingDay,InstrumentID,ExchangeID,LastPrice,Volume,OpenInterest,UpdateTime,UpdateMillisec,ActionDay"


def rows_of(path: Path) -> tuple[list[Quote], list[tuple[str, str]]]:
    rejected: list[tuple[str, str]] = []
    return list(read_quotes(path, lambda reason, detail: rejected.append((reason, detail)))), rejected


def quotes_of(name: str) -> list[Quote]:
    quotes, rejected = rows_of(FIXTURES / name)
    assert rejected == []
    return quotes


def clock(ts_ns: int) -> str:
    return f"{datetime.fromtimestamp(ts_ns // 10**9, SHANGHAI):%m-%d %H:%M:%S}.{ts_ns // 10**6 % 1000:03}"


def row(symbol: str, time: str, price: float = 3700, volume: int = 1) -> str:
    return f"20230615,{symbol},SHFE,{price},{volume},2000000,{time},0,20230615"


@pytest.fixture
def recording(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: str, name: str = "ticks.csv", header: str = HEADER) -> Path:
        path = tmp_path / name
        text = "\n".join([header, *rows]).encode() + b"\n"
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return write


def test_a_blank_exchange_id_is_found_by_the_product():
    assert {quote.exchange for quote in quotes_of("shfe_night.csv")} == {"SHFE"}
    assert {quote.exchange for quote in quotes_of("czce_day.csv")} == {"CZCE"}


def test_dbl_max_of_levels_and_settlement_on_shfe_is_missing():
    first = quotes_of("shfe_night.csv")[0]
    assert first.settlement_price is None
    assert (first.bids, first.asks) == ((Level(12000.0, 11),), (Level(12005.0, 4),))


def test_the_settlement_price_appears_after_the_close():
    assert quotes_of("shfe_night.csv")[2].settlement_price == 12000.0


def test_last_ticks_that_repeat_are_all_read():
    quotes = quotes_of("shfe_night.csv")
    assert [clock(quote.ts_exchange_ns) for quote in quotes[1:3]] == ["06-15 15:00:00.000", "06-15 15:00:00.500"]
    assert quotes[1].volume == quotes[2].volume
    assert quotes[4].volume == quotes[5].volume
    czce = quotes_of("czce_day.csv")
    assert czce[-1] == czce[-2]


def test_the_trading_day_changes_and_volume_begins_anew_at_21_00():
    quotes = quotes_of("shfe_night.csv")
    assert [(quote.trading_day, quote.volume) for quote in quotes[2:4]] == [("20230615", 88003), ("20230616", 310)]
    assert {quote.action_day for quote in quotes} == {"20230615"}
    assert clock(quotes[3].ts_exchange_ns) == "06-15 21:00:00.500"


def test_the_zeros_of_czce_are_missing():
    first = quotes_of("czce_day.csv")[0]
    assert first.high_price is first.low_price is first.settlement_price is None
    assert first.bids == first.asks == ()
    assert first.last_price == 8600.0


def test_the_first_row_of_czce_is_of_the_evening_before():
    first, second, *_ = quotes_of("czce_day.csv")
    assert (first.trading_day, first.action_day) == ("20230619", "20230616")
    assert clock(first.ts_exchange_ns) == "06-16 19:27:30.000"
    assert first.flags == ("snapshot", "out_of_session")
    assert second.flags == ("auction",)


def test_two_ticks_of_a_second_of_czce_have_the_same_time_and_keep_their_order():
    quotes = quotes_of("czce_day.csv")[2:4]
    assert quotes[0].ts_exchange_ns == quotes[1].ts_exchange_ns
    assert [quote.volume for quote in quotes] == [55, 57]


def test_the_turnover_of_czce_gets_its_multiplier_and_may_go_back():
    assert [quote.turnover for quote in quotes_of("czce_day.csv")[1:4]] == [3_444_400.0, 4_736_650.0, 4_736_000.0]


def test_five_levels_end_at_the_first_one_without_a_price():
    quotes = quotes_of("cffex_five_levels.csv")
    assert [len(quote.bids) for quote in quotes] == [0, 5, 3, 5, 5]
    assert [len(quote.asks) for quote in quotes] == [0, 5, 5, 5, 5]
    assert quotes[1].bids[1] == Level(97.09, 4)


def test_auction_and_after_close_ticks_are_flagged():
    flags = [quote.flags for quote in quotes_of("cffex_five_levels.csv")]
    assert flags == [("snapshot", "out_of_session"), ("auction",), (), (), ("out_of_session",)]


def test_a_contract_subscribed_in_mid_session_is_stamped_07_48_and_received_now():
    quotes, _ = rows_of(FIXTURES / "subscribed_in_mid_session.csv")
    assert clock(quotes[0].ts_exchange_ns) == "06-15 07:48:30.500"
    assert clock(quotes[0].ts_received_ns) == "06-15 10:40:03.000"
    assert quotes[0].flags == ("snapshot", "out_of_session")


def test_a_book_that_overtook_its_state_is_rejected():
    quotes, rejected = rows_of(FIXTURES / "subscribed_in_mid_session.csv")
    assert rejected == [
        ("no_state", "subscribed_in_mid_session.csv:3: the book of 'IF2307' came before its day's state")
    ]
    assert [quote.volume for quote in quotes if quote.symbol == "IF2307"] == [25000, 25003, 25003]


def test_a_step_back_in_time_is_passed_on_in_its_place():
    quotes, _ = rows_of(FIXTURES / "subscribed_in_mid_session.csv")
    times = [clock(quote.ts_exchange_ns)[6:] for quote in quotes if quote.symbol == "IF2307"]
    assert times == ["10:40:02.700", "10:40:03.500", "10:40:03.200"]


def test_one_sided_and_empty_books_are_empty_where_they_are():
    quotes, _ = rows_of(FIXTURES / "subscribed_in_mid_session.csv")
    assert (quotes[0].bids, quotes[0].asks) == ((), ())
    assert (quotes[2].bids, quotes[2].asks) == ((), (Level(7614.0, 12),))


def test_six_digits_and_absent_columns_are_tolerated():
    quote = quotes_of("six_digits.csv")[0]
    assert (quote.open_interest, quote.turnover, quote.pre_open_interest) == (1903120.0, 31314400000.0, 1880010.0)
    assert quote.action_day == "20141013"
    assert quote.settlement_price is None


def test_each_exchange_has_its_own_days_at_night_and_midnight_is_in_between():
    quotes = quotes_of("nights.csv")
    assert {quote.trading_day for quote in quotes} == {"20230619"}
    assert [clock(quote.ts_exchange_ns) for quote in quotes] == [
        "06-16 20:59:00.500",
        "06-16 20:59:00.005",
        "06-16 20:59:00.000",
        "06-16 20:59:00.050",
        "06-16 23:59:59.500",
        "06-17 00:00:00.000",
        "06-17 02:29:59.500",
    ]
    assert [quote.flags[-1:] for quote in quotes[:4]] == [("auction",)] * 4
    assert [quote.flags for quote in quotes[4:]] == [()] * 3


def test_a_vnpy_export_is_recognized():
    quotes, rejected = rows_of(FIXTURES / "vnpy.csv")
    assert [(quote.exchange, quote.symbol, quote.trading_day, quote.volume) for quote in quotes] == [
        ("SHFE", "rb2310", "20230619", 1200),
        ("CZCE", "SR309", "20230619", 30),
        ("SHFE", "rb2310", "20230619", 1300),
    ]
    assert [clock(quote.ts_exchange_ns) for quote in quotes] == [
        "06-16 21:00:00.500",
        "06-16 21:00:01.000",
        "06-19 09:00:00.000",
    ]
    assert clock(quotes[0].ts_received_ns) == "06-16 21:00:00.612"
    assert quotes[0].bids == (Level(3700.0, 31),)
    assert quotes[2].asks == (Level(3702.0, 12), Level(3703.0, 6))
    assert quotes[1].turnover == 2_070_000.0
    assert (quotes[0].upper_limit_price, quotes[0].lower_limit_price) == (3990.0, 3400.0)
    assert rejected == [("malformed_row", "vnpy.csv:5: datetime is '19/06/2023 09:00'")]


def test_bad_rows_are_named_and_skipped():
    quotes, rejected = rows_of(FIXTURES / "bad_rows.csv")
    assert [quote.last_price for quote in quotes] == [3701.0, 3703.0]
    assert rejected == [
        ("malformed_row", "bad_rows.csv:3: Volume is '1x1'"),
        ("malformed_row", "bad_rows.csv:4: 5 columns instead of 9"),
        ("malformed_row", "bad_rows.csv:6: UpdateTime is ''"),
        ("malformed_row", "bad_rows.csv:7: 3 columns instead of 9"),
        ("malformed_row", "bad_rows.csv:8: ExchangeID is 'ExchangeID'"),
        ("unknown_instrument", "bad_rows.csv:9: the exchange of 'zz2310' is not known"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_bom_crlf_quotes_and_chinese_in_either_encoding_are_tolerated(tmp_path: Path, encoding: str):
    lines = [
        f"{HEADER},Name",
        f"{row('rb2310', '10:00:00')},螺纹钢锝甛",
        f'"20230615",{row("rb2310", "10:00:01")[9:]},"a,b"',
    ]
    path = tmp_path / "chinese.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    quotes, rejected = rows_of(path)
    assert (len(quotes), rejected) == (2, [])


def test_gzip_is_recognized_by_its_content(recording: Callable[..., Path]):
    path = recording(row("rb2310", "10:00:00"), name="ticks.csv.gz")
    assert len(rows_of(path.rename(path.with_name("ticks")))[0]) == 1


def test_a_file_that_breaks_off_is_read_to_there(recording: Callable[..., Path]):
    path = recording(*(row("rb2310", "10:00:00", volume=n * 7919 % 9973) for n in range(3000)), name="ticks.csv.gz")
    path.write_bytes(path.read_bytes()[:-100])
    quotes, rejected = rows_of(path)
    assert 0 < len(quotes) < 3000
    assert [reason for reason, _ in rejected] == ["damaged_file"]
    assert rejected[0][1].startswith(f"ticks.csv.gz:{len(quotes) + 1}: cannot be read beyond this line")


def test_a_record_received_after_midnight_is_of_the_next_day(recording: Callable[..., Path]):
    path = recording(
        "20230616,au2308,SHFE,450,1,1,23:59:59,500,20230615,00:00:00",
        "20230616,au2308,SHFE,450,1,1,00:00:00,0,20230616,23:59:59",
        header=f"{HEADER},RecvTime",
    )
    assert [clock(quote.ts_received_ns) for quote in rows_of(path)[0]] == ["06-16 00:00:00.000", "06-15 23:59:59.000"]


def test_a_receive_time_that_cannot_be_read_is_named(recording: Callable[..., Path]):
    path = recording(f"{row('rb2310', '10:00:00')},soon", header=f"{HEADER},RecvTime")
    assert rows_of(path) == ([], [("malformed_row", "ticks.csv:2: RecvTime is 'soon'")])


class TestDirectory:
    def test_its_files_are_merged_by_time(self, recording: Callable[..., Path], tmp_path: Path):
        recording(row("rb2310", "10:00:00"), row("rb2310", "10:00:03"), name="b.csv")
        recording(row("hc2310", "10:00:01"), row("hc2310", "10:00:02"), row("hc2310", "10:00:04"), name="a.csv.gz")
        recording(row("cu2310", "11:00:00"), name="0.csv")
        recording("not a tick", name="notes.txt", header="?")
        quotes, _ = rows_of(tmp_path)
        order = [(quote.symbol[:2], clock(quote.ts_exchange_ns)[-7:-4]) for quote in quotes]
        assert order == [("rb", ":00"), ("hc", ":01"), ("hc", ":02"), ("rb", ":03"), ("hc", ":04"), ("cu", ":00")]

    def test_a_file_keeps_its_own_order_even_where_its_time_goes_back(
        self, recording: Callable[..., Path], tmp_path: Path
    ):
        recording(row("rb2310", "10:00:05", volume=1), row("rb2310", "10:00:01", volume=2), name="a.csv")
        recording(row("hc2310", "10:00:02"), name="b.csv")
        quotes, _ = rows_of(tmp_path)
        assert [quote.volume for quote in quotes if quote.symbol == "rb2310"] == [1, 2]

    def test_its_bad_rows_are_reported_once(self, recording: Callable[..., Path], tmp_path: Path):
        recording(row("rb2310", "soon"), row("rb2310", "10:00:01"), name="a.csv")
        assert rows_of(tmp_path)[1] == [("malformed_row", "a.csv:2: UpdateTime is 'soon'")]


class TestUnreadable:
    def test_a_missing_file_is_named(self, tmp_path: Path):
        with pytest.raises(RecordingUnreadable, match=r"nowhere\.csv: No such file"):
            read_quotes(tmp_path / "nowhere.csv", print)

    def test_a_missing_column_is_named(self, recording: Callable[..., Path]):
        path = recording("1,2", header="InstrumentID,LastPrice,TradingDay")
        with pytest.raises(RecordingUnreadable, match=r"ticks\.csv: .*CTP's names, has no column UpdateTime"):
            read_quotes(path, print)

    def test_a_missing_column_of_a_vnpy_export_is_named(self, recording: Callable[..., Path]):
        path = recording("1,2", header="symbol,datetime,last_price")
        with pytest.raises(RecordingUnreadable, match="vnpy export, has no column exchange"):
            read_quotes(path, print)

    def test_an_empty_file_lacks_all_columns(self, tmp_path: Path):
        (tmp_path / "empty.csv").write_bytes(b"")
        with pytest.raises(RecordingUnreadable, match="TradingDay, InstrumentID, UpdateTime, LastPrice"):
            read_quotes(tmp_path / "empty.csv", print)

    def test_a_false_gzip_file_is_named(self, tmp_path: Path):
        (tmp_path / "false.csv.gz").write_bytes(b"\x1f\x8bnothing")
        with pytest.raises(RecordingUnreadable, match=r"false\.csv\.gz"):
            read_quotes(tmp_path / "false.csv.gz", print)

    def test_a_directory_without_recordings_is_named(self, tmp_path: Path):
        with pytest.raises(RecordingUnreadable, match=r"no \.csv"):
            read_quotes(tmp_path, print)
