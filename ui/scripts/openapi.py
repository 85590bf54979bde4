"""Print the management API's OpenAPI document, without a desk: python ui/scripts/openapi.py."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from aegis.management.endpoints.app import create_app
from aegis.management.parts import Parts
from aegis.management.settings import ManagementSettings

parts: Any = SimpleNamespace(settings=ManagementSettings(), cookie="aegis_session", trail=None)
app, _ = create_app(cast(Parts, parts), SimpleNamespace(version=""), ())
print(json.dumps(app.openapi(), ensure_ascii=False))
