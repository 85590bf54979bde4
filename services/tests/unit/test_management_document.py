"""The OpenAPI document, without a desk: nothing in it is without an example, and no example is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jsonschema_rs import Draft202012Validator

from aegis.management.endpoints.app import create_app
from aegis.management.examples import MODELS
from aegis.management.parts import Parts
from aegis.management.settings import ManagementSettings

_ANYTHING = {"JsonValue"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parts = SimpleNamespace(settings=ManagementSettings(), cookie="aegis_session", trail=None)
    app, _ = create_app(cast(Parts, parts), SimpleNamespace(version=""), ())
    return json.loads(json.dumps(app.openapi()))


def operations_of(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from operations.values()


def taken_and_given(operation: dict[str, Any]) -> set[str]:
    good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    return set(re.findall(r'#/components/schemas/(\w+)"', json.dumps([operation.get("requestBody"), good])))


def check(document: dict[str, Any], schema: dict[str, Any], example: Any) -> None:
    Draft202012Validator({**schema, "components": document["components"]}).validate(example)


def test_every_operation_says_what_it_does_and_what_it_takes_and_gives(document: dict[str, Any]) -> None:
    schemas, looked_at = document["components"]["schemas"], set[str]()
    for operation in operations_of(document):
        assert operation.get("description"), operation["operationId"]
        for name in taken_and_given(operation) - _ANYTHING:
            looked_at.add(name)
            for example in schemas[name]["examples"]:
                check(document, {"$ref": f"#/components/schemas/{name}"}, example)
    assert len(looked_at) > 50
    for name, example in MODELS.items():
        assert example.keys() == schemas[name]["properties"].keys(), name


def test_every_parameter_has_an_example_that_is_allowed(document: dict[str, Any]) -> None:
    parameters = [one for operation in operations_of(document) for one in operation.get("parameters", ())]
    assert len(parameters) > 100
    for parameter in parameters:
        schema = parameter["schema"]
        example = parameter["example"] if "example" in parameter else schema["examples"][0]
        check(document, schema, example)
