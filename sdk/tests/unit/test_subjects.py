"""The grammar of subjects: any text becomes a token and back, and what is no token is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_sdk import subjects
from aegis_sdk.errors import ConfigurationError

_tokens = st.text(st.sampled_from("abcXYZ019_-="), min_size=1, max_size=12)
_parts = st.one_of(_tokens, st.just("*"))
_free_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(_free_text)
def test_any_text_survives_being_escaped(text: str) -> None:
    assert subjects.unescape(subjects.escape(text)) == text


@given(_free_text)
def test_escaped_text_is_one_token(text: str) -> None:
    escaped = subjects.escape(text)
    assert subjects.split(escaped) == [escaped]
    assert len(escaped) > 128 or subjects.token(escaped) == escaped


@given(_free_text, _free_text)
def test_two_texts_have_two_tokens(one: str, other: str) -> None:
    assert (one == other) == (subjects.escape(one) == subjects.escape(other))


def test_symbols_are_readable_where_they_can_be() -> None:
    assert subjects.tick("SHFE", "rb2510") == "tick.SHFE.rb2510"
    assert subjects.tick("DCE", "SP m2505&m2509") == "tick.DCE.SP=20m2505=26m2509"
    assert subjects.tick("CFFEX", "*") == "tick.CFFEX.*"


@pytest.mark.parametrize("text", ["", "a.b", "a b", "a>", ">", "**", "ä", "a\n", "x" * 129])
def test_what_is_no_token_is_refused_and_named(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        subjects.token(text, "service")
    assert caught.value.field == "service"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: subjects.rpc("a.b", "m"), "service"),
        (lambda: subjects.rpc("a", ""), "method"),
        (lambda: subjects.direct("a", "i i", "m"), "instance"),
        (lambda: subjects.active("a", "k.k", 1, "m"), "key"),
        (lambda: subjects.event("a b"), "domain"),
        (lambda: subjects.event("a", ""), "event"),
        (lambda: subjects.command("a", "b.c"), "command"),
        (lambda: subjects.tick("a.b", "x"), "exchange"),
        (lambda: subjects.tick_marker(""), "feed"),
        (lambda: subjects.heartbeat("a", "b.c"), "instance"),
        (lambda: subjects.log("", "b"), "service"),
        (lambda: subjects.instance_key("a", "b.c"), "instance"),
        (lambda: subjects.kv("a.b", "k"), "bucket"),
        (lambda: subjects.kv("a", "k..k"), "key"),
        (lambda: subjects.srv("PING", "a b"), "token"),
    ],
)
def test_every_subject_checks_its_parts(make: object, field: str) -> None:
    assert callable(make)
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.field == field


def test_discovery_asks_all_one_service_or_one_instance() -> None:
    assert subjects.srv("PING") == "$SRV.PING"
    assert subjects.srv("INFO", "quotes") == "$SRV.INFO.quotes"
    assert subjects.srv("STATS", "quotes", "q1") == "$SRV.STATS.quotes.q1"


def test_a_key_is_found_again_in_its_subject() -> None:
    subject = subjects.kv("aegis_instances", subjects.instance_key("quotes", "q1"))
    assert subject == "$KV.aegis_instances.quotes.q1"
    assert subjects.kv_key(subject) == "quotes.q1"
    assert subjects.kv("aegis_config", ">") == "$KV.aegis_config.>"


# Matching


@pytest.mark.parametrize(
    ("pattern", "subject", "matching"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("*", "a", True),
        (">", "a.b.c", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("*.b.>", "a.b.c", True),
        ("*.b.>", "a.b", False),
        ("a.*", "*.b", True),
        ("a.>", "*.*", True),
        ("a.*.c", "a.b.*", True),
        ("a.*", "a.*.c", False),
        ("a.>", "b.>", False),
    ],
)
def test_a_pattern_matches_a_subject_or_meets_another_pattern(pattern: str, subject: str, *, matching: bool) -> None:
    assert subjects.matches(pattern, subject) is matching


@given(st.lists(_parts, min_size=1, max_size=5), st.lists(_parts, min_size=1, max_size=5))
def test_whether_two_patterns_meet_does_not_depend_on_their_order(one: list[str], other: list[str]) -> None:
    ours, theirs = ".".join(one), ".".join(other)
    assert subjects.matches(ours, theirs) == subjects.matches(theirs, ours)


@given(st.lists(_tokens, min_size=1, max_size=5), st.data())
def test_a_subject_is_matched_by_itself_with_any_token_left_open(tokens: list[str], data: st.DataObject) -> None:
    subject = ".".join(tokens)
    opened = [data.draw(st.sampled_from([part, "*"])) for part in tokens]
    assert subjects.matches(".".join(opened), subject)
    cut = data.draw(st.integers(0, len(tokens) - 1))
    assert subjects.matches(".".join([*opened[:cut], ">"]), subject)
    assert not subjects.matches(".".join([*opened, "*"]), subject)
    assert not subjects.matches(".".join([*opened, ">"]), subject)
