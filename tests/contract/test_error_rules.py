"""The lint of the catalogue finds what it is there to find."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from scripts.spec_rules.errors import (
    check_catalogue,
    check_refusal_headers,
    check_refusal_order,
    check_refusal_shapes,
)
from tests.document import DOCUMENT

RULES = (check_catalogue, check_refusal_order, check_refusal_headers, check_refusal_shapes)
TOO_MANY = {"$ref": "#/components/responses/TooManyRequests"}
Spoil = Callable[[dict[str, Any]], object]


def found(document: dict[str, Any]) -> list[str]:
    return [f"{place}: {message}" for rule in RULES for place, message in rule(document)]


def entry(document: dict[str, Any], code: str) -> dict[str, Any]:
    given: dict[str, Any] = document["x-error-catalogue"][code]
    return given


def test_the_document_has_no_fault() -> None:
    assert found(deepcopy(DOCUMENT)) == []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda d: entry(d, "card_declined").pop("stage"), "needs ["),
        (lambda d: entry(d, "card_declined").update(stage="luck"), "not in x-refusal-order"),
        (lambda d: entry(d, "card_declined").update(stage="state"), "the stage has another status"),
        (lambda d: entry(d, "card_declined").update(retry="soon"), "retry is unknown"),
        (lambda d: entry(d, "card_declined").update(retry="new_key"), "retry is the stage's"),
        (lambda d: entry(d, "card_declined").update(message="{number}"), "unknown placeholder"),
        (lambda d: entry(d, "amount_too_small").pop("example"), "the example lacks a value"),
        (lambda d: entry(d, "card_declined")["example"].update(amount=1), "that is not shown"),
        (lambda d: d["x-refusals-without-operation"].pop("route_missing"), "no operation can give"),
        (lambda d: d["x-refusal-order"].append(d["x-refusal-order"][0]), "names a stage twice"),
        (lambda d: d["x-refusal-order"][0].pop("checks"), "needs exactly"),
        (
            lambda d: d["components"]["responses"]["Unauthorized"]["headers"].pop(
                "WWW-Authenticate"
            ),
            "WWW-Authenticate is not declared",
        ),
        (
            lambda d: d["paths"]["/sign_in"]["get"]["responses"].update({"429": TOO_MANY}),
            "refusals of several shapes",
        ),
    ],
)
def test_a_fault_is_told(spoil: Spoil, told: str) -> None:
    document = deepcopy(DOCUMENT)
    spoil(document)
    assert any(told in finding for finding in found(document)), found(document)
