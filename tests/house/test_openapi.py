"""The API changes in the open: its document is kept beside the code and compared."""

from __future__ import annotations

import json
from pathlib import Path

from counterfoil.app.api_document import openapi_document

SNAPSHOT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_is_the_one_that_was_reviewed() -> None:
    """``docs/openapi.json`` is what the API says of itself; ``make openapi`` renews it."""
    assert SNAPSHOT.read_text() == openapi_document(), "The API changed. Run `make openapi` and review the difference."


def test_every_operation_says_what_it_does() -> None:
    """Each operation has an id of its own, a summary, a tag and an answer."""
    document = json.loads(openapi_document())
    ids = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            ids.append(operation["operationId"])
            assert operation["summary"], f"{method} {path}"
            assert operation["tags"], f"{method} {path}"
            assert operation["responses"], f"{method} {path}"
            assert operation["security"] == [{"ApiKey": []}], f"{method} {path}"
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere() -> None:
    """No schema refers to one that is not there."""
    text = openapi_document()
    document = json.loads(text)
    import re

    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]


def test_numbers_are_exact_in_the_document() -> None:
    """No schema offers a float: decimals are texts."""
    text = openapi_document()
    assert '"type": "number"' not in text


def test_no_action_passes_over_a_name_that_it_does_not_know() -> None:
    """What an action takes says so (``Order``). What a record takes (``Described``) is judged by the command door."""
    document = json.loads(openapi_document())
    schemas = document["components"]["schemas"]
    waiting = [
        body["schema"]["$ref"].rpartition("/")[2]
        for methods in document["paths"].values()
        for operation in methods.values()
        for body in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in body["schema"]
    ]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        assert "additionalProperties" in schemas[name], name
        waiting += [part.partition('"')[0] for part in json.dumps(schemas[name]).split("#/components/schemas/")[1:]]
    assert "CancelOrder" in seen
