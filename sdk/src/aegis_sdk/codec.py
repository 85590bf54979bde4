"""Serialization as a strategy, named by the `Aegis-Codec` header. Without the header a payload is JSON."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from aegis_sdk.errors import CodecError, InvalidRequest

Model = TypeVar("Model", bound=BaseModel)


def encode_json(value: Any) -> bytes:
    """Plain data as JSON: dicts, lists, strings, numbers, dates and msgspec structs."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise CodecError(f"cannot be written as JSON: {error}") from error


def decode_json(payload: bytes) -> Any:
    """Plain data from JSON; an empty payload is None."""
    if not payload:
        return None
    try:
        return msgspec.json.decode(payload)
    except msgspec.MsgspecError as error:
        raise CodecError(f"not JSON: {error}") from error


def encode_model(model: BaseModel | None) -> bytes:
    """A Pydantic model as JSON; None as an empty payload. Raises CodecError for what JSON has no words for."""
    if model is None:
        return b""
    try:
        return model.__pydantic_serializer__.to_json(model)
    except PydanticSerializationError as error:
        raise CodecError(f"cannot be written as JSON: {error}") from error


def decode_model(model: type[Model], payload: bytes) -> Model:
    """A Pydantic model from JSON.

    Raises InvalidRequest with one detail per field that is wrong: {field, problem}.
    """
    try:
        return model.__pydantic_validator__.validate_json(payload or b"{}")
    except ValidationError as error:
        problems = [
            {"field": ".".join(str(part) for part in item["loc"]), "problem": item["msg"]}
            for item in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        ]
        raise InvalidRequest(f"not a valid {model.__name__}", problems=problems) from error
