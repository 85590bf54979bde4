"""From the text of a profile to a profile, or to everything that is wrong with it. Pure: `Lookup` is what it may ask.

Each field of a login is given in one of three ways: `user_id = "..."`, `user_id_env = "VARIABLE"` or
`user_id_file = "FILE"`. What `[backup]` leaves out is as in `[primary]`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import ValidationError

from aegis.profiles.problems import Problem, ProfileError
from aegis.profiles.profile import CtpLogin, CtpProfile
from aegis_sdk.errors import AegisError

__all__ = ["Lookup", "Unreadable", "parse", "variables_in"]

_MODES: Final = {"production": True, "evaluation": False}
_KEYS: Final = ("env", "mode", "connection", "libraries", "libraries_env", "primary", "backup")
_SECRETS: Final = ("password", "auth_code")
_LISTS: Final = ("market_fronts", "trader_fronts")
_FORMS: Final = ("", "_env", "_file")
_PUBLIC: Final = ("auth_code", "0" * 16)
"""SimNow's, the same for everybody: no secret."""

_FIXES: Final = {
    "env": 'env = "sim", or "live" where orders are for real money',
    "mode": 'mode = "production", also for SimNow, or "evaluation" (测评) for a broker\'s evaluation fronts',
    "libraries": 'leave it out: the real ones of CTP are used then; others only with env = "sim"',
    "primary": "begin a section [primary] with the login",
    "broker_id": 'the broker has told it: broker_id = "..."',
    "user_id": 'user_id = "...", or user_id_env = "VARIABLE"',
    "password": 'password_env = "VARIABLE" or password_file = "FILE"',
    "app_id": 'the broker has registered it: app_id = "..."',
    "auth_code": 'the broker has issued it: auth_code_env = "VARIABLE" or auth_code_file = "FILE"',
    "market_fronts": 'market_fronts = ["tcp://host:port", ...]',
    "trader_fronts": 'trader_fronts = ["tcp://host:port", ...]',
}


class Unreadable(AegisError):
    """What a profile refers to cannot be had: `problem` says why, `fix` what to do. Neither tells the value."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What a profile may refer to; both raise Unreadable. A `private` file, its owner's alone, may hold secrets."""

    variable: Callable[[str], str]
    file: Callable[[str], str]
    private: bool
    path: str  # of the profile, for what is said about it


def parse(name: str, text: str, lookup: Lookup) -> CtpProfile:
    """The profile. Raises ProfileError with every problem."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(name, [Problem("", f"{lookup.path} is not TOML: {error}", "mend this line")]) from None
    problems = _of_the_whole(document)
    values: dict[str, Any] = {"name": name, "production": _MODES.get(str(document.get("mode")), True)}
    values |= {key: document[key] for key in ("env", "primary", "backup") if key in document}
    values["libraries"] = _libraries(document, lookup, problems)
    inherited: set[str] = set()
    if isinstance(primary := document.get("primary"), dict):
        values["primary"] = first = _section("primary", cast("dict[str, Any]", primary), lookup, problems)
        if isinstance(backup := document.get("backup"), dict):
            second = _section("backup", table := cast("dict[str, Any]", backup), lookup, problems)
            inherited = _inherited(table)
            values["backup"] = {**{field: first[field] for field in inherited if field in first}, **second}
            _check_backup(first, values["backup"], problems)
    return _built(name, values, problems, inherited)


def variables_in(text: str) -> set[str]:
    """The names of all variables that a profile refers to; none where it is not TOML."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return set()
    sections = [cast("dict[str, Any]", one) for one in document.values() if isinstance(one, dict)]
    named = (value for section in (document, *sections) for key, value in section.items() if key.endswith("_env"))
    return {value for value in named if isinstance(value, str)}


def _built(name: str, values: dict[str, Any], problems: list[Problem], inherited: set[str]) -> CtpProfile:
    """The profile, or all problems. What is wrong with an inherited value is said of `primary` alone."""
    told = {one.where for one in problems} | {f"backup.{field}" for field in inherited}
    try:
        profile = CtpProfile.model_validate(values)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            where = ".".join(map(str, one["loc"][:2]))
            if where not in told:
                told.add(where)
                problems.append(_problem(where, one["type"], one["msg"], one["loc"][2:]))
    else:
        if not problems:
            return profile
    raise ProfileError(name, sorted(problems, key=_place)) from None


def _problem(where: str, kind: str, message: str, inner: tuple[int | str, ...]) -> Problem:
    field = where.rpartition(".")[2]
    if kind == "missing":
        return Problem(where, "is missing", _FIXES.get(field, ""))
    if kind == "extra_forbidden":
        return Problem(where, "is not known", f"leave it out; there are: {', '.join(CtpLogin.model_fields)}")
    position = f" (number {int(inner[0]) + 1})" if inner else ""
    return Problem(where, message.removeprefix("Value error, ") + position, _FIXES.get(field, "leave it out"))


def _place(problem: Problem) -> tuple[int, int]:
    """In the order of a well-written file."""
    section, _, field = problem.where.partition(".")
    fields = [*CtpLogin.model_fields]
    return {"primary": 1, "backup": 2}.get(section, 0), fields.index(field) if field in fields else -1


def _of_the_whole(document: Mapping[str, Any]) -> list[Problem]:
    """What is wrong outside of the sections, but for what the model says."""
    problems: list[Problem] = []
    if str(mode := document.get("mode")) not in _MODES:
        said = "is missing" if mode is None else "is neither production nor evaluation"
        problems.append(Problem("mode", said, _FIXES["mode"]))
    if (connection := document.get("connection", "direct")) == "relay":
        # To relay it would have to report, for each terminal behind it, what CTP's collector says there.
        said = "is relay (中继), which is not supported: a desk is itself the terminal"
        problems.append(Problem("connection", said, 'connection = "direct", with an AppID registered for it'))
    elif connection != "direct":
        problems.append(Problem("connection", "is not direct", 'connection = "direct", or leave it out'))
    fix = f"leave it out; there are: {', '.join(_KEYS)}"
    return problems + [Problem(key, "is not known", fix) for key in sorted(document.keys() - _KEYS)]


def _libraries(document: Mapping[str, Any], lookup: Lookup, problems: list[Problem]) -> str:
    """The directory of drop-in CTP libraries: empty where there is none, or it is refused."""
    form = next((form for form in ("libraries", "libraries_env") if form in document), "")
    try:
        if form and document.get("env") == "live":
            raise Unreadable("are not CTP's own, and env is live", _FIXES["libraries"])
        given = _value("libraries", form, document[form], lookup) if form else ""
        if not isinstance(given, str):
            raise Unreadable("is no directory", _FIXES["libraries"])
        return given
    except Unreadable as error:
        problems.append(Problem("libraries", error.problem, error.fix))
        return ""


def _section(name: str, table: dict[str, Any], lookup: Lookup, problems: list[Problem]) -> dict[str, Any]:
    """The fields of a section that could be had. Keys that are not known stay in it: the model refuses them."""
    values: dict[str, Any] = {}
    known: set[str] = set()
    for field in CtpLogin.model_fields:
        forms = [field + form for form in _FORMS if field + form in table]
        known.update(forms)
        try:
            if len(forms) > 1:
                raise Unreadable(f"is given {len(forms)} times: {', '.join(forms)}", "leave one of them")
            if forms:
                values[field] = _value(field, forms[0], table[forms[0]], lookup)
        except Unreadable as error:
            problems.append(Problem(f"{name}.{field}", error.problem, error.fix))
    return {**values, **dict.fromkeys(table.keys() - known)}


def _value(field: str, form: str, given: Any, lookup: Lookup) -> Any:
    if form == field:
        if field in _SECRETS and (field, given) != _PUBLIC and not lookup.private:
            fix = f"{_FIXES[field]}; or chmod 600 {lookup.path}"
            raise Unreadable("is a secret, and others may read this file", fix)
        return _split(given) if field in _LISTS else given
    if not isinstance(given, str) or not given:
        raise Unreadable(f"is given by {form}, which is not a name", f'{form} = "NAME"')
    text = lookup.variable(given) if form.endswith("_env") else lookup.file(given)
    return _split(text) if field in _LISTS else text


def _split(given: Any) -> Any:
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else given


def _inherited(backup: Mapping[str, Any]) -> set[str]:
    """What the backup takes over. Another account has a password of its own, another broker also its own codes."""
    fields = {*CtpLogin.model_fields}
    own = {field for field in fields if any(field + form in backup for form in _FORMS)}
    if "broker_id" in own:
        return set()
    return fields - own - ({"password"} if "user_id" in own else set())


def _check_backup(primary: Mapping[str, Any], backup: Mapping[str, Any], problems: list[Problem]) -> None:
    if primary and primary == backup:
        fix = "give it another account (user_id and password), or other fronts"
        problems.append(Problem("backup", "is no backup: its account and its fronts are those of primary", fix))
