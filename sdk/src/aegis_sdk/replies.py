"""What a reply says: the value that its method promises, or the error that it carries."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from aegis_sdk import codec
from aegis_sdk.errors import CodecError, InternalError, RpcError, error_from_wire
from aegis_sdk.messages import ERROR, ERROR_CODE, Message
from aegis_sdk.method import Method

__all__ = ["decoded", "error_in"]

Reply = TypeVar("Reply", bound=BaseModel)


def decoded(method: Method[Any, Reply], message: Message) -> Reply:
    """The value of a reply without an error. Raises InternalError where it is not what the method promises."""
    try:
        return method.reply.__pydantic_validator__.validate_json(message.payload or b"{}")
    except ValidationError as error:
        raise InternalError(
            f"{method.service}.{method.name} answered what is not a valid {method.reply.__name__}", problem=str(error)
        ) from error


def error_in(message: Message) -> RpcError | None:
    """The error that a reply carries, None where it carries none."""
    if ERROR_CODE not in message.headers:
        return None
    try:
        body: Any = codec.decode_json(message.payload)
    except CodecError:
        body = None
    if not isinstance(body, dict):
        return InternalError(message.headers.get(ERROR, "an error without a body"))
    return error_from_wire(cast("dict[str, Any]", body))
