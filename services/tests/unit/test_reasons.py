"""Why something is as it is, as a code with its places: nothing that the console shows is prose alone."""

from __future__ import annotations

import ast
from pathlib import Path
from string import Formatter
from typing import get_args

import msgspec
import pytest
from pydantic import BaseModel

import aegis
from aegis.contracts.order_reasons import FIGURES
from aegis.contracts.reasons import REFUSALS, SENTENCES, Reason, explained, reason_of, sentence_of
from aegis.ctp.failures import Step, answered
from aegis.management.problems import REASONS, Problem, problem_of
from aegis.trading.adapters.ctp.words import REASONS as CTP_REASONS
from aegis.trading.domain.situation import Reason as CheckReason
from aegis_sdk.errors import Rejected, error_from_wire
from aegis_sdk.lease_view import NotDone

SOURCE = Path(aegis.__path__[0])


class Told(BaseModel):
    why: list[Reason]


def calls_of(name: str, packages: tuple[str, ...]) -> list[ast.Call]:
    paths = [path for package in packages for path in (SOURCE / package).rglob("*.py")]
    trees = [ast.parse(path.read_text()) for path in paths]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == name]


def returned_by(name: str, package: str) -> set[str]:
    trees = [ast.parse(path.read_text()) for path in (SOURCE / package).rglob("*.py")]
    made = [
        node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    returns = [node.value for one in made for node in ast.walk(one) if isinstance(node, ast.Return) and node.value]
    found = {code for node in returns for code in words(node)} - {""}
    assert found
    return found


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
    ("name", "packages", "at", "table"),
    [
        ("Problem", ("management",), 1, REASONS),
        ("Reason.of", ("marketdata", "ctp", "trading", "cli"), 0, SENTENCES),
        ("explained", ("marketdata", "trading"), 1, SENTENCES | REFUSALS),
    ],
)
def test_whoever_gives_a_reason_names_one_of_the_table_and_all_that_stands_in_it(
    name: str, packages: tuple[str, ...], at: int, table: dict[str, str]
) -> None:
    found = [call for call in calls_of(name, packages) if len(call.args) > at]
    said = [(code, call) for call in found for code in words(call.args[at])]
    assert said
    for code, call in said:
        assert code in table, ast.unparse(call)
        given = {keyword.arg for keyword in call.keywords}
        assert places(table[code]) <= given or None in given, ast.unparse(call)


def test_each_reason_of_an_order_is_one_of_the_table_with_its_figures() -> None:
    found = {name: calls_of(name, ("trading", "paper")) for name in ("Refusal", "Refusal.of", "Submitted")}
    codes = {code for call in (*found["Refusal"], *found["Refusal.of"]) for code in words(call.args[0])}
    ended = [*found["Submitted"], *calls_of("_moved", ("accounting",))]
    asked = [keyword for call in ended for keyword in call.keywords if keyword.arg == "reason"]
    codes |= {code for keyword in asked for code in words(keyword.value)} - {""}
    codes |= returned_by("_unready", "paper") | returned_by("unfit", "trading")
    assert len(codes) > 40
    assert {*codes, *CTP_REASONS.values(), *get_args(CheckReason)} - FIGURES.keys() == set()
    for call in found["Refusal.of"]:
        for code in words(call.args[0]):
            assert places(FIGURES[code]) == {keyword.arg for keyword in call.keywords}, ast.unparse(call)


def test_a_reason_is_its_sentence_and_several_are_one_line() -> None:
    reasons = (Reason.of("found", count=2, verdict="stalled"), Reason.of("not_helped"))
    assert sentence_of(reasons) == "2 stalled; repairs have not helped"
    assert str(Reason(code="of a later release", places={"x": 1})) == "of a later release"


def test_what_others_say_stays_as_it_is_whatever_it_looks_like() -> None:
    assert str(Reason.of("said", text="CTP: 用户不存在 {0}")) == "CTP: 用户不存在 {0}"
    assert str(Reason.of_error(KeyError("of {a}"))) == "KeyError: 'of {a}'"


@pytest.mark.parametrize("step", Step)
def test_each_step_of_a_ctp_session_has_a_reason_for_its_failure(step: Step) -> None:
    failed = answered(step, 7, " CTP:还没有初始化 ")
    assert {one.code for one in failed.why} <= SENTENCES.keys()
    assert str(failed) == f"could not {step}: the counter says (error 7): CTP:还没有初始化"
    assert str(answered(step, 7, " ").cause) == "the counter answers with error 7, and gives no reason"


def test_a_reason_is_the_same_behind_both_ways_over_which_it_goes() -> None:
    reason = Reason.of("no_answer_for", seconds="10")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(reason), type=Reason) == reason
    assert Told.model_validate_json(Told(why=[reason]).model_dump_json()).why == [reason]


def test_the_reason_of_an_error_is_read_by_its_code_and_not_by_its_words() -> None:
    error = error_from_wire(explained(Rejected, "renewed_lately", seconds="15").to_wire())
    assert str(reason_of(error)) == "one fresh session in 15 s"
    assert reason_of(Rejected("one fresh session in 15 s")) == Reason.of("said", text="one fresh session in 15 s")


def test_a_problem_carries_its_reason_and_what_stands_in_the_sentence() -> None:
    body = Problem("not_found", "no_user", user="li").body
    assert (body.reason, body.detail, body.details) == ("no_user", "there is no user li", {"user": "li"})


def test_the_reason_of_a_service_and_of_a_move_that_was_not_done_stand_in_the_same_place() -> None:
    refused = problem_of(explained(Rejected, "too_many_scopes", consumer="a", most=100)).body
    assert (refused.code, refused.reason) == ("rejected", "too_many_scopes")
    assert (refused.detail, refused.details["most"]) == ("a would want more than 100 scopes", 100)
    moved = problem_of(NotDone("no_taker", "nobody could take it")).body
    assert (moved.code, moved.reason) == ("conflict", "no_taker")
