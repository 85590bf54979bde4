"""Why something is as it is, as a code with its places: nothing that the console shows is prose alone."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter

import pytest

import aegis
from aegis.contracts.reasons import SENTENCES, Reason, sentence_of
from aegis.management.problems import REASONS, Problem, problem_of
from aegis_sdk.errors import Rejected
from aegis_sdk.lease_view import NotDone

SOURCE = Path(aegis.__path__[0])


def calls_of(name: str, package: str) -> list[ast.Call]:
    trees = [ast.parse(path.read_text()) for path in (SOURCE / package).rglob("*.py")]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == name]


def words(node: ast.expr) -> list[str]:
    """The texts that an argument may be."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=one, orelse=other):
            return words(one) + words(other)
        case _:
            return []


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


@pytest.mark.parametrize(
    ("name", "package", "at", "table"),
    [("Problem", "management", 1, REASONS), ("Reason.of", "marketdata", 0, SENTENCES)],
)
def test_whoever_gives_a_reason_names_one_of_the_table_and_all_that_stands_in_it(
    name: str, package: str, at: int, table: dict[str, str]
) -> None:
    found = [call for call in calls_of(name, package) if len(call.args) > at]
    said = [(code, call) for call in found for code in words(call.args[at])]
    assert said
    for code, call in said:
        assert code in table, ast.unparse(call)
        given = {keyword.arg for keyword in call.keywords}
        assert places(table[code]) <= given or None in given, ast.unparse(call)


def test_a_reason_is_its_sentence_and_several_are_one_line() -> None:
    reasons = (Reason.of("found", count=2, verdict="stalled"), Reason.of("not_helped"))
    assert sentence_of(reasons) == "2 stalled; repairs have not helped"
    assert str(Reason(code="of a later release", places={"x": 1})) == "of a later release"


def test_a_sentence_without_places_is_read_and_what_others_say_stays_as_it_is() -> None:
    assert Reason.read("the feed does not list it") == Reason(code="not_listed")
    assert Reason.read("CTP: 用户不存在 {0}") == Reason.of("said", text="CTP: 用户不存在 {0}")
    assert str(Reason.read("CTP: 用户不存在 {0}")) == "CTP: 用户不存在 {0}"
    assert Reason.read("") is None


def test_a_problem_carries_its_reason_and_what_stands_in_the_sentence() -> None:
    body = Problem("not_found", "no_user", user="li").body
    assert (body.reason, body.detail, body.details) == ("no_user", "there is no user li", {"user": "li"})


def test_the_reason_of_a_service_and_of_a_move_that_was_not_done_stand_in_the_same_place() -> None:
    refused = problem_of(Rejected("64 consumers have a wish already", reason="too_many_consumers")).body
    assert (refused.code, refused.reason) == ("rejected", "too_many_consumers")
    moved = problem_of(NotDone("no_taker", "nobody could take it")).body
    assert (moved.code, moved.reason) == ("conflict", "no_taker")
