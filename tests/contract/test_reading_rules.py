"""What a GET or a list of the document may not forget is told by the rules of the document."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from contract.document import Node
from scripts.spec_rules.representation import check_lists, check_reading
from tests.document import DOCUMENT

Change = Callable[[dict[str, Any]], object]


def findings(document: Node) -> list[str]:
    found = [*check_reading(document), *check_lists(document)]
    return [message for _, message in found]


def without(operation: Node, component: str) -> None:
    operation["parameters"] = [
        each for each in operation["parameters"] if not each["$ref"].endswith(f"/{component}")
    ]


def test_the_document_follows_them() -> None:
    assert findings(DOCUMENT) == []


@pytest.mark.parametrize(
    ("path", "method", "change", "words"),
    [
        ("/v1/customers", "get", lambda op: without(op, "Fields"), "`fields`"),
        ("/v1/customers", "get", lambda op: without(op, "IfNoneMatch"), "If-None-Match"),
        ("/v1/customers", "get", lambda op: op["responses"].pop("304"), "304"),
        ("/v1/customers", "get", lambda op: op["responses"]["200"]["headers"].pop("ETag"), "ETag"),
        ("/v1/customers", "get", lambda op: without(op, "CreatedGte"), "created_gte"),
        ("/v1/customers", "get", lambda op: without(op, "CreatedLte"), "created_lte"),
        ("/v1/customers", "get", lambda op: without(op, "Sort"), "takes sort"),
        ("/v1/customers", "get", lambda op: without(op, "Limit"), "takes limit"),
        ("/v1/events/{event_id}", "get", lambda op: without(op, "Fields"), "`fields`"),
        ("/v1/payments", "post", lambda op: op.update({"x-cache": "private-300"}), "no-store"),
        (
            "/v1/events/{event_id}",
            "get",
            lambda op: op["x-errors"].remove("parameter_duplicated"),
            "parameter_duplicated",
        ),
    ],
)
def test_what_is_forgotten_is_told(path: str, method: str, change: Change, words: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document["paths"][path][method])
    assert any(words in message for message in findings(document))


def test_a_list_with_amounts_is_ordered_by_them() -> None:
    document = copy.deepcopy(DOCUMENT)
    refunds = document["paths"]["/v1/payments/{payment_id}/refunds"]["get"]
    without(refunds, "SortWithAmount")
    refunds["parameters"].append({"$ref": "#/components/parameters/Sort"})
    assert findings(document) == ["sort takes created_at and amount, both ways"]
