"""The OpenAPI document of the API, as data and as the text of ``docs/openapi.json``."""

from __future__ import annotations

import json
from functools import cache
from typing import Any


@cache
def openapi() -> dict[str, Any]:
    from counterfoil.app.api import api  # it needs every room to be loaded

    document: dict[str, Any] = api.get_openapi_schema(path_prefix="/api/v1/")
    return document


@cache
def openapi_document() -> str:
    return json.dumps(openapi(), indent=1, ensure_ascii=False, default=str) + "\n"
