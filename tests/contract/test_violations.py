"""Which refusal answers a body with faults, and what it may say of them."""

from typing import Any

import pytest

from contract.bodies import Body
from contract.operations import compile_operations
from contract.violations import KEYWORD_CODES
from domain.refusals import Malformed
from scripts.spec_rules.errors import KEYWORD_CODES as LINTED_CODES
from tests.document import DOCUMENT

OPERATIONS = compile_operations(DOCUMENT, "gateway") | compile_operations(DOCUMENT, "vault")
CARD: dict[str, Any] = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030}


def body_of(operation_id: str) -> Body:
    body = OPERATIONS[operation_id].body
    assert body is not None
    return body


def refusal(operation_id: str, value: Any) -> Malformed:
    with pytest.raises(Malformed) as caught:
        body_of(operation_id).check(value)
    return caught.value


def test_the_code_has_the_same_codes_for_keywords_as_the_lint() -> None:
    assert KEYWORD_CODES == LINTED_CODES


@pytest.mark.parametrize(
    ("value", "code", "param"),
    [
        ({"amount": 1, "currency": 1, "zz": 1}, "parameter_unknown", None),
        ({"amount": 1, "payment_method_id": "pm"}, "parameter_missing", "currency"),
        ({"amount": 1}, "parameter_missing", "currency"),
        ({}, "parameter_missing", "amount"),
        (
            {"metadata": {"!": 1}, "payment_method_id": "", "currency": "zz", "amount": 1},
            "amount_too_small",
            "amount",
        ),
        (
            {"metadata": {"!": 1}, "payment_method_id": "", "currency": "usd", "amount": 50},
            "parameter_too_short",
            "payment_method_id",
        ),
    ],
)
def test_several_faults_answer_the_first(value: Any, code: str, param: str | None) -> None:
    found = refusal("create_payment", value)
    assert (found.code, found.param) == (code, param)


@pytest.mark.parametrize(
    ("value", "code", "param"),
    [
        ([], "body_not_object", None),
        ({}, "parameter_missing", "type"),
        ({"type": 1}, "parameter_invalid_type", "type"),
        ({"type": "cash"}, "parameter_invalid_enum", "type"),
        ({"type": "card"}, "parameter_missing", "card"),
        ({"type": "card", "card": {**CARD, "pin": "1"}}, "parameter_unknown", "card"),
        (
            {"type": "card", "card": {**CARD, "number": 4242}},
            "parameter_invalid_type",
            "card.number",
        ),
        (
            {"type": "card", "card": {**CARD, "exp_month": 100}},
            "parameter_too_large",
            "card.exp_month",
        ),
        ({"type": "card", "card": CARD, "wallet": {}}, "parameter_unknown", None),
    ],
)
def test_a_body_with_a_discriminator(value: Any, code: str, param: str | None) -> None:
    found = refusal("create_token", value)
    assert (found.code, found.param) == (code, param)


def test_a_place_in_a_list_is_named() -> None:
    value = {"url": "https://example.com", "enabled_events": ["payment.captured", "nope"]}
    found = refusal("create_webhook_endpoint", value)
    assert (found.code, found.param) == ("parameter_invalid_enum", "enabled_events[1]")


def test_a_body_of_twenty_thousand_faults_answers_the_first() -> None:
    faults = {f"! {number}": number for number in range(20_000)}
    value = {"amount": 500, "currency": "usd", "payment_method_id": "pm", "metadata": faults}
    found = refusal("create_payment", value)
    assert (found.code, found.param) == ("parameter_too_many_items", "metadata")
    assert refusal("create_payment", faults).code == "parameter_unknown"


def test_every_refusal_of_a_request_schema_is_in_x_errors() -> None:
    junk: tuple[Any, ...] = (None, [], {}, 1, 0.5, "", "\x00", "x" * 30_000, -1, 10**12, {"x": 1})
    for operation in OPERATIONS.values():
        if operation.body is None:
            continue
        example = _example(operation.operation_id)
        operation.body.check(example)
        for name in example:
            for value in junk:
                try:
                    operation.body.check({**example, name: value})
                except Malformed as found:
                    assert found.code in operation.errors, (operation.operation_id, name, value)
                    assert found.param is None or found.param.startswith(name)


def _example(operation_id: str) -> dict[str, Any]:
    for item in DOCUMENT["paths"].values():
        for node in item.values():
            if isinstance(node, dict) and node.get("operationId") == operation_id:
                (media,) = node["requestBody"]["content"].values()
                examples = media["examples"]
                reference = next(iter(examples.values()))["$ref"].rsplit("/", 1)[1]
                value: dict[str, Any] = DOCUMENT["components"]["examples"][reference]["value"]
                return value
    raise LookupError(operation_id)
