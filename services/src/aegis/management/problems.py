"""Every error of the API in one shape: RFC 9457, `application/problem+json`.

Raise Problem with a code of the table below; what the SDK raises is turned into one by `problem_of`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from aegis_sdk.errors import AegisError, ConnectionUnavailable, EpochEnded, LedgerUnavailable, RpcError, StreamError
from aegis_sdk.lease_view import NotDone

__all__ = ["REASONS", "TITLES", "Problem", "ProblemBody", "Trouble", "problem_of", "responses", "written"]

MEDIA_TYPE: Final = "application/problem+json"

TITLES: Final[dict[str, tuple[int, str]]] = {
    "malformed": (400, "The request cannot be read"),
    "not_signed_in": (401, "Sign in first"),
    "wrong_credentials": (401, "User or password is wrong"),
    "role_needed": (403, "This needs another role"),
    "password_change_needed": (403, "Change the password first"),
    "foreign_origin": (403, "The request comes from another site"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "That cannot be done with it"),
    "conflict": (409, "It is not as it would have to be"),
    "changed": (412, "It has changed in the meantime"),
    "too_large": (413, "The request is too large"),
    "misdirected": (421, "We are not known by that name"),
    "invalid": (422, "The request is not valid"),
    "rejected": (422, "The service said no"),
    "precondition_needed": (428, "Say which revision is meant"),
    "too_many_attempts": (429, "Too many attempts"),
    "overloaded": (429, "Too much at once"),
    "internal": (500, "Something went wrong here"),
    "unavailable": (503, "A part of the desk is away"),
    "outcome_unknown": (504, "Whether it was done is not known"),
}
"""Codes, stable, with status and title. A service's own code stands in place of `rejected`."""


REASONS: Final[dict[str, str]] = {
    "audit_away": "the audit trail cannot be written: nothing may be done",
    "change_password": "POST /api/auth/password",
    "changed_by_another": "somebody else has changed it",
    "being_moved": "its key is given to another instance just now",
    "confirm": "confirm repeats the name, {what}",
    "gone": "it is gone",
    "if_match_malformed": "If-Match is one ETag of ours",
    "if_match_missing": "send If-Match with the ETag that you have seen",
    "instances_alive": "instances of {service} are alive: stop them first",
    "log_says": "the log says why",
    "ledger_unsure": "the ledger has not said whether it has stored that",
    "many_at_once": "too many at once",
    "many_followers": "too many follow already",
    "many_sign_in": "too many sign in at this moment",
    "many_tokens": "you have {most} tokens: delete one",
    "many_topics": "at most {most} topics",
    "key_unserved": "nobody serves {service}/{key} now",
    "nats_away": "NATS does not answer",
    "needs_role": "this needs the role {needed}, and yours is {yours}",
    "no_account": "the desk does not trade an account {account}",
    "no_answer_in_time": "there was no answer in time",
    "no_bucket": "there is no bucket {bucket} to look into",
    "no_entry": "{bucket} has no key {key}",
    "no_health_agent": "nobody watches a feed set {feed}",
    "no_instance": "no instance {instance} of {service} is alive",
    "no_key": "{service} has no key {key}",
    "no_service": "there is no service {service}",
    "no_session": "no session of yours has that id",
    "no_stream": "there is no stream {stream}",
    "no_tick": "{instrument} has no tick",
    "no_token": "there is no such token that you may see",
    "no_topic": "there is no topic {topic}",
    "no_user": "there is no user {user}",
    "nobody_answers": "nobody answers such a call now",
    "not_oneself": "another administrator has to do that: nobody changes himself",
    "not_our_name": "AEGIS_MANAGEMENT_ORIGINS says by which names we are known",
    "not_our_page": "only pages of this console may act",
    "password_not_new": "the new password is the old one, or the user's name",
    "people_only": "this is for people who have signed in, not for API tokens",
    "service_failed": "the service that was asked has failed; its log says why",
    "split_of_close": "a split is of `close`, not of `{offset}`",
    "stops": "the instance that was asked is stopping",
    "stream_refuses": "JetStream refuses it: {text}",
    "tokens_by_people": "a token makes no tokens: sign in",
    "too_many_bytes": "at most {most} bytes",
    "unproven": "the instance that was asked cannot prove that it holds the key",
    "user_changed": "an administrator changed this user just now: sign in again",
    "user_exists": "there is a user {user} already",
    "wait": "try again in {wait_s} s",
}
"""Our own reasons, stable, with the English sentence; what stands in it is in `details`."""


class Trouble(BaseModel):
    """One thing that is wrong with a request: where, what, and that as a stable word of Pydantic's."""

    where: str
    problem: str
    code: str = ""


class ProblemBody(BaseModel):
    """What went wrong (RFC 9457). `code` and `reason` are stable words, `details` stand in the reason's sentence.

    A service's own reason stands in `reason` too; it is empty where there is no more to say, or only `detail` has it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:aegis:problem:role_needed",
                    "title": "This needs another role",
                    "status": 403,
                    "detail": "this needs the role operator, and yours is viewer",
                    "code": "role_needed",
                    "reason": "needs_role",
                    "errors": [],
                    "details": {"needed": "operator", "yours": "viewer"},
                }
            ]
        }
    )

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = ""
    code: str
    reason: str = ""
    errors: list[Trouble] = []
    details: dict[str, JsonValue] = {}


class Problem(Exception):
    """An answer that is an error. `details` are JSON, and so is what is named beside them.

    `reason` is one of ours, which makes the detail unless another program tells it in its own words.
    """

    def __init__(
        self,
        code: str,
        reason: str = "",
        *,
        detail: str = "",
        status: int = 0,
        errors: list[Trouble] | None = None,
        headers: dict[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        said: dict[str, Any] = {**(details or {}), **more}
        detail = detail or (REASONS[reason].format(**said) if reason else "")
        super().__init__(detail or code)
        usual, title = TITLES.get(code, (422, TITLES["rejected"][1]))
        self.code = code
        self.headers = headers or {}
        self.body = ProblemBody(
            type=f"urn:aegis:problem:{code}",
            title=title,
            status=status or usual,
            detail=detail,
            code=code,
            reason=_word(said.get("reason")) or reason,
            errors=errors or [],
            details=said,
        )


_AWAY: Final = {
    "unavailable": "nobody_answers",
    "draining": "stops",
    "suspended": "unproven",
    "moved": "being_moved",
    "not_executed": "nobody_answers",
}
"""Errors of a call that had no effect, and their reasons."""


def _word(said: object) -> str:
    return said if isinstance(said, str) else ""


def written(problem: Problem) -> JSONResponse:
    body = problem.body
    headers = {"Cache-Control": "no-store", **problem.headers}
    return JSONResponse(body.model_dump(mode="json"), body.status, headers, MEDIA_TYPE)


def problem_of(error: AegisError | TimeoutError) -> Problem:
    """What an error of the SDK means to who called us."""
    if isinstance(error, RpcError):
        code, status = error.code, error.status
        if code in _AWAY:
            more = {"retryable": True, "cause": code}
            return Problem("unavailable", _AWAY[code], detail=error.message, details=error.details, **more)
        if code == "outcome_unknown":
            return Problem(code, detail=error.message, details=error.details)
        if code == "deadline_exceeded":
            return Problem("outcome_unknown", "no_answer_in_time", detail=error.message, details=error.details)
        if code == "invalid_request":
            return Problem("invalid", detail=error.message, details=error.details)
        if code == "internal":
            return Problem("internal", "service_failed", detail=error.message, status=502)
        status = status if 400 <= status < 600 else 422
        return Problem(code, detail=error.message, status=status, details=error.details)
    if isinstance(error, TimeoutError | ConnectionUnavailable):
        return Problem("unavailable", "nats_away", detail=str(error), retryable=True)
    if isinstance(error, StreamError):
        return Problem("unavailable", "stream_refuses", text=error.description, retryable=True)
    if isinstance(error, LedgerUnavailable):
        return Problem("outcome_unknown", "ledger_unsure", detail=str(error))
    if isinstance(error, NotDone):
        code = "outcome_unknown" if error.was_asked else "conflict"
        return Problem(code, detail=str(error), details={"reason": error.code})
    if isinstance(error, EpochEnded):
        return Problem("conflict", "being_moved", detail=str(error))
    return Problem("internal", detail=str(error))


def of_status(status: int, detail: str, headers: dict[str, str] | None = None) -> Problem:
    """An error that the framework raised by its status alone."""
    code = next((code for code, (usual, _) in TITLES.items() if usual == status), "")
    if not code:
        code = "internal" if status >= 500 else "malformed"
    said = "" if detail == HTTPStatus(status).phrase else detail
    return Problem(code, detail=said, status=status, headers=headers)


_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Error answers of an operation in OpenAPI, and the one for all others."""
    known: dict[int | str, dict[str, Any]] = {
        code: {"description": HTTPStatus(code).phrase, "content": _CONTENT} for code in sorted(codes)
    }
    return {**known, "default": {"description": "Any other error", "content": _CONTENT}}
